"""The partition drill: a device goes offline, is killed and comes back; then every accepted request is accounted for.

    report = drill(example(2), endpoint, seconds=60)
    report["ok"], report["problems"], report["devices"]["edge-1"]

While it is offline, the device takes requests, answers them itself, and keeps for later what it is unsure of. Half way, it is
killed. After the partition two answers of the cloud are lost, so that the device has to send again; then another device loses
its engine, and its peers answer for it. Each client counts for itself what was accepted, the files say what became of it, and the
links watch for the mark of the private requests.

Explained in notebook 12, section "The edge".
"""

from __future__ import annotations

import secrets
import tempfile
import time
from pathlib import Path
from typing import Any

from labkit.agents.routing_set import items
from labkit.backends.base import Endpoint
from labkit.deploy.edge.account import account
from labkit.deploy.edge.clients import Client
from labkit.deploy.edge.layout import CLOUD, layout
from labkit.deploy.edge.site import Site
from labkit.deploy.edge.wire import call
from labkit.deploy.manifest import Manifest
from labkit.progress import Progress, silent

__all__ = ["drill"]

THRESHOLD = 4.0  # nats; so that a drill has both: requests that the small model is sure of, and ones that it passes on
BURST = 3  # requests at once at the device without an engine
LOST_ANSWERS = 2
DRAIN_S = 240.0  # the longest wait, on a busy machine, until all that was accepted is answered
STEP_S = 0.1


def drill(
    manifest: Manifest,
    engine: Endpoint,
    *,
    seconds: float = 60.0,
    per_second: float = 1.0,
    folder: Path | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run the drill and return the report: `ok`, `problems` in words, counts of each device and of the cloud tier.

    engine: plays every model of the manifest. seconds: offline. per_second: requests at each device, at most.
    folder: keeps the devices' files; default a temporary one. Raises ConfigError for a manifest that is no edge, EngineStartError.
    """
    who, mark = layout(manifest), f"private-{secrets.token_hex(6)}"
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary,
        Site(who, engine, folder or Path(temporary), THRESHOLD, (mark.encode(),)) as site,
    ):
        requests = [one.request for one in items("kept")]
        clients = {name: Client(site, name, requests, mark) for name in who.devices}
        run = _Run(site, clients, seconds, per_second, progress)
        run.all()
        links = {link.name: _seen(link) for link in site.links.all.values()}
        extra = {"seconds_offline": seconds, "played_by": f"{engine.backend} {engine.model}", "models": who.models}
        extra |= {"agents": who.agents}
        return {**account(run.facts, site, clients, mark), **extra, "links": links, **run.facts}


def _seen(link: Any) -> dict[str, int]:
    return {"connections": link.connections, "bytes": link.bytes_up, "private_seen": link.seen}


class _Run:
    """The phases of one drill, in order. facts: what was seen on the way."""

    def __init__(self, site: Site, clients: dict[str, Client], seconds: float, per_second: float, progress: Progress):
        self.site, self.clients, self.seconds, self.per_second = site, clients, seconds, per_second
        self.progress, self.victim, self.other = progress, site.who.devices[0], site.who.devices[1]
        self.facts: dict[str, Any] = {}

    def all(self) -> None:
        """Run every phase."""
        for client in self.clients.values():
            client.start(self.per_second)
        self._wait("online", max(2.0, self.seconds / 10))
        self._offline()
        self._back()
        for client in self.clients.values():
            client.stop()
        self._engine_down()
        self.facts["seconds_to_drain"] = self._drain()
        self.facts["answers_lost"] = self.site.links.all[f"{self.victim} to {CLOUD}"].lost_answers

    def _offline(self) -> None:
        self.site.cut(self.victim)
        self.facts["offline_device"] = self.victim
        before = len(self.clients[self.victim].accepted)
        self._wait("offline", self.seconds / 2)
        self.site.kill(self.victim)
        killed = time.monotonic()
        self.site.start(self.victim)
        self.facts["seconds_to_restart"] = round(time.monotonic() - killed, 2)
        self._wait("offline, killed and back", self.seconds / 2)
        self._until_stored()
        self.facts["accepted_offline"] = len(self.clients[self.victim].accepted) - before
        self.facts["stored_when_back"] = self._counts(self.victim)["waiting"]

    def _until_stored(self) -> None:
        """Go on asking, where the model was sure of all that came in a short partition: something has to be kept for later."""
        until = time.monotonic() + DRAIN_S
        while not self._counts(self.victim)["waiting"] and time.monotonic() < until:
            self._ask(self.victim, 1, "offline, until a request is stored")

    def _back(self) -> None:
        """Heal the partition, with a slow network that loses the first answers."""
        to_cloud = self.site.links.all[f"{self.victim} to {CLOUD}"]
        to_cloud.delay_s, to_cloud.lose_answers = 0.02, LOST_ANSWERS
        self.site.heal(self.victim)
        self._wait("online again", max(2.0, self.seconds / 10))

    def _engine_down(self) -> None:
        """Stop the engine of the other device until peers have answered for it; what is private has to wait for the engine."""
        self.site.stop_engine(self.other)
        private, until = self.clients[self.other].ask(private=True), time.monotonic() + DRAIN_S
        while not self._peers_took() and self.site.who.peers[self.other] and time.monotonic() < until:
            self._wait("engine down", STEP_S)
        self.facts["private_waited"] = self._state(self.other, private)["by"] is None
        self.site.start_engine(self.other)

    def _peers_took(self) -> bool:
        """Whether a peer was asked for one of a burst of requests."""
        return any(one["first"] in self.site.who.devices for one in self._ask(self.other, BURST, "engine down"))

    def _ask(self, name: str, requests: int, label: str) -> list[dict[str, Any]]:
        """Ask so many that are not private, wait until they are answered, and return their states."""
        ids, until = [self.clients[name].ask(private=False) for _ in range(requests)], time.monotonic() + DRAIN_S
        while any(self._state(name, one)["by"] is None for one in ids) and time.monotonic() < until:
            self._wait(label, STEP_S)
        return [self._state(name, one) for one in ids]

    def _drain(self) -> float:
        started = time.monotonic()
        while time.monotonic() < started + DRAIN_S:
            counts = [self._counts(name) for name in self.clients]
            left = sum(one["unanswered"] + one["waiting"] for one in counts)
            all_ = sum(one["accepted"] for one in counts)
            self.progress("answering and forwarding what is left", all_ - left, all_)
            if not left:
                break
            time.sleep(STEP_S)
        return round(time.monotonic() - started, 2)

    def _state(self, name: str, id: str) -> dict[str, Any]:
        return call(self.site.place(name), "GET", f"/requests/{id}", timeout=30)[1]

    def _counts(self, name: str) -> dict[str, int]:
        return call(self.site.place(name), "GET", "/counts", timeout=30)[1]

    def _wait(self, label: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.progress(f"{label}, s", round(seconds - left), round(seconds))
            time.sleep(min(STEP_S, left))
