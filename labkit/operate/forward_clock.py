"""A clock that never goes back, made of one that may: limits, deadlines and breakers count on it.

    now = ForwardClock(time.time)
    now()            # whatever the machine's clock is set to: never less than a moment ago

When the clock below is set back, time stands still for that moment and goes on from there, so nobody is locked out until the old
time comes round again, and nobody is given anything. A jump ahead cannot be told from time that passed, and counts as such.

At work in notebook 10, section "A kiosk".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Clock", "ForwardClock"]

Clock = Callable[[], float]


class ForwardClock:
    """Call it for the time in seconds. Thread-safe."""

    def __init__(self, clock: Clock = time.monotonic):
        self._clock, self._last, self._lost = clock, clock(), 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            now = self._clock()
            self._lost += max(0.0, self._last - now)
            self._last = now
            return now + self._lost
