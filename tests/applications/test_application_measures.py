"""The five measures: what they count, what they refuse to say, and that a connection to elsewhere is seen."""

import os
import socket

import pytest

from labkit.applications import Kit
from labkit.applications.measures import (
    FIVE,
    _of_sums,
    completion,
    load,
    reliability,
    resources,
    response,
    strangers,
    table,
)
from labkit.applications.outage import Outage
from labkit.backends.base import Endpoint
from labkit.errors import ConfigError


@pytest.fixture
def kit() -> Kit:
    """Give an agent whose engine is gone: a third of its requests needs none."""
    gone = Endpoint(backend="external", base_url="http://127.0.0.1:9/v1", model="none", api_key="none", context=2048)
    return Kit.of("customer_service", gone)


def test_a_load_asks_as_often_as_told_in_turn(kit):
    scored = load(kit, requests=15, callers=3)
    texts = [item.text for item in kit.items]
    assert [one.item.text for one in scored] == [*texts, *texts][:15]
    assert len(load(kit)) == len(texts)


def test_no_load_is_refused(kit):
    with pytest.raises(ConfigError, match="There is no load"):
        load(kit, callers=0)


def test_what_is_reported_is_what_was_counted(kit):
    scored = load(kit)
    share, took = completion(scored), response(scored)
    right = sum(one.right for one in scored)
    assert 0 < right < len(scored) == share.n
    assert share.value == pytest.approx(100 * right / share.n) and share.low < share.value < share.high
    assert took.low <= took.value <= took.high and took.n == share.n
    assert [share.name, took.name] == list(FIVE[:2])
    assert f"n = {share.n}" in table([share, took])


def test_a_lost_request_counts_against_reliability(kit):
    found = Outage(load(kit))
    found.lost = sum(one.answered.outcome == "failed" for one in found.scored)
    measure = reliability(found)
    assert found.lost and measure.value == pytest.approx(100 * (1 - found.lost / len(found.scored)))


def test_memory_that_nobody_saw_is_no_figure():
    with pytest.raises(ConfigError, match="No sample"):
        resources([])


def test_a_connection_to_another_machine_is_seen():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        try:
            there.connect(("192.0.2.1", 9))  # a documentation address: connecting by UDP sends nothing
        except OSError:
            pytest.skip("this machine has no way to any other")
        assert "192.0.2.1:9" in strangers([os.getpid()])
    assert "192.0.2.1:9" not in strangers([os.getpid()])


def test_a_process_that_is_gone_is_not_called_silent():
    with pytest.raises(ConfigError, match="cannot be seen"):
        strangers([2**22 + 1])


def test_a_ratio_of_sums_is_not_the_middle_of_ratios():
    value, low, high = _of_sums([(0.0, 1.0)] * 9 + [(10.0, 1.0)])
    assert value == 1.0 and low == 0.0 and 2 <= high <= 4
