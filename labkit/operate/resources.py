"""Requests to several models on one machine: a bounded, fair queue before a fleet that keeps to its memory budget.

    with Resources({"small": {"model": "smollm2-135m"}}) as resources:
        ticket = resources.submit("small", "What is the capital of France?", client="ana", priority="high", seconds=30)
        ticket.result().text
        resources.counts()         # submitted = answered + every kind of refusal + waiting + running

A request is never lost and never waits for ever: it ends in an answer or in a typed refusal (QueueFull, Expired, Cancelled,
EngineDied, OverBudget, …). One that an engine's death cut short is asked again, as long as it has time and may be repeated.

Taught in notebook 10, section "Too many".
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from labkit.errors import (
    Cancelled,
    ConfigError,
    EngineDied,
    EngineStartError,
    EngineTimeout,
    LabkitError,
    RequestError,
)
from labkit.operate.fair_queue import FairQueue
from labkit.operate.fleet import Fleet
from labkit.operate.ticket import Ticket

__all__ = ["PRIORITIES", "Resources"]

PRIORITIES = {"high": 0, "normal": 1, "low": 2}
ATTEMPTS = 3
SWEEP_S, MEMORY_LOOKS = 1.0, 5  # memory at every fifth look only: 14 ms of a core an engine


class Resources:
    """Requests to several models on one machine: a bounded queue before a Fleet.

    models: name -> what labkit.connect takes. queue: requests that wait at most. workers: answered at once. sweep_s: seconds
    between two looks at requests whose time is over (at memory and idle models: five times that). Everything else goes to Fleet
    (budget_bytes, most, idle_s, clock, connect).

    Taught in notebook 10, section "Too many".
    """

    def __init__(
        self,
        models: Mapping[str, Mapping[str, Any]],
        *,
        queue: int = 1000,
        workers: int = 4,
        sweep_s: float = SWEEP_S,
        **fleet: Any,
    ):
        self.fleet = Fleet(models, **fleet)
        self._queue = FairQueue(queue)
        self._counts: Counter[str] = Counter()
        self._open: set[Ticket] = set()
        self._running: set[Ticket] = set()
        self._lock, self._closed = threading.Lock(), threading.Event()
        works = [self._work] * workers + [lambda: self._watch(sweep_s)]
        self._threads = [threading.Thread(target=work, daemon=True, name="labkit resources") for work in works]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        model: str,
        prompt: str | Sequence[dict] = "",
        *,
        client: str = "",
        priority: str = "normal",
        seconds: float = 30.0,
        work: Callable[[Any, Ticket], Any] | None = None,
        repeatable: bool = True,
        **parameters: Any,
    ) -> Ticket:
        """Put a request into the queue and return its ticket at once.

        prompt, parameters: as for Endpoint.chat; the answer is a Reply. work(endpoint, ticket): something else to do with the
        engine; it calls ticket.check() now and then. repeatable: False for work that must not happen twice.
        Raises UnknownModel, ConfigError, QueueFull, Cancelled (closed).
        """
        if priority not in PRIORITIES or not seconds > 0:
            why = f"priorities: {', '.join(PRIORITIES)}; seconds: more than 0"
            raise ConfigError(f"priority={priority!r}, seconds={seconds!r} cannot be.", why, "")
        self.fleet.known(model)
        ticket = Ticket(
            model,
            work or (lambda endpoint, ticket: _chat(endpoint, ticket, prompt, parameters)),
            client=client,
            priority=PRIORITIES[priority],
            seconds=seconds,
            repeatable=repeatable,
            ended=self._ended,
        )
        with self._lock:
            self._counts["submitted"] += 1
            self._open.add(ticket)
        try:
            self._queue.put(ticket, client, ticket.priority)
        except RequestError as error:
            ticket.end(error=error)
            raise
        return ticket

    def counts(self) -> dict[str, int]:
        """Return how many were submitted, answered, refused by type, and how many wait and run now."""
        with self._lock:
            running = len([one for one in self._running if not one.done])
            return {**self._counts, "waiting": len(self._open) - running, "running": running}

    def status(self) -> dict:
        """Return the queue's length and bound, the counts, the memory budget in bytes, and what is loaded."""
        queue = {"waiting": len(self._queue), "bound": self._queue.bound}
        budget = {"budget_bytes": self.fleet.budget_bytes, "most": self.fleet.most}
        return {"queue": queue, "counts": self.counts(), **budget, "models": self.fleet.status()}

    def close(self) -> None:
        """Take nothing more, end every open request with Cancelled, and unload all models."""
        self._closed.set()
        self._queue.close()
        with self._lock:
            open_ones = list(self._open)
        for ticket in open_ones:
            ticket.end(error=Cancelled("The request was not answered.", "the service was shut down", ""))
        self.fleet.close()
        for thread in self._threads:
            thread.join(5)

    def __enter__(self) -> Resources:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def _ended(self, ticket: Ticket, error: BaseException | None) -> None:
        with self._lock:
            self._open.discard(ticket)
            self._counts["answered" if error is None else type(error).__name__] += 1
        self._queue.remove(ticket)

    def _work(self) -> None:
        while not self._closed.is_set():
            ticket = self._queue.take()
            if ticket is None:
                continue
            with self._lock:
                self._running.add(ticket)
            try:
                ticket.end(self._answer(ticket))
            except BaseException as error:  # noqa: BLE001 - it crosses over to whoever holds the ticket
                ticket.end(error=error)
            finally:
                with self._lock:
                    self._running.discard(ticket)

    def _answer(self, ticket: Ticket) -> Any:
        while True:
            ticket.check()
            ticket.attempts += 1
            try:
                with self.fleet.use(ticket.model, ticket.left) as endpoint:
                    return ticket.work(endpoint, ticket)
            except EngineTimeout as error:
                raise ticket.timed(error) from error
            except (EngineDied, EngineStartError):
                if not ticket.repeatable or ticket.attempts >= ATTEMPTS or self._closed.is_set():
                    raise

    def _watch(self, seconds: float) -> None:
        for look in itertools.count(1):
            if self._closed.wait(seconds):
                return
            with self._lock:
                late = [one for one in self._open if not one.left]
            for ticket in late:  # nobody may be waiting for it: it ends all the same
                ticket.expire()
            if look % MEMORY_LOOKS:
                continue
            try:
                self.fleet.sweep()
            except LabkitError:  # an engine that cannot be unloaded now is tried again
                continue


def _chat(endpoint: Any, ticket: Ticket, prompt: str | Sequence[dict], parameters: dict) -> Any:
    with endpoint.stream(prompt, timeout=max(ticket.left, 0.1), **parameters) as stream:
        for _ in stream:
            ticket.check()
    return stream.reply
