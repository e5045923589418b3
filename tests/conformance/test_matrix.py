"""What is kept of a run, and how the matrix shows it. No engine is needed."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys

import pytest

from labkit import conformance
from labkit.backends import BACKENDS, Capability
from labkit.conformance import parity, results
from labkit.conformance.reference import Answer, Step
from labkit.errors import UnknownBackend


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Nothing measured here, nothing shipped but the reasons."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "expected.toml").write_text(
        '[ollama]\nwrong_key = "Ollama knows no keys: whoever reaches it can use it."\n'
    )
    monkeypatch.setattr(results, "shipped_dir", lambda: shipped)
    return shipped


def result(engine="ollama", **noes) -> conformance.Result:
    checks = {check.name: Capability(True, "seen") for check in conformance.CHECKS}
    checks |= {name: Capability(*seen) for name, seen in noes.items()}
    return conformance.Result(engine, "1.2.3", "smollm2-135m", "2 cores of X", "2026-11-22", 60.0, checks, {})


def test_a_result_is_read_back_as_it_was_written(empty):
    kept = result(wrong_key=(False, "answered"), cancel=(None, "not ours"))
    conformance.store(kept)
    assert conformance.latest("ollama") == kept


def test_this_machines_own_result_comes_before_the_shipped_one(empty):
    conformance.store(result(), empty)
    assert "measured on another machine on 2026-11-22, 2 cores of X" in str(conformance.matrix("ollama"))
    conformance.store(result())
    assert "measured here on 2026-11-22" in str(conformance.matrix("ollama"))


@pytest.mark.parametrize("text", ["", "{half", "[]", '{"checks": {}}', '{"checks": {"stop": 3}}'])
def test_a_damaged_result_counts_as_none(empty, text):
    path = conformance.store(result())
    path.write_text(text)
    assert conformance.latest("ollama") is None


def test_a_result_of_another_set_of_checks_counts_as_none(empty):
    path = conformance.store(result())
    stored = json.loads(path.read_text())
    del stored["checks"]["stop"]
    path.write_text(json.dumps(stored))
    assert conformance.latest("ollama") is None


def test_the_table_is_readable_at_100_columns(empty):
    for name in BACKENDS:
        conformance.store(result(name, wrong_key=(False, "answered as if nothing were wrong " * 9)))
    text = str(conformance.matrix())
    assert max(map(len, text.splitlines())) <= 100
    for check in conformance.CHECKS:
        assert text.count(f"\n{check.title}  ") == 1, check.title


def test_a_no_shows_what_was_seen_and_why(empty):
    conformance.store(result(wrong_key=(False, "answered"), cancel=(None, "not ours")))
    shown = conformance.matrix("ollama")
    assert [shown.cell("ollama", name) for name in ("stop", "wrong_key", "cancel")] == ["yes", "no", "—"]
    for form in (str(shown), shown._repr_markdown_()):
        assert "answered. Ollama knows no keys" in " ".join(form.split()) and "not ours" in form
    checks = shown.to_dict()["ollama"]["checks"]
    assert checks["wrong_key"]["why"].startswith("Ollama knows") and "why" not in checks["stop"]


def test_markdown_cannot_be_broken_by_what_was_seen(empty):
    conformance.store(result(stop=(False, "a | <b> \n c")))
    assert "a \\| &lt;b>   c" in conformance.matrix("ollama")._repr_markdown_()


def test_an_engine_that_was_never_measured_says_how(empty):
    text = str(conformance.matrix("llamacpp"))
    assert "never measured" in text and "yes" not in text
    found = conformance.matrix("llamacpp").to_dict()["llamacpp"]
    assert not found["measured"] and found["how"]


def test_an_unknown_engine(empty):
    with pytest.raises(UnknownBackend):
        conformance.matrix("lamacpp")


def test_the_command(tmp_path):
    def labkit(*arguments):
        command = [sys.executable, "-m", "labkit.cli", "backends", *arguments]
        env = {**os.environ, "LABKIT_HOME": str(tmp_path), "COLUMNS": "100", "NO_COLOR": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)

    found = json.loads(labkit("--json").stdout)
    assert list(found) == list(BACKENDS)
    for one in found.values():
        assert one["measured"] is False or (not one["here"] and "another machine" in one["source"])
    wrong = labkit("lamacpp")
    assert wrong.returncode == 2 and "UnknownBackend" in wrong.stderr
    assert "labkit backends ollama --measure" in labkit("--help").stdout


# -- where two answers part ---------------------------------------------------------------------------------------------


def step(token: str, **chances: float) -> Step:
    return Step(token.encode(), tuple((name.encode(), math.log(chance)) for name, chance in chances.items()))


KNOWN = Answer(5, "One two", (step("One", One=0.9, Two=0.05), step(" two", **{" two": 0.4, " three": 0.36, "": 0.1})))


@pytest.mark.parametrize(
    ("text", "at", "tie", "words"),
    [
        ("One three", 1, True, "40% against 36%: a near tie"),
        ("Two two", 0, False, "90% against 5%: too far apart"),
        ("One", 1, False, "here ends"),
        ("One four", 1, False, "not among llama.cpp's ten likeliest"),
        ("One two more", 2, False, "llama.cpp ends"),
    ],
)
def test_where_answers_part_and_how_sure_llamacpp_was(text, at, tie, words):
    assert parity.parting(KNOWN, text) == at
    assert parity.near_tie(KNOWN, text, at) is tie
    assert words in parity._told(KNOWN, text, at)
