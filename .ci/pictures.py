"""Take README's pictures again, of the real thing: JupyterLab in Chromium, the embedded engine, the rendered pages.

    python .ci/pictures.py          writes data/pictures/*.png; needs Chromium, the test dependencies and some minutes

Nothing is staged: the lesson runs, the answer in the exercise is one of its bank's wrong ones.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from lab_page import CHROMIUM_FLAGS, LabPage, LabServer  # noqa: E402

from labkit import course, paths, site  # noqa: E402
from labkit.exercises import start_page  # noqa: E402

PICTURES = ROOT / "data" / "pictures"
CHROMIUM = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
WIDTH, HEIGHT = 1100, 680
READY = "() => window.jupyterapp?.shell.currentWidget?.context?.isReady"
IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
ARRIVED = "() => [...document.querySelectorAll('.slider-label')].some(e => e.textContent === 'step 40')"
WRONG = "def weight_bytes(parameters, bits):\n    return parameters * bits\n\n\nex.check(weight_bytes)"


def main() -> None:
    """Take every picture."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        in_jupyterlab(browser, Path(place))
        of_the_site(browser, Path(place))
        browser.close()
    for picture in sorted(PICTURES.glob("*.png")):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size / 1000:.0f} kB")


def tab(browser, width: int = WIDTH, height: int = HEIGHT):
    """Return a fresh tab."""
    return browser.new_context(viewport={"width": width, "height": height}).new_page()


def in_jupyterlab(browser, place: Path) -> None:
    """Take the pictures of a course that a learner has begun."""
    mine, os.environ["LABKIT_HOME"] = paths.home(), str(place / "home")  # somebody's first day
    folder = place / "my-course"
    course.lay_out(folder)
    start_page.place(folder)
    server = LabServer(folder, place / "jupyter")
    server.start()
    try:
        for take in (a_scene, an_exercise, the_start_page):
            page = LabPage(tab(browser), server)
            take(page)
            page.page.context.close()
            server.end_kernels()
    finally:
        server.stop()
        os.environ["LABKIT_HOME"] = str(mine)


def a_scene(lab: LabPage) -> None:
    """JupyterLab with a lesson: two agents cross a city, one with a plan."""
    open_beside_files(lab, "01_agent_types.ipynb")
    for number in (0, 1, 21, 22, 23):
        lab.run_cell(number)
    lab.page.locator(".js-plotly-plot .updatemenu-button").first.click()
    lab.page.wait_for_function(ARRIVED, timeout=60_000)
    lab.page.evaluate("() => document.querySelector('.js-plotly-plot').scrollIntoView({block: 'end'})")
    save(lab.page, "lesson.png")


def an_exercise(lab: LabPage) -> None:
    """An exercise with an answer that the bank knows as a mistake; right afterwards."""
    lab.open("00_start_here.ipynb")
    for number, source in ((0, None), (4, None), (5, WRONG)):
        lab.run_cell(number, source)
    lab.page.set_viewport_size({"width": 900, "height": 2000})
    cells = lab.page.locator(".jp-CodeCell")
    first, last = cells.nth(4).bounding_box(), cells.nth(5).bounding_box()
    height = last["y"] + last["height"] - first["y"]
    save(lab.page, "exercise.png", clip={"x": first["x"], "y": first["y"], "width": first["width"], "height": height})
    lab.run_cell(5, WRONG.replace("parameters * bits", "parameters * bits / 8"))


def the_start_page(lab: LabPage) -> None:
    """The page on which the course opens, one exercise later."""
    open_beside_files(lab, start_page.START)
    save(lab.page, "start.png")


def of_the_site(browser, place: Path) -> None:
    """A lesson as a page without a server."""
    executed = place / "executed"
    course.run(["00"], out=executed)
    for lesson in course.lessons()[1:]:
        shutil.copy(lesson.path, executed)
    page = tab(browser)
    page.goto((site.build(place / "site", executed).folder / "00_start_here.html").as_uri())
    page.locator(".js-plotly-plot").first.evaluate("figure => figure.scrollIntoView({block: 'end'})")
    save(page, "page.png")


def open_beside_files(lab: LabPage, name: str) -> None:
    """Open a file in the whole of JupyterLab, and wait until it is shown."""
    lab.page.goto(f"{lab.server.url}/lab/tree/{name}?token={lab.server.token}&reset")
    lab.page.wait_for_function(READY, timeout=60_000)
    if name.endswith(".ipynb"):
        lab.page.wait_for_function(IDLE, timeout=60_000)


def save(page, name: str, **options) -> None:
    """Save what a tab shows, once it has settled."""
    page.wait_for_timeout(1000)
    page.screenshot(path=str(PICTURES / name), **options)


if __name__ == "__main__":
    main()
