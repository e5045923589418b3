"""The listener between another benchmark and an engine: nothing is lost, nothing is added, failures pass too."""

import pytest
from scripted_stream import DROP, KEY, ROLE, end, scripted, text

from labkit.backends.base import Endpoint
from labkit.bench.check import TOLERANCE, Reading, against_timings
from labkit.bench.load import Target, run
from labkit.bench.stats import Range
from labkit.bench.tee import listening
from labkit.errors import EngineError, Refused

GOOD = [ROLE, text("Once"), 0.05, text(" upon"), end(tokens=7, prompt=40)]


def through(address):
    return Target.of(Endpoint(backend="tee", base_url=f"{address}/v1", model="m", api_key=KEY, timeout=20))


def test_both_sides_read_the_same_answer():
    with scripted(GOOD) as server, listening(server.endpoint) as (address, answers):
        (theirs,) = run(through(address), ["hello"], 1, 8)
    (ours,) = answers
    assert not ours.error and not theirs.error
    assert (ours.output_tokens, ours.prompt_tokens, ours.finish) == (7, 40, "length")
    assert (theirs.output_tokens, len(theirs.arrivals)) == (7, len(ours.arrivals)) == (7, 2)
    for mine, other in zip(ours.arrivals, theirs.arrivals, strict=True):
        assert mine <= other, "they cannot have read what was not passed on yet"
    assert theirs.sent <= ours.sent and ours.ended <= theirs.ended
    assert server.keys == [f"Bearer {KEY}"] and server.bodies[0]["messages"][0]["content"] == "hello"


def test_several_at_once_are_told_apart():
    with scripted(GOOD) as server, listening(server.endpoint) as (address, answers):
        theirs = run(through(address), ["hello"] * 6, 3, 8)
    assert len(answers) == 6 and not any(one.error for one in [*answers, *theirs])


def test_a_broken_answer_is_broken_on_both_sides():
    with scripted([text("a"), DROP]) as server, listening(server.endpoint) as (address, answers):
        (theirs,) = run(through(address), ["hello"], 1, 8)
    assert "broken off" in answers[0].error and "broken off" in theirs.error


def test_an_engine_without_timings_cannot_be_checked_by_them():
    with scripted(GOOD) as server, pytest.raises(Refused, match="does not time"):
        against_timings(server.endpoint)


def test_a_check_does_not_pass_over_a_failed_request():
    with scripted(GOOD, GOOD, [text("a"), DROP]) as server, pytest.raises(EngineError, match="requests failed"):
        against_timings(server.endpoint)


def test_readings_of_the_server_are_paired_request_by_request():
    said = {"prompt_ms": 1e-9, "prompt_n": 30, "cache_n": 10, "predicted_n": 7, "predicted_ms": 600.0,
            "predicted_per_token_ms": 100.0, "predicted_per_second": 10.0}  # fmt: skip
    with scripted([text("a"), end(tokens=7, prompt=40, timings=said)]) as server:
        found = {(one.concurrency, one.figure): one for one in against_timings(server.endpoint)}
    assert found[4, "output tokens"].agrees and found[4, "output tokens"].pairs == 8
    assert found[1, "prompt tokens"].theirs == 40
    assert not found[1, "first token (TTFT)"].agrees, "a server that claims to be faster than light is found out"


@pytest.mark.parametrize(("ratio", "agrees"), [(1.0, True), (0.96, True), (1.049, True), (1.06, False), (0.94, False)])
def test_two_readings_agree_within_five_percent(ratio, agrees):
    assert TOLERANCE == 0.05
    assert Reading("x", "ms", 1, 3, 1.0, 1.0, Range(ratio, 0.0, 9.0)).agrees is agrees
