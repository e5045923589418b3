"""The agent of one device: takes requests, answers them on the device, passes on what it is unsure of and what may leave.

    PUT  /requests/ID     take a request: 202 once it is on the disk. The same again is the same request.
    GET  /requests/ID     its state, and its answer
    POST /answer          a peer asks for an answer now; never passed on, never private
    GET  /health /counts

A process of its own: `python -m labkit.deploy.edge.device`, configured by wire.CONFIG. What there is to do stands in the outbox
file and nowhere else, so a restart goes on where a kill left off. Whether a request may leave is decided by the Router of
labkit/agents/hybrid.py: its big model is the cloud, reached through the outbox, so a private request is not even queued; peers are
behind the same rule.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from labkit.agents.choice import MOST_TOKENS, conversation, one_of
from labkit.agents.hybrid import Answer, Request, Router, by_margin, not_private
from labkit.backends.asgi import Locked, LoopbackServer
from labkit.backends.base import Endpoint
from labkit.deploy.edge.forward import Forwarder
from labkit.deploy.edge.outbox import Outbox
from labkit.deploy.edge.peers import Peers, least_waiting
from labkit.deploy.edge.wire import Place, configuration
from labkit.errors import EngineDied, EngineError, LabkitError, NoSpace, Refused

__all__ = ["Device", "request_of"]

WORKERS = 2
BUSY = 3  # requests that wait here before a peer is asked how many wait there
PAUSE_S = 0.05
ENGINE_REST_S = 1.0


def request_of(said: Any) -> Request:
    """Return the Request in a JSON object. Raises Refused for anything that is not exactly one; `private` must be said."""
    try:
        known = {"text", "options", "ask", "examples", "private"}
        options, examples = tuple(said["options"]), tuple((text, label) for text, label in said.get("examples", ()))
        good = type(said["private"]) is bool and isinstance(said["text"], str) and len(options) > 1
        if not good or set(said) - known or not all(isinstance(one, str) for one in options):
            raise ValueError("text, two options or more, and private: true or false")
        return Request(said["text"], options, str(said.get("ask", "")), examples, said["private"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refused("This is no request.", f"{type(error).__name__}: {error}", "") from None


class Device:
    """What one device does; `start()` begins to work on what its outbox holds."""

    def __init__(
        self,
        name: str,
        engine: Endpoint,
        box: Outbox,
        peers: Peers,
        forwarder: Forwarder,
        threshold: float,
        agents: Sequence[str],
    ):
        self.name, self.box, self.peers, self.forwarder, self.threshold = name, box, peers, forwarder, threshold
        self.agents, self.engine, self._small = tuple(agents), engine, by_margin(engine)
        self._lock, self._guests, self._engine_down = threading.Lock(), 0, 0.0
        self._later: dict[str, float] = {}  # request -> not before; inf while a worker has it

    def start(self) -> None:
        """Start the workers and the forwarder: threads that end with the process."""
        for number in range(WORKERS):
            threading.Thread(target=self._work, name=f"worker {number}", daemon=True).start()
        self.forwarder.start()

    def accept(self, id: str, body: Any) -> bool:
        """Take a request: it is on the disk when this returns; False if it was before. body: a request as JSON, and its agent.

        Raises Refused for what is no request, or for an agent that is not on this device; QueueFull, NoSpace.
        """
        agent = body.pop("agent", None) if isinstance(body, dict) else None
        if agent is not None and agent not in self.agents:
            raise Refused(f"{agent} is not on {self.name}.", f"here are {', '.join(self.agents)}", "")
        request = request_of(body)
        return self.box.accept(id, json.dumps(body, sort_keys=True, ensure_ascii=False), request.private)

    @property
    def waiting(self) -> int:
        """Requests that nobody has answered yet, the guests from peers included."""
        return self.box.open + self._guests

    @property
    def engine_up(self) -> bool:
        """Whether the engine of this device answered when it was asked last, or has rested since."""
        return time.monotonic() >= self._engine_down

    def answer_guest(self, request: Request) -> Answer:
        """Answer for a peer, here and now. Raises Refused for a private request: it should not have come."""
        if not_private(request) is not True:
            raise Refused("A private request came from a peer.", "it must not leave its device", "")
        with self._lock:
            self._guests += 1
        try:
            answer = self._own(request)
        finally:
            with self._lock:
                self._guests -= 1
        if answer.value is None:
            raise EngineDied(f"The engine of {self.name} gave no label.", "its answer does not fit the schema", "")
        return answer

    def answer(self, id: str, request: Request) -> bool:
        """Answer one request and keep the answer; False if nobody could be asked, and the cloud may not be."""
        who: list[str] = []
        router = Router(self._here_or_peer(who), lambda one: self._cloud(id, one), self.threshold)
        decision = router(request)
        if decision.by == "nobody" and not self.engine_up and not self.box.find(id).stored:
            return False
        by = who[-1] if decision.by == "small" else decision.by
        self.box.answer(id, decision.value, by, decision.reason, who[-1] if who else None)
        return True

    def _work(self) -> None:
        while True:
            taken = self._take()
            if taken is None:
                time.sleep(PAUSE_S)
                continue
            id, body = taken
            try:
                done = self.answer(id, request_of(json.loads(body)))
            except NoSpace:
                done = False
            with self._lock:
                self._later[id] = time.monotonic() + ENGINE_REST_S
                if done:
                    del self._later[id]

    def _take(self) -> tuple[str, str] | None:
        """Return the oldest request that no worker has and that need not rest."""
        with self._lock:
            now = time.monotonic()
            found = next((one for one in self.box.unanswered() if self._later.get(one[0], 0.0) <= now), None)
            if found:
                self._later[found[0]] = float("inf")
        return found

    def _own(self, request: Request) -> Answer:
        """This device's engine. One that failed is not asked again for a while."""
        if not self.engine_up:
            raise EngineDied(f"The engine of {self.name} is down.", "it failed a moment ago", "")
        try:
            return self._small(request)
        except EngineError:
            self._engine_down = time.monotonic() + ENGINE_REST_S
            raise

    def _here_or_peer(self, who: list[str]) -> Callable[[Request], Answer]:
        """The router's small model: this device's engine; a peer's, if this one is down or busy and the request may leave."""

        def small(request: Request) -> Answer:
            for name in self._places(request):
                try:
                    answer = self._own(request) if name == self.name else self._peer(name, request)
                except LabkitError:
                    continue
                who.append("small" if name == self.name else name)
                return answer
            raise EngineDied(f"Nobody whom {self.name} may ask answers.", "engine and peers are down", "")

        return small

    def _places(self, request: Request) -> list[str]:
        """Whom to ask, in order. A private request: this device alone."""
        if not_private(request) is not True:
            return [self.name]
        if self.engine_up and self.waiting < BUSY:
            return [self.name, *self.peers.places]
        known = self.peers.waiting()
        return least_waiting({**known, **({self.name: self.waiting} if self.engine_up else {})}, self.name)

    def _peer(self, name: str, request: Request) -> Answer:
        if not_private(request) is not True:  # the door asks again
            raise Refused("This request may not leave.", "it is marked as private", "")
        return self.peers.ask(name, asdict(request), self.engine.timeout)

    def _cloud(self, id: str, request: Request) -> Answer:
        """The router's big model, behind its one door: on the disk first, then sent; raises EngineError while it is not there."""
        messages = conversation(request.text, request.examples, request.ask)
        form = {"response_format": one_of(request.options), "max_tokens": MOST_TOKENS, "temperature": 0}
        self.box.put(id, json.dumps({"model": self.forwarder.model, "messages": messages, **form}))
        return self.forwarder.wait_for(id)


def main(config: dict[str, Any]) -> None:
    """Serve until the parent ends."""
    from labkit.deploy.edge.device_app import app

    threading.excepthook = _end
    engine, box = Endpoint(**config["engine"]), Outbox(Path(config["file"]))
    peers, cloud = Peers([Place(**one) for one in config["peers"]]), Place(**config["cloud"])
    forwarder = Forwarder(box, cloud, config["model"])
    device = Device(config["name"], engine, box, peers, forwarder, config["threshold"], config["agents"])
    with LoopbackServer(Locked(app(device), config["key"])) as server:
        device.start()
        print(f"listening on {server.address}", flush=True)
        server.join()


def _end(what: threading.ExceptHookArgs) -> None:
    """A worker broke: end the process rather than go on without it. Whoever restarts it finds everything in the file."""
    traceback.print_exception(what.exc_type, what.exc_value, what.exc_traceback)
    os._exit(70)


if __name__ == "__main__":
    main(configuration())
