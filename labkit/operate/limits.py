"""How much one caller may use: requests a second, an amount in a window of time, seconds for one request.

    rate = RateLimit(per_second=2, burst=10)
    rate.take("till-3")                         # RateLimited when the bucket of that caller is empty
    tokens = Quota(50_000, seconds=3600)
    tokens.spend("till-3", reply.completion_tokens)
    deadline = Deadline(20)
    endpoint.chat(prompt, timeout=deadline.left())

Time comes from a monotonic clock. With any other clock a jump does no harm: backwards, nobody is locked out for longer than the
limit says; forwards, nobody gets more than one full bucket or one fresh window.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from labkit.errors import ConfigError, EngineTimeout, RateLimited

__all__ = ["Deadline", "Quota", "RateLimit"]

T = TypeVar("T")
Clock = Callable[[], float]
KEYS = 10_000  # callers remembered at once: what a caller makes up must not fill the memory


@dataclass
class RateLimit:
    """A token bucket a caller: `burst` requests at once, then `per_second`. Thread-safe; at most `keys` callers at once.

    Taught in notebook 10, section "A kiosk".
    """

    per_second: float
    burst: float
    clock: Clock = time.monotonic
    keys: int = KEYS
    _buckets: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self):
        _positive(self.per_second, self.burst, self.keys)

    def take(self, key: str = "", amount: float = 1.0) -> None:
        """Take `amount` from the bucket of `key`. Raises RateLimited, which says after how many seconds to try again."""
        _positive(amount)
        with self._lock:
            now = self.clock()
            tokens = self._tokens(key, now)
            self._room_for(key, now)
            self._buckets[key] = (tokens - amount if tokens >= amount else tokens, now)
            self._buckets.move_to_end(key)
        if tokens < amount:
            raise _too_many(key, f"try again in {(amount - tokens) / self.per_second:.1f} s")

    def _tokens(self, key: str, now: float) -> float:
        tokens, at = self._buckets.get(key, (self.burst, now))
        return min(self.burst, tokens + max(0.0, now - at) * self.per_second)

    def _room_for(self, key: str, now: float) -> None:
        """Make room by forgetting the caller who was silent longest, but only when that bucket is full again anyway."""
        if key in self._buckets or len(self._buckets) < self.keys:
            return
        oldest = next(iter(self._buckets))
        if self._tokens(oldest, now) < self.burst:
            raise _too_many(key, f"{self.keys} other callers are active")
        del self._buckets[oldest]


@dataclass
class Quota:
    """An amount (`limit`: tokens, requests, money) that each caller may spend in `seconds`, counted from its first request.

    Taught in notebook 10, section "A kiosk".
    """

    limit: float
    seconds: float
    clock: Clock = time.monotonic
    keys: int = KEYS
    _windows: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self):
        _positive(self.limit, self.seconds, self.keys)

    def left(self, key: str = "") -> float:
        """Return how much `key` may still spend in its window."""
        with self._lock:
            return max(0.0, self.limit - self._window(key)[1])

    def spend(self, key: str, amount: float) -> None:
        """Count `amount` that was used, even beyond the limit: what a model wrote is known only afterwards."""
        _positive(amount)
        with self._lock:
            self._room_for(key)
            start, spent = self._window(key)
            self._windows[key] = (start, spent + amount)

    def require(self, key: str = "") -> None:
        """Raise RateLimited if nothing is left for `key`."""
        with self._lock:
            start, spent = self._window(key)
            wait = start + self.seconds - self.clock()
        if spent >= self.limit:
            raise _too_many(key, f"{spent:g} of {self.limit:g} used; the next window begins in {wait:.0f} s")

    def _window(self, key: str) -> tuple[float, float]:
        now = self.clock()
        start, spent = self._windows.get(key, (now, 0.0))
        if now - start >= self.seconds:
            return now, 0.0
        if now < start:  # the clock went back: no window ends later than one length from now
            self._windows[key] = (now, spent)
        return min(start, now), spent

    def _room_for(self, key: str) -> None:
        """Forget the oldest window, if it has ended; else there are too many callers."""
        if key in self._windows or len(self._windows) < self.keys:
            return
        oldest = next(iter(self._windows))
        if self._window(oldest)[1]:
            raise _too_many(key, f"{self.keys} other callers are active")
        del self._windows[oldest]


class Deadline:
    """A time that one request has in all, whatever is retried within it: `seconds` from now."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic):
        _positive(seconds)
        self.seconds, self.clock, self.start = seconds, clock, clock()

    def left(self) -> float:
        """Return the seconds that are left. Raises EngineTimeout when there are none."""
        left = self.seconds - max(0.0, self.clock() - self.start)
        if left <= 0:
            raise EngineTimeout(
                f"The request had {self.seconds:g} s, and they are over.", "it is too slow", "labkit doctor"
            )
        return left

    async def within(self, awaitable: Awaitable[T]) -> T:
        """Return what `awaitable` gives, cancelled when the time is over. Raises EngineTimeout then."""
        try:
            return await asyncio.wait_for(awaitable, self.left())
        except TimeoutError as error:
            what = f"The request did not end within {self.seconds:g} s."
            raise EngineTimeout(what, "it was cancelled", "labkit doctor") from error


def _too_many(key: str, why: str) -> RateLimited:
    return RateLimited(f"{key or 'This caller'} has used up its limit.", why, "")


def _positive(*numbers: float) -> None:
    for one in numbers:
        if not (math.isfinite(one) and one > 0):
            raise ConfigError(f"A limit of {one} makes no sense.", "limits and amounts are finite and above 0", "")
