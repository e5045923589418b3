"""The benchmark runs and its arithmetic holds. No figure of time is judged here: `labkit bench` prints those."""

import statistics

from hypothesis import given
from hypothesis import strategies as st

from labkit.bench import monitoring, overhead, stats


def quiet(label, done, total):
    assert 0 <= done <= total and label


def test_client_cost_compares_the_two_clients_on_one_stub():
    cost = overhead.client_cost(20, quiet)
    assert cost.calls == 20 and cost.labkit_ms > 0 and cost.openai_ms > 0
    assert cost.difference_low_ms <= cost.difference_ms <= cost.difference_high_ms


def test_monitoring_cost_has_calls_and_the_share_of_a_core(endpoint):
    cost = monitoring.monitoring_cost(20, quiet, seconds=2)
    assert cost.calls == 20 and cost.call_low_ms <= cost.call_ms <= cost.call_high_ms
    assert cost.chunk_us > 0 and cost.sample_ms > 0 and cost.core_percent >= 0
    assert cost.within == (cost.call_ms <= 1 and cost.core_percent <= 2)


def test_throughput_writes_the_same_tokens_on_both_sides(endpoint):
    (row,) = overhead.throughput(1, quiet, levels=(2,))
    assert row.concurrency == 2 and row.labkit_tokens_per_second > 0 and row.direct_tokens_per_second > 0
    assert row.ratio == row.labkit_tokens_per_second / row.direct_tokens_per_second


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_the_interval_of_the_median_holds_the_median(values):
    low, high = stats.median_interval(values)
    assert (low <= statistics.median_low(values) and statistics.median_high(values) <= high) or len(values) < 3


def test_the_interval_narrows_with_more_values():
    few, many = stats.median_interval([*range(20)]), stats.median_interval([i / 50 for i in range(1000)])
    assert many[1] - many[0] < few[1] - few[0]
