"""Figures and words of a benchmark: every engine, every failure and every label is in both."""

import dataclasses

import pytest

from labkit.backends.base import Endpoint
from labkit.bench.compare import ratios
from labkit.bench.load import Answer
from labkit.bench.results import Round, summary
from labkit.footprint import Footprint
from labkit.widgets.serving import (
    HUES,
    SIGNS,
    distribution_figure,
    distribution_scene,
    ratios_text,
    serving_figure,
    serving_scene,
    serving_text,
)


def answers(speed, count):
    return [
        Answer(sent=0.0, arrivals=(1 / speed, 2 / speed), ended=3 / speed, prompt_tokens=40, output_tokens=3)
        for _ in range(count)
    ]


def engine(backend, speed, failing=0, levels=(1, 4)):
    bad = [Answer(sent=0.0, error="broken off: the stream ended before the answer did")] * failing
    rounds = [Round(level, (*answers(speed, level), *bad)) for level in levels for _ in range(2)]
    endpoint = Endpoint(backend=backend, base_url="http://127.0.0.1:1/v1", model="m", api_key="k", engine_version="1.2")
    memory = [Footprint(5 * 2**20, 3 * 2**20, 1), Footprint(9 * 2**20, 7 * 2**20, 2)]
    return summary(endpoint, rounds, "honoured", memory, [2.0, 4.0, 3.0], 1)


@pytest.fixture
def engines():
    replayed = dataclasses.replace(engine("vllm", 2.0), replayed="replayed: recorded on 2026-11-22")
    return [engine("llamacpp", 1.0), engine("ollama", 4.0, failing=1), replayed]


def test_three_panels_have_every_engine_with_its_medians(engines):
    figure = serving_figure(engines)
    assert len(figure.data) == 9 and [trace.name for trace in figure.data if trace.showlegend] == [
        "llamacpp",
        "ollama",
        "vllm (replayed)",
    ]
    rate, first, each = figure.data[3:6]
    assert (
        list(rate.x) == list(first.x) == [1, 4] and list(first.y) == [250.0, 250.0] and list(each.y) == [250.0, 250.0]
    )
    assert list(rate.y) == [4.0, 16.0] and list(rate.error_y.array) == [0, 0]


def test_engines_differ_without_colour_too(engines):
    many = [engine(name, 1.0) for name in "abcdefg"]
    looks = [(t.marker.symbol, t.line.dash) for t in distribution_figure(many, 1).data]
    assert len(set(looks)) == 7 and len(HUES) == len(set(HUES)) == len(SIGNS)


def test_the_words_hold_what_the_figure_shows(engines):
    text = serving_scene(engines).text
    rows = [line.split() for line in text.splitlines() if line.split() and line.split()[0] in ("1", "4")]
    assert [row[:4] for row in rows][2:4] == [["1", "4", "2", "40/3"], ["4", "10", "2", "40/3"]]
    assert rows[0][4:10] == ["1000.0"] * 6
    assert "ollama 1.2, m, " in text and "started in 3.0 s, 7 MiB at most" in text


def test_failures_and_labels_are_never_left_out(engines):
    text = serving_text(engines)
    assert text.count("2 failed: broken off: the stream ended") == 2
    assert "replayed: recorded on 2026-11-22" in text


def test_a_level_where_all_failed_is_named_and_not_drawn():
    broken = engine("llamacpp", 1.0)
    rounds = [Round(8, (Answer(sent=0.0, error="stalled"),))]
    endpoint = Endpoint(backend="x", base_url="http://127.0.0.1:1/v1", model="m", api_key="k")
    nothing = summary(endpoint, rounds, "ignored", [])
    text = serving_text([broken, nothing])
    assert "nothing was measured" in text and "1 failed: stalled" in text and "answers may end early" in text
    assert list(serving_figure([broken, nothing]).data[3].x) == []
    assert len(distribution_figure([broken, nothing], 8).data) == 0


@pytest.mark.parametrize("time", ["ttft_ms", "tpot_ms", "itl_ms", "latency_ms"])
def test_the_distribution_runs_from_the_least_to_the_most(engines, time):
    figure = distribution_figure(engines, 4, time)
    assert [trace.name for trace in figure.data] == ["llamacpp", "ollama", "vllm (replayed)"]
    for trace, one in zip(figure.data, engines, strict=True):
        assert list(trace.x) == list(getattr(one.levels[1], time).curve) and (trace.y[0], trace.y[-1]) == (0, 100)
    assert distribution_scene(engines, 4, time).text.count("\n") == 4


def test_ratios_are_said_with_their_range(engines):
    text = ratios_text(ratios(engines))
    assert "ollama : llamacpp, 4 at once" in text and "vllm : llamacpp, 1 at once" in text
    assert "first text 0.25 [0.25, 0.25]" in text and "tokens/s 4.00 [4.00, 4.00]" in text
