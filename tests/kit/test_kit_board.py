"""Thirty reports and exports on one board: who can run what, what is wrong, who is how far."""

from __future__ import annotations

import json

import pytest
from test_cli import run

from labkit import course, doctor
from labkit.errors import KitError
from labkit.kit import documents
from labkit.kit.board import board, spans
from labkit.kit.board_page import page, text
from labkit.kit.report import machine_report

IDS = [row.id for row in course.lessons()]


@pytest.fixture(scope="module")
def machine() -> dict:
    return machine_report(doctor.report())


def entry(status="right", hints=0, solution=False) -> dict:
    return {"status": status, "checks": 1, "hints": hints, "solution": solution, "updated": "2026-11-23T10:00:00+00:00"}


@pytest.fixture
def room(tmp_path, machine):
    """Give a folder with thirty machines, where every third lacks memory for one lesson, and two learners."""
    for number in range(30):
        stuck = number % 3 == 0
        rows = [
            {"id": one, "runs": not (stuck and one == "07"), "live": one != "06" and not (stuck and one == "07")}
            for one in IDS
        ]
        one = {**machine, "lessons": rows, "problems": ["lesson 07 does not run: memory"] if stuck else []}
        documents.write(tmp_path / f"desk-{number:02}.json", documents.MACHINE, one)
    exercises = {f"00.{number}": entry(hints=number) for number in range(1, 7)} | {
        "01.1": entry("wrong", solution=True)
    }
    documents.write(tmp_path / "quick.json", documents.PROGRESS, {"exercises": exercises, "answers": {"00.1": "x = 1"}})
    documents.write(tmp_path / "begun.json", documents.PROGRESS, {"exercises": {"00.1": entry()}})
    return tmp_path


def test_thirty_machines_at_a_glance(room):
    found = board([room])
    assert [one.name for one in found.machines] == [f"desk-{number:02}" for number in range(30)]
    assert "07" not in found.machines[0].lessons and "07" in found.machines[1].lessons
    assert all(one.replayed == ("06",) for one in found.machines)
    (problem, names), *rest = found.problems
    assert problem == "lesson 07 does not run: memory" and len(names) == 10 and not rest
    run_on = {row[0]: row[3] for row in found.lessons}
    assert run_on["07"] == 20 and run_on["06"] == run_on["00"] == 30
    said = text(found)
    assert "desk-29" in said and "20 of 30" in said and "and 4 more" in said


def test_learners_are_on_the_same_board(room):
    begun, quick = board([room]).learners
    assert (quick.right, quick.hints, quick.solutions, quick.answers) == ({"00": 6}, 21, 1, 1)
    assert begun.right == {"00": 1}
    assert {row[0]: row[4] for row in board([room]).lessons}["00"] == 1, "one of the two has all of lesson 00"


def test_what_cannot_be_read_is_named_and_stops_nothing(room):
    (room / "cut.json").write_text('{"kind": "labkit machine", "lab')
    (room / "new.json").write_text('{"kind": "labkit machine", "format": 99, "labkit": "9.1"}')
    found = board([room, room / "gone.json"])
    assert len(found.machines) == 30 and len(found.unread) == 3
    assert "cut.json" in text(found) and "labkit 9.1" in text(found) and "gone.json" in page(found)
    with pytest.raises(KitError, match="nothing for a board"):
        board([room / "cut.json"])


def test_files_of_one_name_keep_apart_and_what_they_say_is_never_markup(tmp_path, machine):
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
        bad = {**machine, "problems": ["<script>alert(1)</script> \x1b[31mred"]}
        documents.write(tmp_path / folder / "desk.json", documents.MACHINE, bad)
    found = board([tmp_path / "monday", tmp_path / "tuesday"])
    assert [one.name for one in found.machines] == ["monday/desk", "tuesday/desk"]
    assert "<script>" not in page(found) and "&lt;script&gt;" in page(found) and "\x1b" not in text(found)


def test_spans_follow_the_reading_order():
    assert spans(["00", "01", "02", "06"]) == "00-02 06" and spans([]) == "" and spans(["unknown"]) == ""
    last = IDS[-1]
    assert spans([last, IDS[-2]]) == f"{IDS[-2]}-{last}"


def test_the_command(room, tmp_path):
    done = run("kit", "board", room, "--html", tmp_path / "board.html", "--json")
    found = json.loads(done.stdout)
    assert len(found["machines"]) == 30 and found["lessons"][0].keys() == {
        "id",
        "title",
        "exercises",
        "machines",
        "learners",
    }
    assert "<caption>Machines</caption>" in (tmp_path / "board.html").read_text(encoding="utf-8")
    assert "Learners" in run("kit", "board", room / "desk-01.json", room / "quick.json").stdout
