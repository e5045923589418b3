"""The arithmetic of a benchmark, beside numpy's."""

import math

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.bench import stats
from labkit.bench.prompts import TASK, WORDS, prompts

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@settings(deadline=None)
@given(numbers, st.floats(0, 100))
def test_percentiles_are_numpys(values, percent):
    assert stats.percentile(values, percent) == pytest.approx(numpy.percentile(values, percent), abs=1e-6)


@settings(deadline=None)
@given(numbers)
def test_a_spread_is_in_order(values):
    found = stats.spread(values)
    assert found.n == len(values) and found.mean == pytest.approx(numpy.mean(values), abs=1e-6)
    assert found.curve[0] == min(values) and found.curve[-1] == max(values)
    assert list(found.curve) == sorted(found.curve)
    assert found.p50 == found.curve[stats.CURVE.index(50)] <= found.p90 <= found.p99


def test_a_spread_of_nothing_is_nan_not_zero():
    found = stats.spread([])
    assert found.n == 0 and math.isnan(found.p50) and math.isnan(found.mean) and all(map(math.isnan, found.curve))


def test_a_round_without_a_figure_is_left_out_of_the_range():
    assert stats.over_rounds([3.0, math.nan, 1.0, 2.0]) == stats.Range(2.0, 1.0, 3.0)
    assert math.isnan(stats.over_rounds([math.nan]).median)


def test_prompts_are_as_long_as_wished_and_begin_differently():
    found = prompts(40, 12, "a")
    assert all(len(one.removesuffix(TASK).split()) == 12 for one in found)
    assert len({tuple(one.split()[:4]) for one in found}) == 40, "a common beginning would be read from the cache"
    assert len(WORDS) == len(set(WORDS))


def test_a_series_is_the_same_every_time_and_another_is_another():
    assert prompts(5, 12, "a") == prompts(5, 12, "a")
    assert not set(prompts(5, 12, "a")) & set(prompts(5, 12, "b"))
