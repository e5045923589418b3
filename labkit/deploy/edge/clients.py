"""Who asks in a drill: one client a device. It sends until its request is accepted, and counts for itself what was.

A closed loop: the next request comes when the last one has an answer, so a slow machine makes a drill of fewer requests.

Explained in notebook 12, section "The edge".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from labkit.agents.hybrid import Request
from labkit.deploy.edge.wire import call

__all__ = ["Client"]

AGAIN_S = 0.2
TIMEOUT_S = 2.0


@dataclass
class Client:
    """Asks device `name` of a Site. accepted: id -> whether it was private, for each request that the device said it took.

    Every third request is private, and has `mark` in its text, which must not leave. asked_again: sendings without an answer.
    """

    site: object
    name: str
    requests: Sequence[Request]
    mark: str
    accepted: dict[str, bool] = field(default_factory=dict)
    asked_again: int = 0
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self, per_second: float) -> None:
        """Ask at this rate at most from now on, in a thread."""
        self._thread = threading.Thread(target=self._run, args=(1 / per_second,), name=f"at {self.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more; waits until the last request is accepted."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def ask(self, private: bool | None = None) -> str:
        """Have one more request accepted and return its id; it is sent again, with the same id, until it is."""
        with self._lock:
            number, self._number = self._number, self._number + 1
        id, request = f"{self.name}-{number:05d}", self.requests[number % len(self.requests)]
        private = number % 3 == 0 if private is None else private
        text = f"{request.text} ({self.mark})" if private else request.text
        body = {"text": text, "options": request.options, "ask": request.ask, "private": private}
        agents = self.site.who.agents[self.name]
        body |= {"examples": request.examples, "agent": agents[number % len(agents)]}
        while not self._put(id, body):
            self.asked_again += 1
            time.sleep(AGAIN_S)
        self.accepted[id] = private
        return id

    def _put(self, id: str, body: dict) -> bool:
        try:
            return call(self.site.place(self.name), "PUT", f"/requests/{id}", body, TIMEOUT_S)[0] == 202
        except OSError:
            return False

    def _run(self, pause: float) -> None:
        while not self._stop.wait(pause):
            id = self.ask()
            while not (self._answered(id) or self._stop.wait(AGAIN_S)):
                pass

    def _answered(self, id: str) -> bool:
        try:
            status, state = call(self.site.place(self.name), "GET", f"/requests/{id}", timeout=TIMEOUT_S)
            return status == 200 and state["by"] is not None
        except OSError:
            return False
