"""Every request ends in an answer or a typed refusal, in turn, in time, and is accounted for."""

import asyncio
import threading
from dataclasses import replace

import pytest

from labkit.errors import (
    Cancelled,
    ConfigError,
    ContextTooLong,
    EngineDied,
    Expired,
    LabkitError,
    QueueFull,
    Refused,
    UnknownModel,
)
from labkit.operate.resources import Resources

MODEL = {"small": {"backend": "llamacpp", "model": "smollm2-135m"}}


@pytest.fixture
def resources(endpoint):
    """Give make(…) -> Resources before the run's engine."""
    made = []

    def make(**options) -> Resources:
        one = Resources(MODEL, connect=lambda **wish: replace(endpoint, on_close=None), **options)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()
        assert accounted(one) and one.counts()["waiting"] == one.counts()["running"] == 0
        assert not any(thread.is_alive() for thread in one._threads)


def accounted(one: Resources) -> bool:
    counts = dict(one.counts())
    submitted = counts.pop("submitted", 0)
    return submitted == sum(counts.values())


class Gate:
    """Work that begins when it is told to: which requests were begun, in which order."""

    def __init__(self):
        self.open, self.begun = threading.Event(), []

    def __call__(self, name: str):
        def work(endpoint, ticket):
            self.begun.append(name)
            assert self.open.wait(20)
            return name

        return work


def test_real_answers(resources):
    one = resources()
    tickets = [one.submit("small", "What is the capital of France?", client=f"c{n}", max_tokens=12) for n in range(6)]
    assert {ticket.result().text for ticket in tickets} == {tickets[0].result().text}
    assert "Paris" in tickets[0].result().text
    assert one.counts() == {"submitted": 6, "answered": 6, "waiting": 0, "running": 0}
    assert one.status()["models"][0]["memory_bytes"] > 2e8


def test_order_back_pressure_and_who_is_refused(resources):
    one, gate = resources(workers=1, queue=6), Gate()
    first = one.submit("small", work=gate("first"))
    while not gate.begun:
        first.check()
    plan = [("a", "normal"), ("b", "low"), ("c", "high"), ("d", "normal"), ("e", "normal"), ("f", "high")]
    tickets = [one.submit("small", work=gate(name), client=name, priority=how) for name, how in plan]
    with pytest.raises(QueueFull):
        one.submit("small", work=gate("late"), client="late")
    assert one.counts()["QueueFull"] == 1 and one.status()["queue"] == {"waiting": 6, "bound": 6}
    gate.open.set()
    assert [ticket.result() for ticket in tickets] == list("abcdef")
    assert gate.begun == ["first", "c", "f", "a", "d", "e", "b"]


def test_a_request_can_be_taken_back_while_it_waits_and_while_it_runs(resources):
    one, gate = resources(workers=1), Gate()
    running = one.submit("small", work=gate("running"))
    while not gate.begun:
        running.check()
    waiting = one.submit("small", work=gate("waiting"))
    assert waiting.cancel() and running.cancel() and not running.cancel()
    for ticket in (waiting, running):
        with pytest.raises(Cancelled):
            ticket.result()
    gate.open.set()
    assert one.submit("small", work=gate("next")).result() == "next"
    assert gate.begun == ["running", "next"], "what was taken back is not begun"
    assert one.counts()["Cancelled"] == 2 and one.counts()["answered"] == 1


def test_taking_back_stops_a_real_answer(resources):
    one = resources(workers=1)
    long = one.submit("small", "Count from one to a thousand.", max_tokens=1500)
    while one.counts()["running"] == 0:
        long.check()
    long.cancel()
    assert one.submit("small", "Hi", max_tokens=1).result().completion_tokens == 1


def test_nobody_waits_for_ever(resources):
    one, gate = resources(workers=1, sweep_s=0.05), Gate()
    running = one.submit("small", work=gate("running"), seconds=0.2)
    waiting = one.submit("small", work=gate("waiting"), seconds=0.2)
    for ticket in (running, waiting):
        with pytest.raises(Expired):
            ticket.result()
    nobody_looks = one.submit("small", work=gate("x"), seconds=0.1)
    ended = threading.Event()
    threading.Thread(target=lambda: (_until(lambda: nobody_looks.done), ended.set())).start()
    assert ended.wait(10), "one that nobody waits for ends as well"
    gate.open.set()
    assert one.submit("small", work=gate("after")).result() == "after"
    assert gate.begun == ["running", "after"] and one.counts()["Expired"] == 3


