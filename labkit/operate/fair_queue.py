"""A queue with an end: by priority, within it each client in turn, and a typed refusal when it is full.

    queue = FairQueue(bound=1000)
    queue.put(item, client="ana", priority=1)        # raises QueueFull
    queue.take(timeout=1.0)                          # the next item; None: none came, or the queue is closed

At work in notebook 10, section "Too many".
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from typing import Any

from labkit.errors import Cancelled, QueueFull

__all__ = ["FairQueue"]


class FairQueue:
    """bound: items that wait at most. per_client: of one client (default: a quarter, so that nobody fills it alone). Thread-safe.

    Priority is strict: 1 waits while there is a 0. Who must not wait for ever gives an item an end of its own.
    """

    def __init__(self, bound: int = 1000, per_client: int | None = None):
        self.bound, self.per_client = bound, per_client or max(1, bound // 4)
        self._lines: dict[int, OrderedDict[str, deque]] = {}  # priority -> client -> items
        self._by_client: Counter[str] = Counter()
        self._ready = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        return self._by_client.total()

    def put(self, item: Any, client: str = "", priority: int = 1) -> None:
        """Add an item at the end of its client's line. Raises QueueFull, Cancelled (closed)."""
        with self._ready:
            if self._closed:
                raise Cancelled("The queue is closed.", "it was shut down", "")
            if len(self) >= self.bound:
                raise QueueFull(
                    f"{self.bound} requests wait already.", "more come than can be answered", "try again later"
                )
            if self._by_client[client] >= self.per_client:
                raise QueueFull(f"{self.per_client} requests of {client!r} wait already.", "others want a turn", "")
            self._lines.setdefault(priority, OrderedDict()).setdefault(client, deque()).append(item)
            self._by_client[client] += 1
            self._ready.notify()

    def take(self, timeout: float | None = None) -> Any:
        """Return the next item, or None after `timeout` seconds without one, or when the queue is closed."""
        with self._ready:
            if not self._ready.wait_for(lambda: len(self) or self._closed, timeout) or self._closed:
                return None
            priority = min(self._lines)
            client, line = self._lines[priority].popitem(last=False)
            item = line.popleft()
            if line:
                self._lines[priority][client] = line  # to the end: the others come first
            self._drop(priority, client)
            return item

    def remove(self, item: Any) -> bool:
        """Take an item out; whether it still waited."""
        with self._ready:
            for priority, clients in self._lines.items():
                for client, line in clients.items():
                    if item in line:
                        line.remove(item)
                        if not line:
                            del clients[client]
                        self._drop(priority, client)
                        return True
        return False

    def close(self) -> list:
        """Take nothing more and return what still waited."""
        with self._ready:
            self._closed = True
            left = [item for clients in self._lines.values() for line in clients.values() for item in line]
            self._lines.clear()
            self._by_client.clear()
            self._ready.notify_all()
        return left

    def _drop(self, priority: int, client: str) -> None:
        """One less: leave no empty line and no empty counter behind, or memory would grow with every client ever seen."""
        self._by_client[client] -= 1
        if not self._by_client[client]:
            del self._by_client[client]
        if not self._lines[priority]:
            del self._lines[priority]
