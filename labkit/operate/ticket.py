"""A ticket for one request: it ends once, in an answer or a typed refusal, and never after its time.

At work in notebook 10, section "Too many".
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from labkit.errors import Cancelled, EngineTimeout, Expired, LabkitError

__all__ = ["Ticket"]


class Ticket:
    """What a request became. `result()` waits for the answer, `cancel()` takes the request back; from any thread.

    model, client, priority: as submitted. seconds: until it expires. work(endpoint, ticket) → answer. repeatable: whether it may be
    tried again when the engine died in the middle. ended(ticket, error): told once, with None for an answer.
    """

    def __init__(
        self,
        model: str,
        work: Callable[[Any, Ticket], Any],
        *,
        client: str,
        priority: int,
        seconds: float,
        repeatable: bool,
        ended: Callable[[Ticket, LabkitError | None], None],
    ):
        self.model, self.work, self.client, self.priority, self.repeatable = model, work, client, priority, repeatable
        self.seconds, self.attempts = seconds, 0
        self._deadline, self._ended, self._once = time.monotonic() + seconds, ended, threading.Lock()
        self._future: Future = Future()
        self._future.set_running_or_notify_cancel()  # from here on only `end` can end it

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._future.done()

    @property
    def left(self) -> float:
        """Seconds until it expires, 0 if it has."""
        return max(0.0, self._deadline - time.monotonic())

    def result(self) -> Any:
        """Wait, at most until it expires, and return the answer. Raises Expired, Cancelled, or why it could not be answered."""
        try:
            return self._future.result(self.left)
        except TimeoutError:
            if not self.done:
                self.expire()
            return self._future.result()

    async def answer(self) -> Any:
        """The same as `result` for an event loop; cancelling the task takes the request back."""
        inner = asyncio.wrap_future(self._future)
        try:
            await asyncio.wait({inner}, timeout=self.left)
        except asyncio.CancelledError:
            inner.add_done_callback(lambda ended: ended.exception())  # else asyncio complains that nobody looked
            self.cancel()
            raise
        if not self.done:
            self.expire()
        return await inner

    def cancel(self) -> bool:
        """Take the request back; whether that was in time. The engine stops at the next piece of its answer."""
        return self.end(error=Cancelled("The request was cancelled.", "its client took it back", ""))

    def expire(self) -> bool:
        """End it because its time is over; whether it had not ended before."""
        why = "the machine is busy, or the answer is long"
        return self.end(error=Expired(f"No answer within {self.seconds:g} s.", why, "give it more seconds"))

    def end(self, value: Any = None, error: BaseException | None = None) -> bool:
        """End it, if it has not ended; whether it had not. An answer that comes too late is an Expired."""
        if error is None and not self.left:
            return self.expire()
        with self._once:
            if self.done:
                return False
            self._ended(self, error)  # before anybody is woken: counts are right when the answer is there
            self._future.set_exception(error) if error else self._future.set_result(value)
        return True

    def check(self) -> None:
        """For the work itself, between two pieces. Raises Cancelled if nobody waits any more, Expired if the time is over."""
        if not self.left:
            self.expire()
        if self.done:
            raise self._future.exception() or Cancelled("The request has ended.", "", "")

    def timed(self, error: EngineTimeout) -> LabkitError:
        """Return what an engine's silence means: Expired if it was this request's own time, else the error itself."""
        return error if self.left > 0.1 else Expired(f"No answer within {self.seconds:g} s.", error.why, error.fix)
