"""The queue's order, its end, and that nothing stays behind in it."""

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.errors import Cancelled, QueueFull
from labkit.operate.fair_queue import FairQueue


def drained(queue: FairQueue) -> list:
    return [queue.take(0) for _ in range(len(queue))]


def test_each_client_in_turn_within_a_priority():
    queue = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.put(item, item[0])
    queue.put("h", "a", priority=0)
    queue.put("l", "z", priority=2)
    assert drained(queue) == ["h", "a1", "b1", "c1", "a2", "b2", "a3", "l"]


def test_it_is_bounded_for_all_and_for_each():
    queue = FairQueue(bound=8)
    for number in range(2):
        queue.put(number, "flood")
    with pytest.raises(QueueFull, match="flood"):
        queue.put(2, "flood")
    for number in range(6):
        queue.put(number, f"client-{number}")
    with pytest.raises(QueueFull, match="8 requests"):
        queue.put(9, "late")
    queue.take(0)
    queue.put(9, "late")
    assert len(queue) == 8


def test_closing_wakes_who_waits_and_returns_what_is_left():
    queue, got = FairQueue(), []
    waiting = threading.Thread(target=lambda: got.append(queue.take()))
    waiting.start()
    assert queue.close() == []
    waiting.join(5)
    assert got == [None]
    with pytest.raises(Cancelled):
        queue.put(1)
    full = FairQueue()
    full.put(1, "a")
    full.put(2, "b", priority=0)
    assert sorted(full.close()) == [1, 2] and len(full) == 0 and full.take(0) is None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(0, 2), st.sampled_from(["put", "take", "remove"])), max_size=60
    )
)
def test_nothing_is_lost_doubled_or_left_behind(steps):
    queue, inside, taken = FairQueue(1000), [], []
    for number, (client, priority, what) in enumerate(steps):
        if what == "put":
            queue.put(number, client, priority)
            inside.append(number)
        elif what == "remove" and inside:
            assert queue.remove(inside.pop(0))
        elif what == "take":
            one = queue.take(0)
            assert (one is None) == (not inside)
            if one is not None:
                inside.remove(one)
                taken.append(one)
        assert len(queue) == len(inside)
    assert sorted(drained(queue)) == inside and len(set(taken)) == len(taken)
    assert not queue.remove(-1) and not queue._lines and not queue._by_client
