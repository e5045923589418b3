"""The rendered course in Chromium, opened from the disk: readable by everybody, and no request to any other host.

Built from the lessons as they are, the first one with every kind of output. LABKIT_SITE=FOLDER looks at one that is there already.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
import small_site

from labkit import course, site
from labkit.site.links import check

PHONE, WINDOW = 360, 1100
# What axe calls "minor" and "moderate" are hints; these two keep somebody from reading.
FAULTS = ("serious", "critical")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
FILES = ["index.html", "search.html", *(row.file.replace(".ipynb", ".html") for row in course.lessons()), "names.html"]
# Contrast takes seconds a page. The first lesson has every kind of output; in a site of real ones every page is looked at,
# but for code, which has the same colours everywhere.
WHOLE = FILES[:3]
COLOURED = FILES if os.environ.get("LABKIT_SITE") else WHOLE


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Give the folder of a built site."""
    if there := os.environ.get("LABKIT_SITE"):
        return Path(there).resolve()
    executed, dest = tmp_path_factory.mktemp("executed"), tmp_path_factory.mktemp("site")
    first, *others = [row.path for row in course.lessons()]
    for path in others:
        (executed / path.name).write_bytes(path.read_bytes())
    nb = nbformat.read(first, as_version=4)
    nb.cells += small_site.every_output(executed)
    nbformat.write(nb, executed / first.name)
    built = site.build(dest, executed)
    assert built.problems == [f"{path.name} was never executed" for path in others]
    return dest


@pytest.fixture(scope="module")
def tabs(browser):
    """Give `tabs(width, dark)`: a tab that keeps in `asked` what it has asked for, and in `complaints` what went wrong."""
    contexts = []

    def open_one(width: int = WINDOW, dark: bool = False):
        scheme = "dark" if dark else "light"
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        tab = context.new_page()
        tab.asked, tab.complaints = [], []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.on("console", lambda said: tab.complaints.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
        return tab

    yield open_one
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def light(tabs):
    """Give one tab on a wide window for all pages."""
    return tabs()


@pytest.fixture(scope="module")
def dark(tabs):
    """Give one tab in dark, as wide as a phone, for all pages."""
    return tabs(PHONE, dark=True)


@pytest.fixture(scope="module")
def axe(require):
    """Give `axe(tab)`: the faults that keep somebody from reading, as lines of text."""
    require("axe", find_spec("axe_playwright_python"), "pip install 'labkit[test]'")
    from axe_playwright_python.sync_playwright import Axe

    def faults(tab, only=(), without=(), code=True) -> list[str]:
        runs = {"type": "rule", "values": only} if only else {"type": "tag", "values": TAGS}
        skipped = {name: {"enabled": False} for name in without}
        # "preload" would read the style sheets once more, which a page from the disk may not.
        options = {"runOnly": runs, "rules": skipped, "resultTypes": ["violations"], "preload": False}
        context = None if code else {"exclude": [[".highlight"]]}
        found = Axe().run(tab, context, options).response["violations"]
        return [
            f"{one['impact']} {one['id']}: {node['html'][:200]} {node['failureSummary']}"
            for one in found
            if one["impact"] in FAULTS
            for node in one["nodes"][:3]
        ]

    return faults


def opened(tab, folder: Path, name: str):
    """Open a page and wait until its figures are drawn."""
    tab.asked.clear()
    tab.complaints.clear()
    tab.goto((folder / name).as_uri())
    tab.wait_for_function("[...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))")
    return tab


@pytest.mark.parametrize("name", FILES)
def test_nothing_keeps_anybody_from_reading_and_no_other_host_is_asked(name, folder, light, axe):
    tab = opened(light, folder, name)
    assert not axe(tab, without=[] if name in COLOURED else ["color-contrast"], code=name in WHOLE)
    assert not tab.complaints
    foreign = [url for url in tab.asked if not url.startswith((folder.as_uri(), "data:", "blob:"))]
    assert tab.asked and not foreign


@pytest.mark.parametrize("name", FILES)
def test_dark_on_a_phone(name, folder, dark, axe):
    tab = opened(dark, folder, name)
    wide = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE, "a phone has to be moved sideways to read this"
    assert name not in COLOURED or not axe(tab, only=["color-contrast"], code=name in WHOLE)


def test_every_link_leads_somewhere(folder):
    found = check(folder, [folder / name for name in FILES])
    assert not found.problems and found.external


def test_a_fault_would_be_found(folder, light, axe):
    tab = opened(light, folder, "search.html")
    tab.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"data:,\"><p style=\"color:#ccc\">pale</p>')"
    )
    found = " ".join(axe(tab))
    assert "image-alt" in found and "color-contrast" in found


def test_search_by_keyboard_alone(folder, tabs):
    tab = opened(tabs(), folder, "index.html")
    for _ in range(4):  # past the link to the text, the course's name and the names
        tab.keyboard.press("Tab")
    tab.keyboard.type("thermostat book")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('#found li')")
    assert "“thermostat book”" in tab.inner_text("#said")
    links = [link.get_attribute("href") for link in tab.query_selector_all("#found a")]
    assert "01_agent_types.html#Reflex" in links
    for _ in range(6):  # the link to the text, the course's name, the names, the field and its button
        tab.keyboard.press("Tab")
    assert tab.evaluate("!!document.activeElement.closest('#found li')")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/0*.html*")
    assert "thermostat" in tab.inner_text("main").lower()


@pytest.mark.parametrize(
    "query, said", [("zzzxq", "0 sections have “zzzxq”."), ("(?<", "0 sections"), ("<b>x", "0 sections")]
)
def test_search_without_a_find_says_so(query, said, folder, tabs):
    tab = opened(tabs(), folder, "search.html")
    tab.fill("#q", query)
    assert said in tab.inner_text("#said") and not tab.query_selector("#found li")


def test_a_beginning_of_a_word_and_a_heading_come_first(folder, light):
    tab = opened(light, folder, "search.html")
    tab.fill("#q", "quantiz")
    assert tab.inner_text("#found li:first-child a").startswith("03 Quantization")


def test_figures_are_drawn_and_stand_still(folder, light):
    tab = opened(light, folder, FILES[2])
    plots = tab.query_selector_all(".plot")
    assert plots and all(plot.query_selector(".main-svg") for plot in plots)
    assert not tab.query_selector_all(".modebar-btn, .updatemenu-button, .slider-group")


@pytest.mark.parametrize("width, dark", [(WINDOW, False), (WINDOW, True), (PHONE, False)])
def test_pictures_for_a_person(width, dark, folder, tabs, artifacts):
    tab = tabs(width, dark)
    for name in (FILES[0], FILES[2], FILES[3]):
        opened(tab, folder, name)
        picture = artifacts / f"site-{name.removesuffix('.html')}-{'dark' if dark else 'light'}-{width}.png"
        tab.screenshot(path=picture, full_page=False)
        assert picture.stat().st_size > 5000
