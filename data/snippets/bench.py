"""Figures of a server of yours: set BASE_URL, API_KEY and MODEL."""

import os
from types import SimpleNamespace

import pytest

from labkit.bench.serving import Plan, measure


def test_one_and_four_at_once():
    if not os.environ.get("BASE_URL"):
        pytest.skip("no server: set BASE_URL, API_KEY and MODEL")
    target = SimpleNamespace(
        backend="mine", engine_version="", base_url=os.environ["BASE_URL"], model=os.environ["MODEL"],
        api_key=os.environ["API_KEY"], timeout=120.0, process=None, replayed="", context=0,
    )  # fmt: skip
    found = measure(target, Plan(levels=(1, 4), rounds=1, requests=4, words=16, output_tokens=8))
    assert [level.concurrency for level in found.levels] == [1, 4]
    assert all(level.ttft_ms.p50 > 0 and level.output_tokens_per_second.median > 0 for level in found.levels)
