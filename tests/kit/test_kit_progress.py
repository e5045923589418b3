"""A learner's own board, and what leaves the machine when it is exported."""

from __future__ import annotations

import json

import pytest
from test_cli import run

from labkit import course
from labkit.errors import KitError
from labkit.exercises.journal import record
from labkit.kit import documents
from labkit.kit.lessons import listing
from labkit.kit.progress import answers_in, by_lesson, export, text


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def exercise_all(lesson: str, verdict: str) -> None:
    for number in range(1, course.lesson_by_id(lesson).exercises + 1):
        record(f"{lesson}.{number}", verdict=verdict)


def test_sixty_exercises_and_more_are_on_it_and_none_is_done():
    rows = by_lesson()
    assert [row.id for row in rows] == [lesson.id for lesson in course.lessons()]
    assert sum(row.exercises for row in rows) >= 60 and not any(row.right or row.tried or row.done for row in rows)
    assert "Next: lesson 00" in text(rows)


def test_right_tried_hints_and_solutions_are_told_apart():
    exercise_all("00", "right")
    record("01.1", verdict="wrong")
    record("01.2", verdict="not attempted")
    record("01.3", hint=2)
    record("01.3", solution=True)
    first, second, *_ = by_lesson()
    assert first.done and first.right == first.exercises and first.updated
    assert (second.right, second.tried, second.hints, second.solutions, second.done) == (0, 1, 2, 1, False)
    said = text(by_lesson())
    assert "##########" in said and "1 tried, 2 hints, 1 solutions seen" in said and "Next: lesson 01" in said
    assert [row["right"] for row in listing()][:2] == [first.exercises, 0]


def test_an_export_holds_verdicts_and_times_and_no_answers(tmp_path):
    record("00.1", verdict="right")
    kind, found = documents.read(export(tmp_path / "out" / "desk.json"))
    assert kind == documents.PROGRESS and found["exercises"].keys() == {"00.1"} and "answers" not in found
    assert found["exercises"]["00.1"].keys() == {"status", "checks", "hints", "solution", "updated"}


def notebook(path, *sources) -> None:
    cells = [{"cell_type": "code", "source": one.splitlines(keepends=True), "metadata": {}} for one in sources]
    path.write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": ["# Notes"]}, *cells], "nbformat": 4}))


def test_answers_come_from_the_notebooks_if_asked_for(tmp_path):
    opened, answer = 'ex = exercise("00.1")\nex', "def size(n, bits):\n    return n * bits / 8\n\n\nex.check(size)"
    notebook(
        tmp_path / "00.ipynb", "ex.check(0)", opened, answer, "later = ex.check(size)", "exercise('00.2')", "x = 1"
    )
    assert answers_in(tmp_path) == {"00.1": answer}
    _, found = documents.read(export(tmp_path / "desk.json", answers=tmp_path))
    assert found["answers"] == {"00.1": answer}


def test_every_exercise_of_the_shipped_notebooks_is_found():
    from labkit import paths
    from labkit.exercises import banks

    shipped = {one.id for lesson in course.lessons() for one in banks.bank(lesson.id)}
    assert answers_in(paths.notebooks_dir()).keys() == shipped


def test_a_folder_without_notebooks_and_a_broken_one_are_named(tmp_path):
    with pytest.raises(KitError, match="no notebooks"):
        answers_in(tmp_path)
    (tmp_path / "mine.ipynb").write_text('{"cells": [')
    with pytest.raises(KitError, match=r"mine\.ipynb"):
        answers_in(tmp_path)


def test_a_broken_record_loses_nothing(home):
    home.mkdir(parents=True)
    (home / "progress.json").write_text('{"exercises": {"00.1": {"sta')
    with pytest.warns(UserWarning, match="kept as"):
        assert by_lesson()[0].right == 0
    assert (home / "progress.broken-1.json").read_text() == '{"exercises": {"00.1": {"sta'


def test_the_command_says_so_in_a_line(home):
    home.mkdir(parents=True)
    (home / "progress.json").write_text('{"exercises": {"00.1": {"sta')
    said = run("progress", env={"LABKIT_HOME": str(home)})
    assert said.returncode == 0 and said.stderr.count("\n") == 1
    assert said.stderr == "The record of your progress could not be read; it is kept as progress.broken-1.json\n"


def test_the_commands(home, tmp_path):
    record("00.1", verdict="right")
    env = {"LABKIT_HOME": str(home)}
    assert "1 of 6" in run("lessons", env=env).stdout
    said = run("progress", "--export", tmp_path / "desk.json", env=env).stdout
    assert "no answers" in said and documents.read(tmp_path / "desk.json")[0] == documents.PROGRESS
