"""Limits hold per caller, in bounded memory, with several threads at once, and whatever the clock does."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from labkit.errors import ConfigError, EngineTimeout, RateLimited
from labkit.operate.limits import Deadline, Quota, RateLimit


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(limit, key="", tries=1000) -> int:
    """Return how often `key` can take before it is refused."""
    for count in range(tries):
        try:
            limit.take(key)
        except RateLimited:
            return count
    return tries


def test_a_bucket_empties_and_fills_again_for_each_caller():
    clock = Clock()
    limit = RateLimit(per_second=2, burst=5, clock=clock)
    assert taken(limit, "a") == 5 and taken(limit, "b") == 5
    clock.now += 1.5
    assert taken(limit, "a") == 3
    clock.now += 3600
    assert taken(limit, "a") == 5, "no more than a full bucket"


def test_a_refusal_says_when_to_come_back():
    clock = Clock()
    limit = RateLimit(per_second=0.5, burst=1, clock=clock)
    limit.take("till")
    with pytest.raises(RateLimited, match="till has used up") as caught:
        limit.take("till")
    assert "2.0 s" in caught.value.why
    clock.now += 2
    limit.take("till")


def test_a_clock_that_jumps_back_locks_nobody_out_and_gives_nothing_away():
    clock = Clock()
    limit, quota, deadline = RateLimit(1, 3, clock), Quota(10, 60, clock), Deadline(20, clock)
    assert taken(limit) == 3
    quota.spend("", 10)
    clock.now -= 86_400
    assert taken(limit) == 0 and quota.left() == 0 and deadline.left() == 20
    clock.now += 2
    assert taken(limit) == 2, "it fills from the new time on"
    clock.now += 58
    assert quota.left() == 10, "the window ends one length after the jump at the latest"


def test_a_clock_that_jumps_ahead_gives_one_full_bucket():
    clock = Clock()
    limit, quota, deadline = RateLimit(1, 3, clock), Quota(10, 60, clock), Deadline(20, clock)
    assert taken(limit) == 3
    quota.spend("", 10)
    clock.now += 86_400
    assert taken(limit) == 3 and quota.left() == 10
    with pytest.raises(EngineTimeout):
        deadline.left()


def test_whatever_the_clock_does_a_caller_gets_no_more_than_time_allows():
    for seed in range(200):
        chance, clock = random.Random(seed), Clock()
        limit, got, forward = RateLimit(2, 4, clock), 0, 0.0
        for _ in range(100):
            step = chance.choice([0, 0, 0.1, 0.5, -5, -1000])
            clock.now += step
            forward += max(0, step)
            got += taken(limit, tries=1)
        assert got <= 4 + 2 * forward + 1e-6


def test_callers_made_up_by_the_thousand_fill_no_memory_and_reset_no_bucket():
    clock = Clock()
    limit = RateLimit(per_second=1, burst=2, clock=clock, keys=10)
    assert taken(limit, "me") == 2
    assert sum(taken(limit, f"other {n}") for n in range(1000)) == 9 * 2
    assert len(limit._callers) == 10 and taken(limit, "me") == 0
    clock.now += 60
    assert taken(limit, "newcomer") == 2 and len(limit._callers) == 10


def test_who_comes_new_is_let_in_when_the_oldest_is_done_with_even_after_the_clock_was_set_back():
    clock = Clock()
    limit, quota = RateLimit(1, 2, clock, keys=3), Quota(10, 60, clock, keys=3)
    for key in ("a", "b", "c"):
        limit.take(key)
        quota.spend(key, 1)
        clock.now += 1
    quota.spend("a", 1)  # its window is still the oldest
    for limited in (lambda: [limit.take("d") for _ in range(4)], lambda: quota.spend("d", 1)):
        with pytest.raises(RateLimited):
            limited()
    clock.now -= 100_000
    quota.left()
    limit.take("e")
    clock.now += 57  # a's minute is over, nobody else's
    quota.spend("d", 1)
    with pytest.raises(RateLimited, match="3 other callers"):
        quota.spend("e", 1)
    assert quota.left("a") == 10 and quota.left("b") == 9 and len(quota._callers) == 3


def test_who_was_silent_longest_makes_room_first():
    clock = Clock()
    limit = RateLimit(1, 4, clock, keys=2)
    limit.take("busy", 4)
    limit.take("quiet")
    clock.now += 1
    limit.take("busy")  # came first, and is still at it
    limit.take("new")
    assert taken(limit, "busy") == 0


def test_quota_counts_what_was_used_and_begins_anew():
    clock = Clock()
    quota = Quota(100, 60, clock, keys=2)
    quota.require("a")
    quota.spend("a", 70)
    quota.spend("a", 70)
    assert quota.left("a") == 0 and quota.left("b") == 100
    with pytest.raises(RateLimited, match="a has used up"):
        quota.require("a")
    clock.now += 60
    quota.require("a")
    assert quota.left("a") == 100
    for key in ("b", "c", "d"):
        clock.now += 30
        quota.spend(key, 1)
    assert len(quota._callers) <= 2


class Slow(RateLimit):
    """A bucket between whose look and take the other threads get their turn."""

    def _tokens(self, key: str, now: float) -> float:
        found = super()._tokens(key, now)
        time.sleep(0.0005)
        return found


def test_threads_share_one_bucket():
    limit = Slow(per_second=0.001, burst=50)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: taken(limit, "k", 20), range(8))) == 50


@pytest.mark.parametrize("bad", [0, -1, float("nan"), float("inf")])
def test_limits_that_make_no_sense(bad):
    for make in (lambda: RateLimit(bad, 1), lambda: RateLimit(1, bad), lambda: Quota(bad, 1), lambda: Deadline(bad)):
        with pytest.raises(ConfigError):
            make()
    with pytest.raises(ConfigError):
        RateLimit(1, 1).take("k", bad)


def test_a_deadline_cancels_what_it_waits_for():
    ended = []

    async def slow():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(EngineTimeout, match=r"0\.05 s"):
        asyncio.run(Deadline(0.05).within(slow()))
    assert ended == ["cancelled"]


def test_a_deadline_is_the_engine_s_timeout_too(endpoint):
    with pytest.raises(EngineTimeout):
        endpoint.chat("Count to a thousand.", max_tokens=500, timeout=Deadline(0.02).left())
    assert endpoint.chat("Hi", max_tokens=2, timeout=Deadline(100).left()).text
