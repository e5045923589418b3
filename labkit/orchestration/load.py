"""Send each request to the endpoint with the least to do: counted while requests are in flight, not guessed.

    pool = Pool({"small": endpoint, "large": other}, most=10)
    with pool.lease("large") as (name, endpoint):
        endpoint.chat("…")

The recipe that this repairs kept a load for each agent that nothing counted down when a request failed; here a lease ends with the
block, whatever happened in it.

Taught in notebook 09, section "Routing".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labkit.errors import OrchestrationError

__all__ = ["Pool"]


class Pool:
    """Endpoints (or anything else) by name, and how many requests each has in flight. Safe to use from many threads.

    most: how many one takes at a time. served: how many each has had so far.

    Taught in notebook 09, section "Routing".
    """

    def __init__(self, members: Mapping[str, Any], most: int = 10):
        self.members, self.most = dict(members), most
        self.in_flight = dict.fromkeys(self.members, 0)
        self.served = dict.fromkeys(self.members, 0)
        self._lock = threading.Lock()

    def choose(self, preferred: str = "") -> str:
        """Return `preferred` while it has room, else who has least in flight (the first of several).

        Raises OrchestrationError if all are full: a queue without an end helps nobody.
        """
        if preferred and self.in_flight.get(preferred, self.most) < self.most:
            return preferred
        name = min(self.in_flight, key=self.in_flight.get)
        if self.in_flight[name] >= self.most:
            raise OrchestrationError(
                "No room for another request.", f"all {len(self.members)} have {self.most} in flight", "try again later"
            )
        return name

    @contextmanager
    def lease(self, preferred: str = "") -> Iterator[tuple[str, Any]]:
        """Give (name, member) to use inside the block; it counts as in flight until the block ends. Raises as `choose` does."""
        with self._lock:
            name = self.choose(preferred)
            self.in_flight[name] += 1
            self.served[name] += 1
        try:
            yield name, self.members[name]
        finally:
            with self._lock:
                self.in_flight[name] -= 1
