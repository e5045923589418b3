"""A whole edge on this machine: device processes, the cloud tier's process, one real engine for all, and a bad network between.

    with Site(layout(manifest), engine, folder, threshold=1.5) as site:
        call(site.place("edge-1"), "PUT", "/requests/id-1", request)
        site.cut("edge-1"); site.kill("edge-1"); site.start("edge-1"); site.heal("edge-1")

Each device speaks to the engine through a relay with a key of its own, which can be stopped: to the device, its engine is down.
Everything between two processes goes through a Link. Real are the processes, sockets, files and answers; simulated are the distance
and the second machine: all run on loopback, and no network namespace is needed.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

import json
import secrets
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.backends.asgi import LoopbackServer
from labkit.backends.base import Endpoint
from labkit.backends.process import ServerProcess
from labkit.backends.relay import relay_app
from labkit.deploy.edge.layout import CLOUD, Layout
from labkit.deploy.edge.link import Link, Links
from labkit.deploy.edge.wire import CONFIG, Place

__all__ = ["Site"]

START_S = 120.0


class Site:
    """What runs. A context manager. engine: an Endpoint that all share. folder: of the devices' files. watched: as for Links.

    threshold: of the devices' routers, in nats. Raises EngineStartError if a process does not start.
    """

    def __init__(self, who: Layout, engine: Endpoint, folder: Path, threshold: float, watched: tuple[bytes, ...] = ()):
        self.who, self.engine, self.folder, self.threshold = who, engine, Path(folder), threshold
        self._names = [*who.devices, CLOUD]
        self._keys = {name: secrets.token_urlsafe(24) for name in self._names}
        self._processes: dict[str, ServerProcess] = {}
        self._addresses: dict[str, str] = {}
        self._relays: dict[str, LoopbackServer] = {}
        _ = engine.capabilities  # asked once here, so that each device finds them
        self.links = Links(watched)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def place(self, name: str) -> Place:
        """Return where a client on the device itself asks: the network is not between them."""
        return Place(name, self._addresses[name], self._keys[name])

    def file(self, name: str) -> Path:
        """Return the SQLite file of a device, or of the cloud tier."""
        return self.folder / f"{name}.sqlite"

    def links_of(self, name: str) -> list[Link]:
        """Return the links from and to a device."""
        return [link for title, link in self.links.all.items() if name in title.split(" to ")]

    def cut(self, name: str) -> None:
        """Take a device off the network, both ways."""
        for link in self.links_of(name):
            link.cut()

    def heal(self, name: str) -> None:
        """Put it back."""
        for link in self.links_of(name):
            link.heal()

    def start(self, name: str) -> None:
        """Start a process and wait until it listens; it has the file that an earlier one of this name left."""
        role, config = ("receiver", self._cloud()) if name == CLOUD else ("device", self._device(name))
        process = ServerProcess(
            [sys.executable, "-m", f"labkit.deploy.edge.{role}"],
            label=f"edge {name}",
            ready=lambda server: server.find(r"listening on (\S+)"),
            env={CONFIG: json.dumps(config)},
        )
        self._processes[name] = process
        self._addresses[name] = str(process.start(START_S))
        for title, link in self.links.all.items():
            if title.endswith(f" to {name}"):
                link.target = urlsplit(self._addresses[name]).port

    def kill(self, name: str) -> None:
        """End a process with KILL, as a power failure would; `start` brings it back."""
        self._processes[name].kill()
        self._processes[name].stop()

    def stop_engine(self, name: str) -> None:
        """To this device, its engine is down from now on."""
        self._relays[name].close()

    def start_engine(self, name: str) -> None:
        """Put a relay before the engine for `name`, at the same port as before if there was one."""
        before = self._relays.get(name)
        app = relay_app(self.engine, key=self._keys[name])
        self._relays[name] = LoopbackServer(app, before.port if before else 0)

    def close(self) -> None:
        """End everything but the engine. Twice is fine."""
        for process in self._processes.values():
            process.stop()
        for relay in self._relays.values():
            relay.close()
        self.links.close()

    def __enter__(self) -> Site:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def _open(self) -> None:
        for name, peers in self.who.peers.items():
            for other in (*peers, CLOUD):
                self.links.open(f"{name} to {other}")
        for name in self._names:
            self.start_engine(name)
        with ThreadPoolExecutor(len(self._names)) as pool:
            list(pool.map(self.start, self._names))

    def _device(self, name: str) -> dict[str, Any]:
        engine = {"backend": self.engine.backend, "model": self.engine.model, "timeout": self.who.timeouts[name]}
        engine |= {"engine_version": self.engine.engine_version, "api_key": self._keys[name]}
        peers = [asdict(Place(one, self._link(name, one), self._keys[one])) for one in self.who.peers[name]]
        return {
            "name": name,
            "key": self._keys[name],
            "agents": self.who.agents[name],
            "file": str(self.file(name)),
            "engine": {**engine, "base_url": f"{self._relays[name].address}/v1"},
            "cloud": asdict(Place(CLOUD, self._link(name, CLOUD), self._keys[CLOUD])),
            "peers": peers,
            "model": self.engine.model,
            "threshold": self.threshold,
        }

    def _cloud(self) -> dict[str, Any]:
        key = self._keys[CLOUD]
        engine = {"engine": f"{self._relays[CLOUD].address}/v1", "engine_key": key}
        return {"key": key, "file": str(self.file(CLOUD)), **engine}

    def _link(self, one: str, other: str) -> str:
        return self.links.all[f"{one} to {other}"].address
