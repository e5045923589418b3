"""A machine's report says what runs and what is wrong, and nobody's name or folder."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from test_cli import run

from labkit import doctor
from labkit.errors import KitError
from labkit.kit import documents
from labkit.kit.report import machine_report, without_names


@pytest.fixture(scope="module")
def found() -> dict:
    return doctor.report()


@pytest.fixture
def anna(tmp_path, monkeypatch):
    """Give a person with a blank in her folder's name, who is logged in here."""
    home = tmp_path / "Anna Bell"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "annabell")
    monkeypatch.setenv("LABKIT_HOME", str(home / "cache of mine"))
    return home


def test_a_report_has_what_a_board_needs(found, tmp_path):
    path = documents.write(tmp_path / "desk.json", documents.MACHINE, machine_report(found))
    kind, read = documents.read(path)
    assert kind == documents.MACHINE and read["machine"]["cores_usable"] == found["machine"]["cores_usable"]["value"]
    assert [one["id"] for one in read["lessons"]] == [one["id"] for one in found["lessons"]]
    assert {one for one, here in read["engines"].items() if here["ok"]} == {
        one for one, here in found["engines"].items() if here["ok"]
    }


def test_a_lesson_that_replays_does_not_count_as_live_and_one_that_cannot_run_is_a_problem(found):
    changed = copy.deepcopy(found)
    changed["lessons"][0] |= {"runs": True, "replayed": "a recording of May"}
    changed["lessons"][1] |= {"runs": False, "replayed": "", "reason": "needs 64 GB of memory, 8.0 GB are free"}
    report = machine_report(changed)
    assert report["lessons"][0] == {"id": "00", "runs": True, "live": False}
    assert "lesson 01 does not run: needs 64 GB of memory, 8.0 GB are free" in report["problems"]


def test_names_and_folders_are_gone_whatever_said_them(found, anna):
    changed = copy.deepcopy(found)
    changed["advice"] = [
        f"The engine in {anna}/.ollama/models does not start. Try: {anna}/bin/ollama serve",
        r"Cannot read C:\Users\annabell\AppData\labkit\progress.json",
        "annabell may not write to /media/annabell/STICK",
        "See https://ollama.com/download and bind it to 127.0.0.1:11434",
    ]
    changed["lessons"][0] |= {"runs": False, "reason": f"no file {anna}/cache of mine/weights"}
    changed["machine"]["disk_free_bytes"]["source"] = f"shutil.disk_usage of {anna}"
    said = json.dumps(machine_report(changed))
    assert not re.search(r"anna|bell|Users|STICK|cache of mine", said, re.I)
    assert "https://ollama.com/download" in said and "127.0.0.1:11434" in said and "progress.json" not in said


def test_ordinary_words_stay():
    kept = "needs 2.0 GB of memory, 1.5 GB are free; llamacpp/vllm or 4/5. Try: labkit pull smollm2-135m"
    assert without_names(kept) == kept


def test_doctor_writes_it_for_real(anna):
    path = anna / "desk-07.json"
    done = run("doctor", "--report", path, "--json", env={"HOME": str(anna), "USER": "annabell"})
    assert done.returncode == 0 and json.loads(done.stdout)["labkit"]
    text = path.read_text(encoding="utf-8")
    assert documents.read(path)[0] == documents.MACHINE
    assert "annabell" not in text.lower() and "Anna Bell" not in text and str(Path.cwd()) not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no JSON"),
        (b'{"kind": "labkit machi', "no JSON"),
        (b"[1]", "no report"),
        (b'{"kind": "labkit machine", "format": 2, "labkit": "9.0"}', "newer format"),
        (b'{"kind": "labkit machine", "format": 1}', "damaged"),
        (
            b'{"kind": "labkit progress", "format": 1, "labkit": "0", "written": "", "exercises": {"00.1": 7}}',
            "damaged",
        ),
        (b"[" * 100_000, "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b" " * 6_000_000, "too large"),
    ],
)
def test_a_file_that_is_no_report_is_refused_in_words(tmp_path, content, words):
    (tmp_path / "desk.json").write_bytes(content)
    with pytest.raises(KitError, match=words) as caught:
        documents.read(tmp_path / "desk.json")
    assert "desk.json" in caught.value.what and caught.value.fix
