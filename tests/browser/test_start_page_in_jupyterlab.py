"""The start page in a real JupyterLab: rendered, its link opens the lesson, and an exercise checked there shows on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab_page import LabPage, LabServer

from labkit import course, lab
from labkit.exercises import start_page

PAGE, ROW = ".jp-MarkdownViewer", "table tbody tr:nth-child({number})"
RIGHT = 'from labkit import exercise; exercise("00.1").check(lambda parameters, bits: parameters * bits / 8)'


@pytest.fixture
def course_lab(browser, tmp_path, monkeypatch) -> Iterator[LabPage]:
    """Give a tab on a course of its own, laid out and opened as `labkit lab` does, with nothing done yet."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    folder = tmp_path / "my-course"
    course.lay_out(folder)
    start_page.place(folder)
    server = LabServer(folder, tmp_path / "jupyter")
    server.start()
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = LabPage(context.new_page(), server)
    (opens_at,) = [one.partition("=")[2] for one in lab.command(folder) if "default_url" in one]
    page.page.goto(f"{server.url}{opens_at}?token={server.token}&reset")
    yield page
    context.close()
    server.stop()


def row(tab, number: int) -> str:
    return tab.locator(PAGE).locator(ROW.format(number=number + 1)).inner_text()


def test_the_start_page_opens_a_lesson_and_follows_an_exercise(course_lab, artifacts):
    tab = course_lab.page
    tab.locator(PAGE).get_by_role("heading", name="AI agents on small language models").wait_for(timeout=60_000)
    assert tab.locator(".jp-FileEditor").count() == 0, "rendered, not as Markdown"
    assert tab.locator(PAGE).locator("tbody tr").count() == len(course.lessons())
    assert "0 of 6" in row(tab, 0)

    tab.locator(PAGE).get_by_role("link", name="00 Start here").first.click()
    tab.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.context?.path === '00_start_here.ipynb'", timeout=60_000
    )
    tab.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
    )
    course_lab.run_hidden(RIGHT)
    course_lab.wait_idle()

    tab.get_by_role("tab", name=start_page.START).click()
    tab.get_by_role("menuitem", name="File", exact=True).click()
    tab.get_by_role("menuitem", name="Reload Markdown File from Disk").click()
    tab.locator(PAGE).get_by_text("1 of 6").wait_for(timeout=30_000)
    assert "●○○○○○" in row(tab, 0)
    tab.screenshot(path=str(artifacts / "start-page.png"))
    assert course_lab.complaints == []
