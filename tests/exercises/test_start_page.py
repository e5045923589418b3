"""START.md: what it says, when it is written again, and that a learner's own page is never written over."""

import json
import os
import re
import warnings
from pathlib import Path

import pytest

from labkit import course, lab, paths
from labkit._layout import MANIFEST
from labkit.errors import CourseError
from labkit.exercises import start_page
from labkit.exercises.banks import find
from labkit.exercises.journal import record
from labkit.exercises.session import Session
from labkit.exercises.start_page import START


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """Give the learner's folder, where a notebook's kernel would run; nothing is done yet."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    return tmp_path / "mine"


def session(exercise_id: str = "00.1") -> Session:
    """Give an exercise as a kernel would, without the cache that `labkit.exercise` has."""
    return Session(find(exercise_id))


def solve(one: Session) -> None:
    """Check the exercise's own solution."""
    space = {}
    exec(one.exercise.solution, space)
    assert one.check(*(space[name] for name in one.exercise.names)).status == "right"


def line(lesson: str) -> str:
    (found,) = [
        row for row in (Path(START)).read_text(encoding="utf-8").splitlines() if row.startswith(f"| **[{lesson}")
    ]
    return found


def test_it_lists_every_lesson_and_each_link_leads_to_a_notebook_beside_it(folder):
    course.lay_out(folder)
    start_page.place(folder)
    page = (folder / START).read_text(encoding="utf-8")
    for lesson in course.lessons():
        assert lesson.title in line(lesson.id) and lesson.promise in line(lesson.id)
        assert f"| {lesson.minutes} |" in line(lesson.id) and f"0 of {lesson.exercises} |" in line(lesson.id)
        assert (", ".join(lesson.needs) or "–") in line(lesson.id).split(" | ")[2]
    links = re.findall(r"\]\(([^)]+)\)", page)
    assert len(links) == len(course.lessons()) + 1 and all((folder / link).is_file() for link in links)


def test_it_follows_each_check_in_its_folder(folder):
    start_page.place(folder)
    one = session()
    one.check(...)
    assert "○○○○○○<br>0 of 6" in line("00") and "**0 of" in Path(START).read_text(encoding="utf-8")
    one.check("not it")
    assert "◐○○○○○<br>0 of 6" in line("00")
    solve(one)
    assert "●○○○○○<br>1 of 6" in line("00")
    page = Path(START).read_text(encoding="utf-8")
    assert "**1 of" in page and "**Next: [00 Start here](00_start_here.ipynb)**, go on." in page


def test_what_comes_next_is_the_first_lesson_that_is_not_done():
    for lesson in course.lessons():
        assert f"**Next: [{lesson.id} {lesson.title}]({lesson.file})**" in start_page.text()
        for number in range(1, lesson.exercises + 1):
            record(f"{lesson.id}.{number}", verdict="right")
    assert "**All done.**" in start_page.text() and "Next" not in start_page.text()


@pytest.mark.parametrize("whose", ["the learner's own", "labkit's, edited"])
def test_a_page_of_the_learners_is_never_written_over(whose, folder):
    if whose != "the learner's own":
        start_page.place(folder)
    mine = folder / START
    mine.write_text("my notes", encoding="utf-8")
    assert start_page.place(folder).kept == [mine]
    solve(session())
    assert mine.read_text(encoding="utf-8") == "my notes" and not start_page.is_ours(folder)
    assert sorted(path.name for path in folder.iterdir() if path.name != MANIFEST) == [START]


@pytest.mark.parametrize("manifest", ["{broken", "[]", '{"START.md": 7}'])
def test_without_its_memory_labkit_takes_the_page_for_the_learners(manifest, folder):
    start_page.place(folder)
    (folder / MANIFEST).write_text(manifest, encoding="utf-8")
    before = (folder / START).read_bytes()
    solve(session())
    assert (folder / START).read_bytes() == before


def test_a_folder_without_the_page_gets_none_from_a_check(folder):
    solve(session())
    assert list(folder.iterdir()) == []
    start_page.place(folder)
    (folder / START).unlink()  # whoever deletes it does not want it, until the next `labkit lab`
    solve(session())
    assert not (folder / START).exists()
    assert [path.name for path in start_page.place(folder).written] == [START]


def test_the_shipped_notebooks_get_no_page():
    before = sorted(paths.notebooks_dir().iterdir())
    assert start_page.place(paths.notebooks_dir()) == course.LaidOut()
    assert sorted(paths.notebooks_dir().iterdir()) == before


def test_a_folder_that_cannot_be_written_costs_a_warning_and_no_check(folder, monkeypatch):
    start_page.place(folder)
    (folder / f"{START}.tmp").mkdir()  # where the new page would be written first; works as root too
    one = session()
    with pytest.warns(UserWarning, match=r"START\.md was not brought up to date"):
        solve(one)
    with pytest.raises(CourseError, match="labkit lab"):
        start_page.place(folder)


def test_laying_out_again_keeps_both_the_notebooks_and_the_page_in_mind(folder):
    course.lay_out(folder)
    start_page.place(folder)
    assert json.loads((folder / MANIFEST).read_text()).keys() == {START, *(one.file for one in course.lessons())}
    assert course.lay_out(folder) == course.LaidOut() == start_page.place(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solve(session())
    assert [path.name for path in folder.glob("*.lock")] == [] and start_page.is_ours(folder)


def test_jupyterlab_opens_it_only_if_it_is_ours(folder):
    course.lay_out(folder)
    assert "default_url=/lab/tree/00_start_here.ipynb" in " ".join(lab.command(folder))
    start_page.place(folder)
    assert "default_url=/lab/tree/START.md" in " ".join(lab.command(folder))
    (folder / START).write_text("mine", encoding="utf-8")
    assert "default_url=/lab/tree/00_start_here.ipynb" in " ".join(lab.command(folder))


def test_markdown_opens_rendered_below_the_users_own_settings(monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/theirs")
    theirs, ours = lab.environment()["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    (settings,) = Path(ours, "labconfig").glob("*.json")
    assert theirs == "/theirs" and settings.name == "default_setting_overrides.json"
    assert "Markdown Preview" in settings.read_text(encoding="utf-8")
