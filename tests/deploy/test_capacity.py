"""The plan on paper: known values of the queue, a simulation beside it, limits carried through, and what it refuses."""

import heapq
import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from labkit.costs import prices
from labkit.deploy.capacity import Assumptions, Speed, capacity, erlang_c, table, variation
from labkit.deploy.span import Span
from labkit.errors import ConfigError
from labkit.paths import data_dir

SPEED = Speed(4, Span.of(400), Span.of(100))


@pytest.fixture
def priced():
    return prices(data_dir() / "prices.toml")


def certain(**changes):
    """Assumptions without any width, so that each result is one number."""
    middles = {name: row["middle"] for name, row in table()["assume"].items()}
    return Assumptions(SPEED, **{**middles, **changes})


# -- the queue ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "offered", "share"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (4, 0.0, 0.0), (3, 2.0, 4 / 9)]
)
def test_erlang_c_has_the_textbooks_values(places, offered, share):
    assert erlang_c(places, offered) == pytest.approx(share)


def test_erlang_c_holds_for_many_places_and_refuses_an_endless_line():
    assert 0 < erlang_c(2000, 1990.0) < 1
    for offered in (4.0, 9.0, -1.0, math.nan):
        with pytest.raises(ConfigError):
            erlang_c(4, offered)


def simulated_wait(places, rate, service, requests, seed):
    """The mean wait of M/M/c, by serving so many requests one after the other."""
    rng, free, now, waited = random.Random(seed), [0.0] * places, 0.0, 0.0
    for _ in range(requests):
        now += rng.expovariate(rate)
        begin = max(now, heapq.heappop(free))
        waited += begin - now
        heapq.heappush(free, begin + rng.expovariate(1 / service))
    return waited / requests


def test_the_wait_is_that_of_a_simulated_line(priced):
    found = capacity(certain(devices=30, availability=1.0), priced).results
    rate = found["peak_rate"].middle / 30
    measured = simulated_wait(4, rate, found["service_s"].middle, 200_000, seed=1)
    assert 0.5 < found["utilisation"].middle < 0.9
    assert found["wait_s"].middle == pytest.approx(measured, rel=0.08)


def test_even_service_times_halve_the_wait(priced):
    uneven, even = (capacity(certain(variation=one), priced).results["wait_s"].middle for one in (1.0, 0.0))
    assert even == pytest.approx(uneven / 2)
    assert variation([2.0, 2.0]) == 0 and variation([0.0, 2.0]) == 1


# -- devices and cost -----------------------------------------------------------------------------------------------------


def test_a_plan_by_hand(priced):
    given = certain(requests_per_day=864_000, peak_factor=2, tokens_in=40, tokens_out=10, availability=1, target=0.5)
    found = {name: span.middle for name, span in capacity(given, priced).results.items()}
    assert found["peak_rate"] == pytest.approx(20)
    assert found["service_s"] == pytest.approx(4 * (40 / 400 + 10 / 100))
    assert found["devices"] == 8 and found["utilisation"] == pytest.approx(0.5)
    assert found["most_per_day"] == pytest.approx(864_000)
    hosted = (40 * 2.5 + 10 * 10) / 1e6
    day = 8 * (900 / (4 * 365) + 24 * 0.6 * 0.040 * 0.30)
    assert found["cloud_per_1000"] == pytest.approx(1000 * hosted)
    assert found["edge_per_1000"] == pytest.approx(1000 * (day / 864_000 + 0.25 * hosted))
    assert found["break_even_per_day"] == pytest.approx(day / (0.75 * hosted))


def test_at_the_break_even_both_cost_the_same(priced):
    at = capacity(certain(devices=60), priced).results["break_even_per_day"].middle
    found = capacity(certain(devices=60, requests_per_day=at), priced).results
    assert found["edge_per_1000"].middle == pytest.approx(found["cloud_per_1000"].middle)
    never = capacity(certain(local_share=0.0), priced)
    assert never.results["break_even_per_day"].middle == math.inf
    assert json.loads(json.dumps(never.to_dict()))["results"]["break_even_per_day"]["middle"] is None
    assert "never" in never.text()


