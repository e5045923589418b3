"""The calls of the last minutes: how long, how many, and how many failed.

    calls.add(0.35, "answered")
    calls.window(60)["error_rate_percent"]      # None when nobody called: no calls are not zero errors

Taught in notebook 11, sections "What an engine tells" and "A slow engine".
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque

__all__ = ["Calls"]

OUTCOMES = ("answered", "failed", "cancelled")


class Calls:
    """The last `most` calls, in memory. Safe to use from many threads.

    Taught in notebook 11, sections "What an engine tells" and "A slow engine".
    """

    def __init__(self, most: int = 10_000):
        self.total: Counter[str] = Counter()
        self.begun = 0
        self._ended: deque[tuple[float, float, str]] = deque(maxlen=most)
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Count one call that was sent; `add` ends it."""
        with self._lock:
            self.begun += 1

    def add(self, seconds: float, outcome: str, at: float | None = None) -> None:
        """Count one call that took `seconds` and ended now (or `at`, by time.monotonic()) as one of OUTCOMES."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome!r} is none of {OUTCOMES}")
        with self._lock:
            self.total[outcome] += 1
            self._ended.append((time.monotonic() if at is None else at, seconds, outcome))

    def window(self, seconds: float = 60.0, now: float | None = None) -> dict[str, float | None]:
        """Return the figures of the calls that ended in the last `seconds`, and calls_in_flight, by the names of data/metrics.toml.

        Times are of answered calls. A call that the caller cancelled counts neither as answered nor as failed.
        """
        now = time.monotonic() if now is None else now
        with self._lock:
            flying = self.begun - self.total.total()
            recent = [one for one in self._ended if now - seconds <= one[0] <= now]
        took = sorted(1000 * one[1] for one in recent if one[2] == "answered")
        failed = sum(one[2] == "failed" for one in recent)
        judged = len(took) + failed
        return {
            "calls": float(len(recent)),
            "calls_in_flight": float(flying),
            "calls_per_second": len(recent) / seconds,
            "response_time_ms": sum(took) / len(took) if took else None,
            "response_time_p95_ms": took[math.ceil(0.95 * len(took)) - 1] if took else None,
            "error_rate_percent": 100 * failed / judged if judged else None,
        }