def _until(true) -> None:
    while not true():
        threading.Event().wait(0.01)


def test_a_real_answer_that_takes_too_long_expires(resources):
    one = resources(workers=1)
    with pytest.raises(Expired):
        one.submit("small", "Count from one to a thousand.", max_tokens=1500, seconds=0.05).result()
    assert one.submit("small", "Hi", max_tokens=1).result().completion_tokens == 1


def test_after_an_engines_death_only_what_may_be_repeated_is_asked_again(resources):
    one, tries = resources(workers=1), []

    def dies_twice(endpoint, ticket):
        tries.append(1)
        if len(tries) < 3:
            raise EngineDied("gone")
        return "answer"

    assert one.submit("small", work=dies_twice).result() == "answer" and len(tries) == 3
    tries.clear()
    with pytest.raises(EngineDied):
        one.submit("small", work=dies_twice, repeatable=False).result()
    assert len(tries) == 1, "work that may not be repeated is not"
    with pytest.raises(EngineDied):
        one.submit("small", work=lambda endpoint, ticket: (_ for _ in ()).throw(EngineDied("always"))).result()
    assert one.counts()["EngineDied"] == 2


def test_what_the_work_raises_reaches_who_asked_and_the_worker_goes_on(resources):
    one = resources(workers=1)
    with pytest.raises(ZeroDivisionError):
        one.submit("small", work=lambda endpoint, ticket: 1 / 0).result()
    with pytest.raises(LabkitError):
        one.submit("small", "x " * 9000, max_tokens=1).result()  # longer than the context
    assert one.submit("small", work=lambda endpoint, ticket: endpoint.model).result()


def test_closing_ends_everything(resources):
    one, gate = resources(workers=1), Gate()
    tickets = [one.submit("small", work=gate(str(n))) for n in range(5)]
    threading.Timer(0.1, gate.open.set).start()
    one.close()
    for ticket in tickets:
        with pytest.raises(Cancelled):
            ticket.result()
    with pytest.raises(Cancelled):
        one.submit("small", "Hi")
    assert one.counts()["Cancelled"] == 6


def test_from_an_event_loop(resources):
    one, gate = resources(workers=1), Gate()

    async def three() -> list:
        first = one.submit("small", work=gate("first"))
        second = asyncio.create_task(one.submit("small", work=gate("second")).answer())
        late = one.submit("small", work=gate("late"), seconds=0.05)
        await asyncio.sleep(0)
        second.cancel()
        ends = await asyncio.gather(second, late.answer(), return_exceptions=True)
        gate.open.set()
        return [*ends, await first.answer()]

    ends = asyncio.run(three())
    assert isinstance(ends[0], asyncio.CancelledError) and isinstance(ends[1], Expired) and ends[2] == "first"
    assert one.counts()["Cancelled"] == 1


def test_what_cannot_be_asked_is_refused_at_once(resources):
    one = resources()
    with pytest.raises(UnknownModel):
        one.submit("large", "Hi")
    for bad in ({"priority": "urgent"}, {"seconds": 0}, {"seconds": float("nan")}):
        with pytest.raises(ConfigError):
            one.submit("small", "Hi", **bad)
    assert one.counts() == {"waiting": 0, "running": 0}


def test_a_flood_from_many_threads_is_accounted_for(resources):
    one, ends = resources(queue=20, workers=3), []

    def client(name: int) -> None:
        for number in range(50):
            try:
                ticket = one.submit("small", work=lambda endpoint, ticket: ticket.client, client=str(name))
                if number % 7 == 0:
                    ticket.cancel()
                ends.append(ticket.result())
            except (QueueFull, Cancelled) as error:
                ends.append(type(error))

    threads = [threading.Thread(target=client, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    counts = one.counts()
    assert len(ends) == counts["submitted"] == 400 and accounted(one) and counts["waiting"] == 0


def test_what_no_request_can_hold_ends_in_a_typed_refusal(resources):
    one = resources()
    bad = ["\ud800 half a pair", [{"role": "user", "content": float("nan")}], "a " * 100_000]
    for prompt, kind in zip(bad, (Refused, Refused, ContextTooLong), strict=True):
        with pytest.raises(kind):
            one.submit("small", prompt, seconds=200, max_tokens=2).result()
    assert one.counts() == {"submitted": 3, "Refused": 2, "ContextTooLong": 1, "waiting": 0, "running": 0}
    assert one.submit("small", "Hi", seconds=100, max_tokens=2).result().text
