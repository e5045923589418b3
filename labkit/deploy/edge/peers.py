"""The other devices that may answer for one: who has least to do is asked first, who does not answer is left alone for a while.

Explained in notebook 12, section "The edge".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from labkit.agents.hybrid import Answer
from labkit.deploy.edge.wire import Place, call
from labkit.errors import EngineDied, Refused

__all__ = ["Peers", "least_waiting"]

REST_S = 2.0  # how long a peer that does not answer is left alone
HEALTH_S = 3.0  # a busy machine takes a while


def least_waiting(waiting: dict[str, int], own: str) -> list[str]:
    """Return the names, least waiting first; of equals `own` first: moving a request costs something too."""
    return sorted(waiting, key=lambda name: (waiting[name], name != own, name))


class Peers:
    """The peers of one device, `places` in the order in which they step in."""

    def __init__(self, places: Sequence[Place], clock: Callable[[], float] = time.monotonic):
        self.places, self.clock = {one.name: one for one in places}, clock
        self._rests: dict[str, float] = {}

    def waiting(self) -> dict[str, int]:
        """Return how many requests wait at each peer that answers now."""
        if not self.places:
            return {}
        with ThreadPoolExecutor(len(self.places)) as pool:  # one after the other, those who do not answer would add up
            counts = pool.map(self._waiting, self.places)
        return {name: count for name, count in zip(self.places, counts, strict=True) if count is not None}

    def ask(self, name: str, body: dict, timeout: float) -> Answer:
        """Return the answer of peer `name`. Raises EngineDied if none comes, Refused if it will not answer this."""
        try:
            status, said = call(self.places[name], "POST", "/answer", body, timeout)
        except OSError as error:
            self._rests[name] = self.clock() + REST_S
            raise EngineDied(f"The peer {name} does not answer.", str(error), "") from error
        if status != 200:
            raise (EngineDied if status >= 500 else Refused)(f"The peer {name} says {status}.", str(said)[:200], "")
        return Answer(**said)

    def _waiting(self, name: str) -> int | None:
        if self._rests.get(name, 0.0) > self.clock():
            return None
        try:
            status, said = call(self.places[name], "GET", "/health", timeout=HEALTH_S)
            if status == 200 and said["engine"]:
                return said["waiting"]
        except OSError:
            pass  # it rests, as one that says that its engine is down
        self._rests[name] = self.clock() + REST_S
        return None
