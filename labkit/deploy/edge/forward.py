"""Store and forward: one thread that sends what the outbox holds to the cloud, again and again until the answer is here.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import json
import threading
import time

import stamina

from labkit.agents.hybrid import Answer
from labkit.deploy.edge.outbox import Entry, Outbox
from labkit.deploy.edge.wire import Place, call
from labkit.errors import EngineDied, EngineTimeout, NoSpace

__all__ = ["Forwarder"]

TIMEOUT_S = 5.0  # of one sending; the cloud goes on with a slow one, and has its answer when it is sent again
PATIENCE_S = 2.0  # how long a request waits for the cloud before the device's own answer stands
FIRST_S, LONGEST_S = 0.1, 2.0  # pauses between sendings: they double, with jitter
PAUSE_S = 0.02


class Forwarder:
    """Sends entry after entry. reachable: whether the last sending got an answer; None before the first. sendings: counted."""

    def __init__(self, box: Outbox, cloud: Place, model: str):
        self.box, self.cloud, self.model = box, cloud, model
        self.reachable: bool | None = None
        self.sendings = 0

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="forwarder", daemon=True).start()

    def wait_for(self, id: str) -> Answer:
        """Return the cloud's answer to an entry. Raises EngineError if the cloud is out of reach or late; the entry stays."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = self.box.find(id)
            if found and found.by == "big":
                return Answer(found.value, 0.0)
            if self.reachable is False:
                raise EngineDied("The cloud is out of reach.", "the request is kept for later", "")
            time.sleep(PAUSE_S)
        raise EngineTimeout("The cloud is late.", "the request is kept for later", "")

    def _run(self) -> None:
        while True:
            entry = self.box.next()
            try:
                if entry:
                    self._deliver(entry)
            except NoSpace:  # the entry stays, and is sent again: the cloud does it once
                time.sleep(LONGEST_S)
            time.sleep(0 if entry else PAUSE_S)

    def _deliver(self, entry: Entry) -> None:
        """Send one entry until something answers; then keep the answer, or why there is none."""
        pauses = {"wait_initial": FIRST_S, "wait_max": LONGEST_S, "wait_jitter": FIRST_S}
        for attempt in stamina.retry_context(OSError, attempts=None, timeout=None, **pauses):
            with attempt:
                status, said = self._send(entry)
        if status == 200:
            self.box.sent(entry.id, _choice(said), "The cloud answered.")
            return
        passing = status in (408, 425, 429) or status >= 500
        self.box.failed(entry.id, f"{status}: {str(said)[:200]}", dead=not passing)
        time.sleep(min(LONGEST_S, FIRST_S * 2**entry.attempts) if passing else 0)

    def _send(self, entry: Entry) -> tuple[int, object]:
        self.sendings += 1
        try:
            found = call(self.cloud, "POST", "/v1/chat/completions", entry.body, TIMEOUT_S, entry.id)
        except OSError as error:
            self.reachable = False
            self.box.failed(entry.id, str(error) or type(error).__name__)
            raise
        self.reachable = True
        return found


def _choice(said: object) -> str | None:
    """The label in a chat completion that was held to a schema; None if the model did not keep to it."""
    try:
        return json.loads(said["choices"][0]["message"]["content"])["choice"]
    except (KeyError, IndexError, TypeError, ValueError):
        return None
