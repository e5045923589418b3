"""Rounds, levels and engines summed up: on scripted servers, then once on the real engine. No figure of time is judged."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import pytest
from scripted_stream import DROP, ROLE, Status, end, scripted, text

from labkit.bench.check import against_timings
from labkit.bench.compare import compare, ratios
from labkit.bench.load import Answer
from labkit.bench.results import Engine, Round, summary
from labkit.bench.serving import WARM_UP, Plan, ignore_eos, measure, one_round
from labkit.errors import LabkitError, Refused

GOOD = [ROLE, text("Once"), text(" upon"), end(tokens=2, prompt=40)]
LONG = [text("Once"), end(tokens=48)]


def answer(sent, first, ended, tokens):
    return Answer(sent=sent, arrivals=(first,), ended=ended, prompt_tokens=9, output_tokens=tokens)


def test_throughput_is_tokens_over_the_window_and_failures_are_in_neither():
    bad = Answer(sent=0.0, ended=99.0, output_tokens=1000, error="broken off")
    one = Round(2, (answer(2.0, 2.25, 6.0, 6), bad, answer(1.0, 1.5, 3.0, 4)))
    assert one.seconds == 5.0 and one.output_tokens_per_second == 2.0 and one.requests_per_second == 0.4
    assert one.times("ttft") == [250.0, 500.0] and one.times("tpot") == [750.0, 500.0]


def test_a_round_in_which_all_failed_has_no_figures():
    one = Round(1, (Answer(sent=0.0, error="broken off"),))
    assert math.isnan(one.seconds) and math.isnan(one.output_tokens_per_second) and one.times("itl") == []


@pytest.mark.parametrize(
    ("scripts", "found"),
    [
        ([LONG], "honoured"),
        ([GOOD], "ignored"),
        ([[Status(400, "ignore_eos is not known")], GOOD], "refused"),
    ],
)
def test_ignore_eos_is_asked_not_declared(scripts, found):
    with scripted(*scripts) as server:
        assert ignore_eos(server.endpoint) == found
        assert server.bodies[0]["ignore_eos"] is True


def test_an_engine_that_answers_nothing_says_so():
    with scripted([Status(400, "no")]) as server, pytest.raises(Refused):
        ignore_eos(server.endpoint)


@pytest.mark.parametrize(("eos", "sent"), [("honoured", True), ("ignored", None), ("refused", None)])
def test_ignore_eos_is_sent_where_it_works_alone(eos, sent):
    with scripted(GOOD) as server:
        one_round(server.endpoint, Plan(requests=2), 1, 0, eos, lambda *progress: None)
        assert {body.get("ignore_eos") for body in server.bodies[1:]} == {sent}, "all but the warm-up"


def test_the_warm_up_runs_first_and_is_not_counted():
    plan = Plan(levels=(3,), requests=5, rounds=1, words=6, output_tokens=31)
    with scripted(GOOD) as server:
        one = one_round(server.endpoint, plan, 3, 0, "ignored", lambda *progress: None)
    warm, asked = server.bodies[:3], server.bodies[3:]
    assert len(one.answers) == len(asked) == 5
    assert {body["max_tokens"] for body in warm} != {31} == {body["max_tokens"] for body in asked}
    texts = [body["messages"][0]["content"] for body in server.bodies]
    assert len(set(texts)) == 8, "what was asked once is in the engine's cache"
    assert WARM_UP >= 3


def test_failures_are_counted_and_named_never_dropped():
    plan = Plan(levels=(1,), requests=4, rounds=2)
    one_failing = [LONG, GOOD, GOOD, [text("a"), DROP], *[GOOD] * 9]
    with scripted(*one_failing) as server:
        found = measure(server.endpoint, plan)
    (level,) = found.levels
    assert (level.rounds, level.requests, level.completed) == (2, 8, 7)
    assert list(level.errors.values()) == [1] and "broken off" in next(iter(level.errors))
    assert level.ttft_ms.n == 7 and level.itl_ms.n == 7 and len(level.by_round) == 2
    assert level.prompt_tokens == (40, 40) and level.output_tokens == (2, 2)
    assert found.ignore_eos == "honoured" and found.backend == "scripted" and found.replayed == ""


def test_an_engine_that_fails_all_the_way_has_no_figures_and_all_errors():
    with scripted(LONG, [text("a"), DROP]) as server:
        found = measure(server.endpoint, Plan(levels=(1,), requests=3, rounds=1))
    (level,) = found.levels
    assert level.completed == 0 and sum(level.errors.values()) == 3 and math.isnan(level.ttft_ms.p50)
    stored = found.to_dict()
    assert stored["levels"][0]["ttft_ms"]["p50"] is None, "JSON has no nan"
    assert Engine.from_dict(json.loads(json.dumps(stored, allow_nan=False))).to_dict() == stored


def test_a_result_comes_back_from_json_as_it_was():
    with scripted(LONG, GOOD) as server:
        found = measure(server.endpoint, Plan(levels=(1, 2), requests=3, rounds=2))
    again = Engine.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again.to_dict() == found.to_dict()
    assert again.levels[1].ttft_ms.p50 == found.levels[1].ttft_ms.p50


def test_the_label_of_a_replayed_engine_goes_along():
    with scripted(GOOD) as server:
        server.endpoint.replayed = "replayed: recorded elsewhere"
        assert summary(server.endpoint, [Round(1, ())], "ignored", []).replayed == "replayed: recorded elsewhere"


def engine(backend, *speeds):
    rounds = [Round(1, (answer(0.0, 1.0 / speed, 3.0 / speed, 5),)) for speed in speeds]
    with scripted(GOOD) as server:
        server.endpoint.backend = backend
        return summary(server.endpoint, rounds, "honoured", [])


def test_ratios_pair_the_rounds_and_carry_their_range():
    # Both became twice as slow in the second round: the ratio does not.
    found = ratios([engine("first", 4.0, 2.0), engine("second", 8.0, 4.0), engine("third", 4.0, 1.0)])
    rate = {one.backend: one.ratio for one in found if one.figure == "output_tokens_per_second"}
    wait = {one.backend: one.ratio for one in found if one.figure == "ttft_ms"}
    assert (rate["second"].low, rate["second"].median, rate["second"].high) == (2, 2, 2) and wait[
        "second"
    ].median == 0.5
    assert (rate["third"].low, rate["third"].high) == (0.5, 1)
    assert {one.to for one in found} == {"first"}


def test_an_engine_that_ended_early_is_compared_as_far_as_it_came():
    found = ratios([engine("first", 4.0, 2.0), engine("second", 8.0)])
    assert [one.ratio.low for one in found] == [one.ratio.high for one in found] and len(found) == 3


# ---- the real engine -------------------------------------------------------------------------------------------------


def test_the_engines_own_clock_started_after_ours_and_counts_as_we_do(endpoint):
    found = {one.figure: one for one in against_timings(endpoint, Plan((1,), requests=3, rounds=1, words=8))}
    assert found["output tokens"].ratio.low == found["output tokens"].ratio.high == 1
    assert found["prompt tokens"].ratio.low == found["prompt tokens"].ratio.high == 1
    assert found["first token (TTFT)"].ratio.low >= 1, "nobody sees the first token before it was made"


def test_engines_beside_each_other_take_turns_and_an_absent_one_is_named(endpoint):
    plan = Plan(levels=(1, 2), requests=2, rounds=2, words=4, output_tokens=3)
    starts = []
    found = compare(["llamacpp", "no-such-engine"], plan, progress=lambda label, *_: starts.append(label))
    (one,) = found.engines
    assert starts.count("llamacpp: starting") == 2 and "no-such-engine" in found.failed["no-such-engine"]
    assert [level.concurrency for level in one.levels] == [1, 2]
    for level in one.levels:
        assert level.completed == level.requests == 4 and level.output_tokens == (3, 3) and not level.errors
    assert one.memory_most.rss_bytes >= 100 * 2**20 and one.start_seconds.low > 0 and one.ignore_eos == "honoured"
    assert one.weights == "gguf-f16"
    json.dumps(found.to_dict(), allow_nan=False)


def test_no_engine_at_all_is_an_error():
    with pytest.raises(LabkitError, match="No engine could be measured"):
        compare(["no-such-engine"], Plan(levels=(1,), rounds=1))


def command(*arguments):
    return [sys.executable, "-m", "labkit.cli", "bench", *arguments]


def test_the_command_prints_json_and_words(endpoint):
    small = [
        "--backend",
        "llamacpp",
        "--concurrency",
        "1",
        "--requests",
        "2",
        "--rounds",
        "1",
        "--words",
        "4",
        "--tokens",
        "3",
    ]
    done = subprocess.run(command(*small, "--json"), capture_output=True, text=True, timeout=200)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["engines"][0]["levels"][0]["completed"] == 2 and found["failed"] == {}
    done = subprocess.run(command(*small), capture_output=True, text=True, timeout=200)
    assert done.stdout.startswith("llamacpp ") and "first text (TTFT)" in done.stdout


@pytest.mark.parametrize("levels", ["1,x", "", "0", "1,,2", "-1"])
def test_a_level_that_is_no_number_is_refused(levels):
    done = subprocess.run(command("--concurrency", levels), capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "no list of numbers" in done.stderr


def test_the_readers_read_everything_and_nothing_early():
    from labkit.bench.reader import readers

    ours, theirs = readers(streams=3, pieces=5, tick=0.02)
    assert (ours.name, theirs.name) == ("labkit", "openai") and ours.pieces == theirs.pieces == 15
    assert 0 <= ours.late_p50_ms <= ours.late_p99_ms and 0 <= theirs.late_p50_ms <= theirs.late_p99_ms


def leashes_of(pid):
    from labkit.backends.process import running_servers

    return [one for one in running_servers() if one["parent"] == pid]


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
def test_ctrl_c_leaves_nothing_running(endpoint):
    import psutil

    bench = subprocess.Popen(
        command("--backend", "llamacpp", "--concurrency", "4", "--requests", "4000", "--rounds", "1")
    )
    deadline = time.monotonic() + 60
    while not leashes_of(bench.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    (leash,) = leashes_of(bench.pid)
    below = psutil.Process(leash["pid"]).children(recursive=True)
    time.sleep(3)  # into the middle of a round, most likely; anywhere else it has to hold as well
    bench.send_signal(signal.SIGINT)
    assert bench.wait(60) == 130
    assert not psutil.wait_procs(
        [psutil.Process(leash["pid"]), *below] if psutil.pid_exists(leash["pid"]) else below, 20
    )[1]
