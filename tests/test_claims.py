"""The table of claims is whole, verdicts follow from figures, and measurements survive."""

import json
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import claims, course
from labkit.claims import Claim
from labkit.errors import ConfigError
from labkit.widgets.claims_table import claims_html, claims_table, claims_text


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("one", claims.claims(), ids=lambda one: one.id)
def test_every_claim_is_testable_or_says_why_not(one):
    assert one.says.endswith(".") and one.section
    assert bool(one.untestable) != bool(one.how), "either a test or a reason"
    assert bool(one.how) == bool(one.lesson)
    assert one.low is not None or one.high is not None
    assert one.low is None or one.high is None or one.low <= one.high
    assert one.tolerance >= 0 and one.figure
    assert not one.source or one.correction or one.untestable or one.source in ("sum", "W15", "W16")


def test_there_are_enough_to_check_a_textbook():
    assert len(claims.claims()) >= 50
    assert sum(not one.untestable for one in claims.claims()) >= 25


def test_lessons_that_exist_measure_what_they_promise():
    known = {one.id: one for one in course.lessons()}
    for one in claims.claims():
        if one.lesson in known and known[one.lesson].path.is_file():
            assert one.id in known[one.lesson].path.read_text(encoding="utf-8"), f"lesson {one.lesson} forgets {one.id}"


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (10, 0, claims.HOLDS), (30, 0, claims.HOLDS), (9.9, 0, claims.FAILS), (9.9, 0.2, claims.NEAR),
        (31, 0.5, claims.FAILS), (31, 1, claims.NEAR),
    ],
)  # fmt: skip
def test_a_verdict_counts_the_error_bar(value, error, verdict):
    assert claims.measured("cost-10-30", value, error=error).verdict == verdict


def test_open_sides_and_tolerance():
    assert Claim("a", "", "", high=1).meets(-5) and not Claim("a", "", "", high=1).meets(1.01)
    assert Claim("a", "", "", low=1).meets(5) and not Claim("a", "", "", low=1).meets(0.99)
    assert Claim("a", "", "", low=50, high=50, tolerance=5).meets(54.9)
    assert not Claim("a", "", "", low=50, high=50, tolerance=5).meets(55.1)


@given(value=st.floats(-1e6, 1e6), error=st.floats(0, 1e6), more=st.floats(0, 1e6))
def test_a_wider_error_never_turns_holds_into_fails(value, error, more):
    one = Claim("a", "", "", low=-10, high=10)
    assert not one.meets(value, error) or one.meets(value, error + more)


def test_the_latest_measurement_is_kept_with_its_label(home):
    endpoint = SimpleNamespace(backend="llamacpp", engine_version="1.2", model="smollm2-135m", replayed="")
    claims.measured("q8_0-half", 60)
    claims.measured("q8_0-half", 53.5, error=0.2, n=3, endpoint=endpoint)
    stored = json.loads((home / "claims.json").read_text())["claims"]["q8_0-half"]
    assert stored["value"] == 53.5 and stored["n"] == 3 and stored["unit"] == "%"
    assert stored["engine"] == "llamacpp 1.2" and "cores of" in stored["machine"] and stored["date"] > "2026"
    found = {one.claim.id: one for one in claims.results()}
    assert found["q8_0-half"].verdict == claims.HOLDS
    assert found["agents-by-2027"].verdict == claims.UNTESTABLE
    assert found["q4_0-smaller"].verdict == claims.OPEN
    claims.forget()
    assert claims.results()[1].measurement is None


def test_a_replayed_figure_is_shown_and_not_kept(home):
    endpoint = SimpleNamespace(
        backend="vllm", engine_version="1", model="m", replayed="replayed: recorded on 2026-11-22"
    )
    found = claims.measured("vllm-start-60s", 120, endpoint=endpoint)
    assert found.verdict == claims.FAILS and "recorded" in found.measurement.machine
    assert "· recorded, elsewhere: 120 s · doesn't hold there" in str(found)
    assert not (home / "claims.json").exists()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_figure_is_refused(value):
    with pytest.raises(ConfigError, match="finite"):
        claims.measured("q8_0-half", value)


def test_unknown_and_untestable_claims_are_refused():
    with pytest.raises(ConfigError, match="did you mean 'q8_0-half'"):
        claims.measured("q8_0-halve", 1)
    with pytest.raises(ConfigError, match="forecast"):
        claims.measured("agents-by-2027", 50)


def test_a_damaged_record_is_set_aside(home):
    (home / "claims.json").write_text('{"claims": {"q8_0-half": {"stars": 5}}}')
    with pytest.warns(UserWarning, match="claims.broken-1.json"):
        assert claims.results()[0].measurement is None
    assert (home / "claims.broken-1.json").exists()


def test_figures_show_their_error_with_its_digits():
    assert claims.measured("q8_0-half", 53.517, error=0.24).measurement.figure == "53.52 ± 0.24 %"
    assert claims.measured("q2_k-500mb", 88.4).measurement.figure == "88.4 MB"


def test_table_in_three_forms():
    claims.measured("q8_0-half", 53.5, n=3)
    table = claims_table(lesson="03")
    assert "53.5 %" in table.text and "53.5 %" in table.html and "labkit-wide" in table.html
    assert "agents-by-2027" not in table.text and "1 holds here" in table.text
    assert "<script" not in claims_html() and "agents-by-2027" in claims_text()


def test_the_command(home):
    run = [sys.executable, "-m", "labkit.cli", "claims"]
    rows = json.loads(subprocess.run([*run, "--json"], capture_output=True, text=True, check=True).stdout)
    assert len(rows) == len(claims.claims()) and all(row["verdict"] for row in rows)
    assert "Measured in lesson 03" in subprocess.run(run, capture_output=True, text=True, check=True).stdout
