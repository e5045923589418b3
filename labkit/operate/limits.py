"""How much one caller may use: requests a second, an amount in a window of time, seconds for one request.

    rate = RateLimit(per_second=2, burst=10)
    rate.take("till-3")                         # RateLimited when the bucket of that caller is empty
    tokens = Quota(50_000, seconds=3600)
    tokens.spend("till-3", reply.completion_tokens)
    deadline = Deadline(20)
    endpoint.chat(prompt, timeout=deadline.left())

Time comes from a monotonic clock. With any other clock a jump does no harm (labkit/operate/forward_clock.py): backwards, nobody is
locked out for longer than the limit says; forwards, nobody gets more than one full bucket or one fresh window.

Taught in notebook 10, section "A kiosk".
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TypeVar

from labkit.errors import ConfigError, EngineTimeout, RateLimited
from labkit.operate.forward_clock import Clock, ForwardClock

__all__ = ["Deadline", "Quota", "RateLimit"]

T = TypeVar("T")
KEYS = 10_000  # callers remembered at once: what a caller makes up must not fill the memory


class _Callers:
    """What is remembered of each caller, a figure and a time: of at most `most` callers, and only until it is `over`."""

    def __init__(self, most: int, over: Callable[[float, float, float], bool]):
        self.lock = threading.Lock()
        self._most, self._over = most, over
        self._entries: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str, now: float) -> tuple[float, float] | None:
        """Return the figure and time of `key`; None if there is none any more."""
        entry = self._entries.get(key)
        if entry and self._over(*entry, now):
            del self._entries[key]
            return None
        return entry

    def put(self, key: str, figure: float, at: float, now: float) -> None:
        """Remember it. Raises RateLimited if there is no room, and the oldest entry is not over yet."""
        if key not in self._entries and len(self._entries) >= self._most:
            oldest = next(iter(self._entries))
            if self.get(oldest, now):
                raise _too_many(key, f"{self._most} other callers are active")
        if self._entries.get(key, (0.0, at))[1] != at:
            self._entries.move_to_end(key)  # the oldest time stays in front
        self._entries[key] = (figure, at)


class RateLimit:
    """A token bucket a caller: `burst` requests at once, then `per_second`. Thread-safe; at most `keys` callers at once.

    Taught in notebook 10, section "A kiosk".
    """

    def __init__(self, per_second: float, burst: float, clock: Clock = time.monotonic, keys: int = KEYS):
        _positive(per_second, burst, keys)
        self.per_second, self.burst, self.clock = per_second, burst, ForwardClock(clock)
        self._callers = _Callers(keys, lambda tokens, at, now: self._filled(tokens, at, now) >= burst)

    def take(self, key: str = "", amount: float = 1.0) -> None:
        """Take `amount` from the bucket of `key`. Raises RateLimited, which says after how many seconds to try again."""
        _positive(amount)
        with self._callers.lock:
            now = self.clock()
            tokens = self._tokens(key, now)
            self._callers.put(key, tokens - amount if tokens >= amount else tokens, now, now)
        if tokens < amount:
            raise _too_many(key, f"try again in {(amount - tokens) / self.per_second:.1f} s")

    def _tokens(self, key: str, now: float) -> float:
        known = self._callers.get(key, now)  # a full bucket is the same as none
        return self._filled(*known, now) if known else self.burst

    def _filled(self, tokens: float, at: float, now: float) -> float:
        return min(self.burst, tokens + (now - at) * self.per_second)


class Quota:
    """An amount (`limit`: tokens, requests, money) that each caller may spend in `seconds`, counted from its first request.

    Taught in notebook 10, section "A kiosk".
    """

    def __init__(self, limit: float, seconds: float, clock: Clock = time.monotonic, keys: int = KEYS):
        _positive(limit, seconds, keys)
        self.limit, self.seconds, self.clock = limit, seconds, ForwardClock(clock)
        self._callers = _Callers(keys, lambda spent, start, now: now - start >= seconds)

    def left(self, key: str = "") -> float:
        """Return how much `key` may still spend in its window."""
        return max(0.0, self.limit - self._window(key)[0])

    def spend(self, key: str, amount: float) -> None:
        """Count `amount` that was used, even beyond the limit: what a model wrote is known only afterwards."""
        _positive(amount)
        with self._callers.lock:
            now = self.clock()
            spent, start = self._callers.get(key, now) or (0.0, now)
            self._callers.put(key, spent + amount, start, now)

    def require(self, key: str = "") -> None:
        """Raise RateLimited if nothing is left for `key`."""
        spent, wait = self._window(key)
        if spent >= self.limit:
            raise _too_many(key, f"{spent:g} of {self.limit:g} used; the next window begins in {wait:.0f} s")

    def _window(self, key: str) -> tuple[float, float]:
        """Return what `key` has spent in its window, and the seconds until the next."""
        with self._callers.lock:
            now = self.clock()
            spent, start = self._callers.get(key, now) or (0.0, now)
        return spent, start + self.seconds - now


class Deadline:
    """A time that one request has in all, whatever is retried within it: `seconds` from now."""

    def __init__(self, seconds: float, clock: Clock = time.monotonic):
        _positive(seconds)
        self.seconds, self.clock = seconds, ForwardClock(clock)
        self.start = self.clock()

    def left(self) -> float:
        """Return the seconds that are left. Raises EngineTimeout when there are none."""
        left = self.seconds - (self.clock() - self.start)
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
