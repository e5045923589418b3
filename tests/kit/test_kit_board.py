"""Thirty reports and exports on one board: who can run what, what is wrong, who is how far."""

from __future__ import annotations

import json

import pytest
import small_room
from test_cli import run

from labkit import course, doctor
from labkit.errors import KitError
from labkit.kit import documents
from labkit.kit.board import board, spans
from labkit.kit.board_page import glance, page, text
from labkit.kit.report import machine_report

IDS = [row.id for row in course.lessons()]


@pytest.fixture(scope="module")
def machine() -> dict:
    return machine_report(doctor.report())


def entry(status="right", hints=0, solution=False) -> dict:
    return {"status": status, "checks": 1, "hints": hints, "solution": solution, "updated": "2026-11-23T10:00:00+00:00"}


@pytest.fixture
def room(tmp_path, machine):
    """Give a folder with thirty machines and two learners."""
    small_room.write(tmp_path, machine)
    exercises = {f"00.{number}": entry(hints=number) for number in range(1, 7)} | {
        "01.1": entry("wrong", solution=True)
    }
    documents.write(tmp_path / "quick.json", documents.PROGRESS, {"exercises": exercises, "answers": {"00.1": "x = 1"}})
    documents.write(tmp_path / "begun.json", documents.PROGRESS, {"exercises": {"00.1": entry()}})
    return tmp_path


def test_thirty_machines_at_a_glance(room):
    found = board([room])
    assert [one.name for one in found.machines] == [f"desk-{number:02}" for number in range(1, 31)]
    troubled = [one.name for one in found.machines if one.problems]
    assert troubled == [f"desk-{number:02}" for number in (3, 6, 7, 11, 14, 19, 23, 28)]
    assert found.machines[0].system == "Windows AMD64" and found.machines[1].system == "macOS arm64"
    assert glance(found).startswith("Machines ready: 22 of 30. Lessons that run on every one: ")
    run_on = {row[0]: row[3] for row in found.lessons}
    assert run_on["00"] == 29 and run_on["07"] == 26, "one has no engine, three more lack memory for vLLM's lesson"
    said = text(found)
    assert "desk-30" in said and "26 of 30" in said and said.startswith("Machines ready: 22 of 30.")


def test_a_problem_of_several_machines_is_one_whatever_memory_was_free_just_then(room):
    problems = dict(board([room]).problems)
    memory = course.lesson_by_id("07").memory_gb
    assert problems[f"lesson 07 does not run: needs {memory:g} GB of memory"] == ("desk-06", "desk-14", "desk-23")
    assert problems["labkit is older than 0.1.0, which others have"] == ("desk-19",)
    assert [len(names) for names in problems.values()] == sorted(map(len, problems.values()), reverse=True)


def test_the_page_shows_how_every_lesson_runs_everywhere(room):
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(page(board([room])), "html.parser")
    (machines,) = [one for one in soup.select("table") if one.caption.text.startswith("Machines")]
    rows = {row.th.text: row for row in machines.select("tbody tr")}
    signs = {name: [cell.text for cell in row.select("td.lesson")] for name, row in rows.items()}
    assert len(rows) == 30 and all(len(row) == len(IDS) for row in signs.values())
    assert signs["desk-06"][IDS.index("07")] == "–" and signs["desk-01"][IDS.index("07")] == "○"
    assert signs["desk-11"] == ["–"] * len(IDS) and signs["desk-01"][0] == "●"
    assert rows["desk-06"]["class"] == ["trouble"] and not rows["desk-01"].get("class")
    assert not soup.select("script, link[rel=stylesheet], img"), "it is one file"


def test_learners_are_on_the_same_board(room):
    begun, quick = board([room]).learners
    assert (quick.right, quick.hints, quick.solutions, quick.answers) == ({"00": 6}, 21, 1, 1)
    assert begun.right == {"00": 1} and "Learners with an exercise right: 2 of 2." in glance(board([room]))
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
    assert "<caption>Machines" in (tmp_path / "board.html").read_text(encoding="utf-8")
    (tmp_path / "board.html").rename(tmp_path / "kept.html")
    refused = run("kit", "board", room, "--html", tmp_path / "kept.html" / "board.html")
    assert refused.returncode == 2 and "kept.html" in refused.stderr and "Traceback" not in refused.stderr
    some = run("kit", "board", room / "desk-01.json", room / "quick.json").stdout
    assert "Learners" in some and some.startswith("Machines ready: 1 of 1.")
