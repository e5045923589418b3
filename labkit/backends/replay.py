"""An engine that is not here, as it was: recorded answers (recording.py) from a server on loopback, and labelled.

    labkit.connect("vllm", replay=True)      # the live engine if it is here, else this, with a ReplayWarning
    endpoint.replayed                        # "replayed: recorded on 2026-11-22 with vllm 0.32.0 on 2 cores of AMD EPYC, …"

The same request gets the recorded answer, piece by piece and in the recorded time; asked again, the next one that was
recorded, then the last again and again. Any other request is refused with the way to get the engine. LABKIT_REQUIRE=vllm
forbids all this, LABKIT_REPLAY=vllm prefers it to the live engine, LABKIT_RECORDINGS=FOLDER reads from another folder.

Taught in notebook 05, section "Install".
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import warnings
import weakref
from collections import Counter
from functools import cache
from pathlib import Path

from labkit import paths
from labkit.backends.base import Endpoint
from labkit.backends.recording import file_for, key, load
from labkit.backends.settings import Availability

__all__ = ["Replay", "ReplayWarning", "folder", "instead", "preferred", "required"]


class ReplayWarning(UserWarning):
    """No live engine answers, but a recording of one."""


def required(engine: str) -> bool:
    """Whether LABKIT_REQUIRE (names with commas) demands that `engine` is live."""
    return engine in _names("LABKIT_REQUIRE")


def preferred(engine: str) -> bool:
    """Whether LABKIT_REPLAY (names with commas) wants the recording of `engine` even where the engine is."""
    return engine in _names("LABKIT_REPLAY") and not required(engine)


def folder() -> Path:
    """Return the folder of the recordings, one folder in it for each engine."""
    return Path(os.environ.get("LABKIT_RECORDINGS") or paths.data_dir() / "recordings")


def instead(engine: str, model: str, here: Availability) -> Endpoint | None:
    """Return an endpoint that answers from the recordings of `engine`, or None if it is here, must be, or was never recorded.

    model: its alias in data/models.toml. here: whether the engine is, and if not, why and what to do about it. The open
    lesson's recording is taken if there is one, else all of the engine. Warns with ReplayWarning. Raises EngineMissing when
    only other models were recorded, CourseError for a damaged recording.
    """
    if required(engine) or (here and not preferred(engine)) or not (files := _files(engine)):
        return None
    from labkit.backends import replay_label, replay_server
    from labkit.backends.asgi import Locked, LoopbackServer

    replay = _replay(tuple((file, file.stat().st_mtime_ns) for file in files))
    own_key, traffic = secrets.token_urlsafe(24), replay_server.Player(replay, model, here)
    server = LoopbackServer(Locked(traffic.app, own_key))
    endpoint = Endpoint(
        backend=engine,
        engine_version=replay.stamp.version,
        base_url=f"{server.address}/v1",
        api_key=own_key,
        model=traffic.name,
        replayed=replay.label,
        traffic=traffic,
        before=traffic.before,
    )
    endpoint.on_close = weakref.finalize(endpoint, server.close)
    endpoint.on_close.atexit = False
    replay_label.show_under_cells()
    how = f"{here.why or 'LABKIT_REPLAY names it'}{f'. Live: {here.fix}' if here.fix else ''}"
    warnings.warn(f"{engine} does not run here ({how}). Its answers are {replay.label}.", ReplayWarning, stacklevel=3)
    return endpoint


class Replay:
    """The recordings of one engine, and how far each answer has been given. `label` says where they come from."""

    def __init__(self, files: tuple[Path, ...]):
        recordings = [load(file) for file in files]
        self.stamp = min((one.stamp for one in recordings), key=lambda stamp: stamp.date)
        self.label = str(self.stamp)
        self.answers = {}
        for one in recordings:  # the first file that knows an answer gives it
            self.answers = one.answers | self.answers
        self.models = sorted({json.loads(text)["model"] for text in self.answers})
        self._given, self._lock = Counter(), threading.Lock()

    def next(self, model: str, ask: dict) -> dict | None:
        """Return the next recorded answer, the last one again when all were given, None when there is none."""
        asked = key(model, ask)
        with self._lock:
            recorded = self.answers.get(asked, [None])
            answer = recorded[min(self._given[asked], len(recorded) - 1)]
            self._given[asked] += 1
        return answer


def _names(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",")}


def _files(engine: str) -> list[Path]:
    """Return the file of the open lesson, or else every file of the engine."""
    own = file_for(folder(), engine)
    return [own] if own.is_file() else sorted((folder() / engine).glob("*.jsonl"))


@cache  # one a process: what was given is not given again by the next endpoint. A file that was renewed is another.
def _replay(files: tuple[tuple[Path, int], ...]) -> Replay:
    return Replay(tuple(path for path, _ in files))
