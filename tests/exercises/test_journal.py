"""Progress survives restarts, rivals and broken files, and holds no answers."""

import json
import os
import subprocess
import sys
import warnings

import pytest

from labkit.exercises import journal, progress
from labkit.exercises.journal import record
from labkit.exercises.rows import read

BROKEN = {
    "empty": b"",
    "cut": b'{"exercises": {"00.1": {"sta',
    "binary": b"\xff\xfe\x00",
    "not a table": b"[1, 2]",
    "no exercises": b"{}",
    "exercises of another kind": b'{"exercises": [1]}',
    "entry of another kind": b'{"exercises": {"00.1": 7}}',
    "unknown field": b'{"exercises": {"00.1": {"stars": 5}}}',
    "unknown verdict": b'{"exercises": {"00.1": {"status": "excellent"}}}',
    "count that is a text": b'{"exercises": {"00.1": {"checks": "3"}}}',
    "too deep": b"[" * 100_000,
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


def stored(home) -> dict:
    return json.loads((home / "progress.json").read_text(encoding="utf-8"))["exercises"]


def test_events_add_up(home):
    record("00.1", verdict="wrong")
    record("00.1", hint=2)
    record("00.1", hint=1)
    record("00.1", solution=True)
    record("00.1", verdict="wrong")
    entry = stored(home)["00.1"]
    assert entry.pop("updated").endswith("+00:00")
    assert entry == {"status": "wrong", "checks": 2, "hints": 2, "solution": True}


def test_right_stays_right_when_the_stub_runs_again(home):
    for verdict in ["not attempted", "right", "wrong", "not attempted"]:
        record("00.1", verdict=verdict)
    assert stored(home)["00.1"]["status"] == "right"


def test_other_exercises_are_kept_and_no_file_is_left(home):
    record("00.2", verdict="right")
    record("00.1", verdict="wrong")
    assert list(stored(home)) == ["00.1", "00.2"]
    assert [file.name for file in home.iterdir()] == ["progress.json"]


def test_reading_writes_nothing(home):
    progress()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_set_aside(home, content):
    (home / "progress.json").write_bytes(content)
    with pytest.warns(UserWarning, match=r"kept as progress\.broken-1\.json"):
        record("00.2", verdict="right")
    assert (home / "progress.broken-1.json").read_bytes() == content
    assert list(stored(home)) == ["00.2"]


def test_a_second_broken_file_does_not_replace_the_first(home):
    for content in [b"first", b"second"]:
        (home / "progress.json").write_bytes(content)
        with pytest.warns(UserWarning):
            progress()
    assert (home / "progress.broken-1.json").read_bytes() == b"first"
    assert (home / "progress.broken-2.json").read_bytes() == b"second"


def test_a_place_that_cannot_be_written_is_a_warning(home, monkeypatch):
    (home / "file").write_text("in the way")
    monkeypatch.setenv("LABKIT_HOME", str(home / "file"))
    with pytest.warns(UserWarning, match="not saved"):
        record("00.1", verdict="right")


def test_kernels_at_once_lose_nothing(home):
    code = "import sys; from labkit.exercises.journal import record as r\nfor i in range(25): r(sys.argv[1], verdict='wrong')"
    kernels = [subprocess.Popen([sys.executable, "-c", code, f"00.{n}"], env=os.environ) for n in (1, 2, 3)]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0, 0]
    assert {key: entry["checks"] for key, entry in stored(home).items()} == {"00.1": 25, "00.2": 25, "00.3": 25}


def test_progress_lists_every_exercise_in_reading_order(monkeypatch):
    from example_bank import FILES

    monkeypatch.setattr(journal, "lessons", lambda: ["99"])
    monkeypatch.setattr(journal, "rows", lambda lesson: [read(file) for file in FILES])
    record("99.2", verdict="right")
    record("98.1", verdict="right")  # an exercise of another version of the course
    with warnings.catch_warnings(action="error"):
        rows = progress()
    assert [(row.id, row.status, row.checks) for row in rows] == [
        ("99.1", "not attempted", 0),
        ("99.2", "right", 1),
        ("99.3", "not attempted", 0),
    ]
    assert rows[1].title == "A thermostat"
