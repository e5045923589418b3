"""Models come and go: on demand, idle, dead, over the budget; the memory is what the engines really take."""

import contextlib
import threading

import pytest

import labkit
from labkit.backends import available
from labkit.errors import Expired, OverBudget, UnknownModel
from labkit.operate.fleet import Fleet, used_bytes

GB = 10**9


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def wishes(*names: str) -> dict:
    """The same model with another context each: an engine of its own for each name."""
    return {
        name: {"backend": "llamacpp", "model": "smollm2-135m", "context": 512 + 64 * ord(name[0]), "parallel": 1}
        for name in names
    }


def names(fleet: Fleet) -> list[str]:
    return [row["name"] for row in fleet.status()]


@pytest.fixture
def here(require) -> None:
    one = available()["llamacpp"]
    require("llamacpp", one, one.fix)


def test_real_engines_come_on_demand_and_go_when_idle_dead_or_in_the_way(here):
    clock = Clock()
    with contextlib.closing(Fleet(wishes("a", "b", "c"), most=2, clock=clock)) as fleet:
        with fleet.use("a") as endpoint:
            assert endpoint.chat("Hi", max_tokens=1).completion_tokens == 1
            assert 2e8 < used_bytes(endpoint) < 2e9, "the weights alone are 271 MB"
            first = endpoint.process
        clock.now = 10
        with fleet.use("b"), fleet.use("b") as again:
            assert fleet.loads == 2
            assert fleet.status()[1]["users"] == 2
        clock.now = 20
        with fleet.use("c"):  # no third place: a was used longest ago
            assert names(fleet) == ["b", "c"] and not first.alive
        clock.now = 310
        assert fleet.sweep() == [], "b has been idle for exactly 300 s"
        clock.now = 311
        assert fleet.sweep() == ["b"] and not again.alive
        with fleet.use("c") as endpoint:
            endpoint.process.kill()
            endpoint.process.wait(5)
        with fleet.use("c") as anew:  # not the dead one
            assert anew.alive and anew.chat("Hi", max_tokens=1).text is not None
            last = anew.process
    assert not last.alive and fleet.status() == []


# -- what is decided: one real engine under several names, so that nothing needs to start -------------------------------


class Named:
    """Hands out one running engine; closing a handle only notes it."""

    def __init__(self, endpoint):
        self.endpoint, self.closed = endpoint, []

    def __call__(self, context: int, **wish):
        from dataclasses import replace

        return replace(self.endpoint, on_close=lambda: self.closed.append(chr((context - 512) // 64)))


@pytest.fixture
def fleet(endpoint):
    """Give make(names, …) -> (fleet, clock, names that were unloaded so far)."""

    def make(all_names: str, **options):
        clock, named = Clock(), Named(endpoint)
        return Fleet(wishes(*all_names), clock=clock, connect=named, **options), clock, named.closed

    return make


def test_pinned_models_stay(fleet):
    one, clock, gone = fleet("abc", most=2)
    one.pin("a")
    for name in "abc":
        clock.now += 1
        with one.use(name):
            pass
    assert gone == ["b"] and names(one) == ["a", "c"]
    with one.use("c"):
        clock.now = 1000  # a long answer: idle begins at its end
        assert one.sweep() == []
    assert one.sweep() == []
    clock.now = 1301
    assert one.sweep() == ["c"]
    one.unpin("a")
    assert one.sweep() == ["a"]
    with pytest.raises(UnknownModel):
        one.pin("z")


def test_what_can_never_fit_is_refused_at_once(fleet):
    small, _, _ = fleet("a", budget_bytes=10**8)
    with pytest.raises(OverBudget, match="whole budget"), small.use("a"):
        pass
    full, _, _ = fleet("abc", most=2)
    full.pin("a"), full.pin("b")
    for name in "ab":
        with full.use(name):
            pass
    with pytest.raises(OverBudget, match="pinned"), full.use("c"):
        pass
    assert names(full) == ["a", "b"]


def test_the_budget_holds_for_what_was_measured(fleet, endpoint):
    one, clock, gone = fleet("ab", budget_bytes=3 * GB)
    endpoint.chat("Hi", max_tokens=1)
    for name in "ab":
        clock.now += 1
        with one.use(name):
            pass
    real = used_bytes(endpoint)
    assert all(0.5 * real < row["memory_bytes"] < 2 * real for row in one.status()), "measured, not estimated"
    one.budget_bytes = int(1.5 * real)
    assert one.sweep() == ["a"] == gone


def test_who_waits_for_room_gets_it_or_an_answer_in_time(fleet):
    one, _, gone = fleet("ab", most=1)
    with one.use("a"):
        with pytest.raises(Expired), one.use("b", seconds=0.05):
            pass
        got = threading.Event()

        def wait() -> None:
            with one.use("b", seconds=30):
                got.set()

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert gone == [] and not got.wait(0.05)
    waiting.join(10)
    assert got.is_set() and gone == ["a"] and names(one) == ["b"]


def test_many_at_once_load_it_once(fleet):
    one, _, gone = fleet("abcd", most=3)

    def use(name: str) -> None:
        for _ in range(20):
            with one.use(name):
                assert len(one.status()) <= 3

    threads = [threading.Thread(target=use, args=(name,)) for name in "aabbcc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert one.loads == 3 and gone == []


def test_a_start_that_fails_leaves_its_place(endpoint):
    tries = []

    def fails(**wish):
        tries.append(1)
        if len(tries) == 1:
            raise labkit.errors.EngineStartError("no")
        return Named(endpoint)(**wish)

    one = Fleet(wishes("a"), most=1, connect=fails)
    with pytest.raises(labkit.errors.EngineStartError), one.use("a"):
        pass
    assert names(one) == []
    with one.use("a"):
        assert names(one) == ["a"]
