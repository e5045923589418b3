"""A circuit breaker: an engine that failed several times in a row is left alone for a while, and then tried once.

breaker = Breaker(failures=5, rest=30)
breaker.call(lambda: endpoint.chat(prompt))        # after five failures in a row: CircuitOpen, at once
breaker.state                                      # "closed", "open" or "half-open"

Taught in notebook 10, section "When it fails".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from labkit.errors import CircuitOpen, ConfigError, EngineDied, EngineTimeout, Refused
from labkit.operate.forward_clock import Clock, ForwardClock

__all__ = ["Breaker", "transient"]

T = TypeVar("T")


def transient(error: BaseException) -> bool:
    """Return whether the same request may well succeed later: the engine died or was late, or it said 429 or 5xx."""
    if isinstance(error, Refused):
        status = getattr(error.__cause__, "status_code", None) or 0
        return status == 429 or status >= 500
    return isinstance(error, EngineDied | EngineTimeout)


class Breaker:
    """A circuit breaker, thread-safe.

    "closed": calls pass. After `failures` transient ones in a row "open": CircuitOpen at once, for `rest` seconds. Then
    "half-open": one call may try; it closes the circuit, or opens it again.

    Taught in notebook 10, section "When it fails".
    """

    def __init__(self, failures: int = 5, rest: float = 30.0, clock: Clock = time.monotonic, name: str = ""):
        if failures < 1 or not rest > 0:
            raise ConfigError(f"A breaker of {failures} failures and {rest} s makes no sense.", "both are above 0", "")
        self.failures, self.rest, self.clock, self.name = failures, rest, ForwardClock(clock), name
        self._failed, self._opened, self._trying, self._epoch = 0, None, False, 0
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """ "closed", "open" or "half-open"."""
        with self._lock:
            return self._state()

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function()` returns. Raises CircuitOpen without calling it, or whatever it raises."""
        with self.attempt():
            return function()

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Count what is done within as one call, which takes as long as a stream is read. Raises CircuitOpen."""
        epoch = self._enter()
        try:
            yield
        except BaseException as error:
            # Stopped by hand, it says nothing about the engine; a bad request was answered, so the engine is there.
            self._leave(epoch, transient(error) if isinstance(error, Exception) else None)
            raise
        self._leave(epoch, False)

    def _state(self) -> str:
        if self._opened is None:
            return "closed"
        return "half-open" if self.clock() - self._opened >= self.rest else "open"

    def _enter(self) -> int:
        with self._lock:
            state = self._state()
            if state == "open" or self._trying:
                what = f"{self.name or 'The endpoint'} failed {self._failed} times and is left alone."
                raise CircuitOpen(what, f"the next try is {self.rest:g} s after the last failure", "labkit doctor")
            self._trying = state == "half-open"
            return self._epoch

    def _leave(self, epoch: int, failed: bool | None) -> None:
        with self._lock:
            if epoch != self._epoch:
                return  # begun before the circuit last opened or closed: old news
            trying, self._trying = self._trying, False
            if failed:
                self._failed += 1
                if trying or self._failed >= self.failures:
                    self._opened, self._epoch = self.clock(), self._epoch + 1
            elif failed is not None:
                self._failed = 0
                if trying:
                    self._opened, self._epoch = None, self._epoch + 1