def test_limits_are_carried_through(priced):
    wide = capacity(Assumptions(SPEED), priced).results
    for name in table()["result"]:
        assert wide[name].low <= wide[name].middle <= wide[name].high
    assert wide["devices"].low < wide["devices"].middle < wide["devices"].high
    for end, way in (("low", "high"), ("high", "low")):
        corner = certain(
            peak_factor=getattr(Assumptions(SPEED).peak_factor, end),
            tokens_in=getattr(Assumptions(SPEED).tokens_in, end),
            tokens_out=getattr(Assumptions(SPEED).tokens_out, end),
            availability=getattr(Assumptions(SPEED).availability, way),
        )
        assert capacity(corner, priced).results["devices"].middle == getattr(wide["devices"], end)


def test_too_few_devices_are_refused_with_the_number_that_would_do(priced):
    with pytest.raises(ConfigError, match=r"5 devices would have a utilisation of \d+\.\d+") as refused:
        capacity(replace(Assumptions(SPEED), devices=5), priced)
    assert "without end" in refused.value.why
    enough = int(refused.value.fix.rpartition(" ")[2])
    assert capacity(replace(Assumptions(SPEED), devices=enough), priced).results["utilisation"].high <= 0.7


@pytest.mark.parametrize(
    "bad",
    [
        {"local_share": 1.1}, {"peak_factor": 0}, {"tokens_in": "a"}, {"tokens_in": (3, 2)}, {"tokens_in": math.inf},
        {"tokens_in": math.nan}, {"target": 1.0}, {"target": 0.0}, {"devices": 0}, {"peers": -1}, {"availability": 0},
        {"tokens_out": -1}, {"tokens_out": (1, 2, 3, 4)}, {"variation": -1},
    ],
)  # fmt: skip
def test_impossible_assumptions_are_refused(bad):
    with pytest.raises(ConfigError):
        Assumptions(SPEED, **bad)


def test_an_unknown_row_of_the_price_table_is_refused(priced):
    with pytest.raises(ConfigError, match="no cloud price"):
        capacity(certain(cloud="free"), priced)


def test_the_speed_is_that_of_a_measured_level(endpoint):
    from labkit.bench.serving import Plan, measure

    (level,) = measure(endpoint, Plan(levels=(2,), requests=2, rounds=1, words=4, output_tokens=4)).levels
    speed = Speed.of(level)
    assert speed.concurrency == 2
    assert speed.tokens_per_s.middle == pytest.approx(2000 / level.tpot_ms.p50)
    assert speed.tokens_per_s.low <= speed.tokens_per_s.middle <= speed.tokens_per_s.high
    with pytest.raises(ConfigError, match="Nothing was measured"):
        Speed.of(SimpleNamespace(completed=0, errors={"x": 1}))


# -- the command ----------------------------------------------------------------------------------------------------------


def run(*arguments):
    command = [sys.executable, "-m", "labkit.cli", "deploy", "capacity", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture
def bench(tmp_path):
    """What labkit bench --json writes, cut to what is read here."""
    from labkit.bench.load import Answer
    from labkit.bench.results import Round, summary

    answers = tuple(Answer(0.0, (0.2, 0.3), 0.5 + n / 100, 40, 9, "stop") for n in range(8))
    named = SimpleNamespace(backend="llamacpp", engine_version="1", model="m", replayed="")
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"engines": [summary(named, [Round(4, answers)], "honoured", []).to_dict()]}))
    return file


def test_the_command_reads_a_benchmark_and_prints_the_plan(bench):
    done = run("--bench", bench, "--requests-per-day", "2e6", "--assume", "tokens_out=10:20:30", "--json")
    found = json.loads(done.stdout)
    assert found["assumptions"]["requests_per_day"]["middle"] == 2e6
    assert found["assumptions"]["tokens_out"] == {"low": 10, "middle": 20, "high": 30}
    assert found["results"]["devices"]["middle"] > 1 and "Erlang" in found["results"]["waiting_share"]["formula"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--concurrency", "16"), "holds no benchmark with 16 at once"),
        (("--assume", "tokens=3"), "no assumption 'tokens'"),
        (("--devices", "1"), "without end"),
        (("--requests-per-day", "many"), "no number"),
    ],
)
def test_the_command_refuses_in_three_lines(bench, arguments, said):
    done = run("--bench", bench, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
