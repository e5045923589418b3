"""Do something in the background and wait for it, but no longer than a deadline, and not after a cancel.

    watch = Watch(seconds=60)
    watch.wait(background(lambda: slow()))        # Stopped if the time is up, or somebody calls watch.cancel()

A thread cannot be killed, so what runs goes on; its Future keeps what comes of it.

At work in notebook 13, section "A first agent".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from labkit.agents.trace import Outcome

__all__ = ["Stopped", "Watch", "background"]

SLICE_S = 0.1  # on Windows, and in a kernel that is interrupted without a signal, Ctrl-C is only seen between two waits


class Stopped(Exception):
    """The turn ends here, because somebody or the clock wants it: no error. `outcome` says why."""

    def __init__(self, outcome: Outcome):
        super().__init__(outcome)
        self.outcome = outcome


class Watch:
    """Watches one turn: how many `seconds` it may take, and whether somebody has cancelled it (from any thread)."""

    def __init__(self, seconds: float):
        self._ends, self._cancelled = time.monotonic() + seconds, Future()
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """End the wait that is going on, and every later one."""
        with self._lock:
            if not self._cancelled.done():
                self._cancelled.set_result(None)

    @property
    def over(self) -> Outcome | None:
        """Why the turn must end now, or None."""
        if self._cancelled.done():
            return Outcome.CANCELLED
        return Outcome.OUT_OF_TIME if time.monotonic() >= self._ends else None

    def check(self) -> None:
        """Raise Stopped if the turn must end now."""
        if self.over:
            raise Stopped(self.over)

    def wait(self, running: Future) -> Any:
        """Return the result of `running`, or raise what it raised. Raises Stopped if the turn must end first."""
        while not running.done() and not self.over:
            left = max(0.0, self._ends - time.monotonic())
            wait([running, self._cancelled], timeout=min(left, SLICE_S), return_when=FIRST_COMPLETED)
        if running.done():
            return running.result()
        raise Stopped(self.over or Outcome.OUT_OF_TIME)


def background(work: Callable[[], Any], future: Future | None = None) -> Future:
    """Start `work` in a thread that does not keep the process from ending; return its Future (the one given, or a new one)."""
    future = future or Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it crosses over to the waiting thread and is raised there
            future.set_exception(error)

    threading.Thread(target=run, name="agent", daemon=True).start()
    return future
