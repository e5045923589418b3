"""Record what goes through an endpoint, for those who lack its engine.

    LABKIT_RECORD=FOLDER          # every connect(…, replay=True) is recorded into FOLDER/ENGINE/LESSON.jsonl
    labkit record 07              # the same for a whole lesson, into data/recordings, if the lesson was green

The endpoint then talks to a relay (relay.py) in a thread of this process, and the relay's tap writes each exchange when it is
over, so a process that is killed has recorded what came before.

Explained in CONTRIBUTING.md, section "Recordings".
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import labkit
from labkit.backends.base import Endpoint
from labkit.backends.recording import Stamp, canonical_request, file_for, in_pieces, line
from labkit.backends.relay import Exchange, LoopbackServer, relay_app
from labkit.errors import LabkitError

__all__ = ["record", "stamp"]


def record(endpoint: Endpoint, model: str, folder: str | Path, **settings: int) -> None:
    """Record from now on what goes through `endpoint`; `model` is its alias in data/models.toml.

    settings: how it was started (context, parallel), for whoever compares the recording with a live engine. Changes the
    endpoint's address and key to those of a relay. The first recording of this process replaces an older file.
    """
    traffic = _Recorder(_file(file_for(folder, endpoint.backend), endpoint), model, endpoint)
    with replace(endpoint, on_close=None) as unrecorded:  # the probes' own requests do not belong to the lesson
        known = unrecorded.capabilities.to_dict()
    about = {"name": endpoint.model, "settings": settings, "capabilities": known}
    traffic.add({"endpoint": True}, {"value": about})
    own_key = secrets.token_urlsafe(24)
    server = LoopbackServer(relay_app(endpoint, key=own_key, tap=traffic.tap))
    traffic.relay = {"base_url": f"{server.address}/v1", "api_key": own_key}
    endpoint.base_url, endpoint.api_key, endpoint.traffic = *traffic.relay.values(), traffic
    endpoint.before = traffic.before
    # Run at exit too: the last exchange is written once its caller has the answer, and the process may end right then.
    close_relay, let_go = weakref.finalize(endpoint, server.close), endpoint.on_close

    def close() -> None:
        close_relay()
        if let_go:
            let_go()

    endpoint.on_close = close


def stamp(endpoint: Endpoint, lesson: str) -> Stamp:
    """Return the stamp of a recording that is made here and now."""
    from labkit import hardware

    today = datetime.date.today().isoformat()
    machine = hardware.machine().summary
    return Stamp(endpoint.backend, endpoint.engine_version, machine, today, labkit.__version__, lesson)


class _Recorder:
    """The `traffic` of an endpoint that is recorded."""

    def __init__(self, file: _File, model: str, endpoint: Endpoint):
        self.file, self.model, self.name = file, model, endpoint.model
        self.own_check, self.endpoint = endpoint.before, weakref.ref(endpoint)
        self.engine = {"base_url": endpoint.base_url, "api_key": endpoint.api_key}
        self.relay: dict[str, str] = {}
        self.observing: list[list[float]] = []  # from when to when

    def add(self, ask: dict, answer: dict) -> None:
        self.file.append(line({"model": self.model, "ask": ask, "answer": answer}))

    def tap(self, exchange: Exchange) -> None:
        """Keep one exchange that went through the relay, but for those of an observation: in a replay nobody asks them."""
        began = time.perf_counter() - exchange.seconds
        if any(start <= began <= end for start, end in self.observing):
            return
        ask = canonical_request(exchange.method, exchange.path, exchange.body, self.name)
        answer = {
            "status": exchange.status,
            "type": exchange.content_type,
            "pieces": in_pieces(exchange.pieces, exchange.content_type),
        }
        # Broken off, by either side: the seconds until then matter, for nothing may have come at all.
        broken = {} if exchange.complete else {"broken_off": round(exchange.seconds, 4)}
        self.add(ask, answer | broken)

    def observe(self, name: str, function: Callable[[], object]) -> object:
        """Call `function`, keep its value (or its LabkitError) under `name`, and return it."""
        with self._directly():
            return self._kept({"observe": name}, lambda: json.loads(json.dumps(function())))

    def before(self, request: dict) -> dict:
        """Let the endpoint's own check change or refuse a request, and keep what it did: nobody checks in a replay."""
        if not self.own_check:
            return request
        said = json.dumps({**request, "model": self.name}, default=str).encode()
        ask = {"before": canonical_request("", "", said, self.name)["body"]}
        return request | self._kept(ask, lambda: _changes(request, self.own_check(request)))

    @contextlib.contextmanager
    def _directly(self) -> Iterator[None]:
        """Let the endpoint name the engine's own address for a while: what is measured there is not to hold the relay's time."""
        self.observing.append(span := [time.perf_counter(), math.inf])
        vars(self.endpoint()).update(self.engine)
        try:
            yield
        finally:
            vars(self.endpoint()).update(self.relay)
            span[1] = time.perf_counter()

    def _kept(self, ask: dict, function: Callable[[], object]) -> object:
        try:
            value = function()
        except LabkitError as error:
            self.add(ask, {"error": [type(error).__name__, error.what, error.why, error.fix]})
            raise
        if value or "before" not in ask:
            self.add(ask, {"value": value})
        return value


def _changes(before: dict, after: dict) -> dict:
    return {name: value for name, value in after.items() if before.get(name) != value}


class _File:
    """A recording that grows; its first line is the stamp."""

    def __init__(self, path: Path, first: Stamp):
        self.path, self._lock = path, threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line({"recording": asdict(first)}), encoding="utf-8")

    def append(self, text: str) -> None:
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(text)


_files: dict[Path, _File] = {}
_opening = threading.Lock()


def _file(path: Path, endpoint: Endpoint) -> _File:
    """Return the file of this process for `path`: endpoints of one engine and lesson share it."""
    with _opening:
        if path not in _files:
            _files[path] = _File(path, stamp(endpoint, path.stem))
        return _files[path]
