"""Engines behind one endpoint: `connect()` finds or starts the best one that is here.

    with labkit.connect() as endpoint: ...                       # auto: whatever is here, on the bundled model
    endpoint = labkit.connect("llamacpp", model="smollm2-135m")  # or say which

Environment variables take the place of "auto": LABKIT_BACKEND, LABKIT_MODEL, and LABKIT_BASE_URL with LABKIT_API_KEY for a
server that already runs. Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from dataclasses import replace
from importlib import import_module

from labkit.backends.base import Endpoint, Reply, Stream
from labkit.backends.capabilities import Capabilities, Capability
from labkit.backends.replay import ReplayWarning, instead
from labkit.backends.settings import Availability, Settings
from labkit.errors import ConfigError, EngineMissing, Refused, UnknownBackend
from labkit.nearest import meant

__all__ = [
    "Availability", "Capabilities", "Capability", "Endpoint", "EngineWarning", "ReplayWarning", "Reply", "Settings",
    "Stream", "available", "connect", "known_backend",
]  # fmt: skip

# Name -> module, in the order in which "auto" prefers them.
BACKENDS = {
    "llamacpp": "labkit.backends.llamacpp",
    "ollama": "labkit.backends.ollama",
    "foundry": "labkit.backends.foundry",
    "onnx": "labkit.backends.onnx",
    "openvino": "labkit.backends.openvino",
    "vllm": "labkit.backends.vllm",
    "mlx": "labkit.backends.mlx",
}


class EngineWarning(UserWarning):
    """Starting one more engine here will slow down or starve the ones that already run."""


def available() -> dict[str, Availability]:
    """Say for every engine whether it can be started here; loads none of them. Taught in notebook 08, section "Fair"."""
    return {name: _module(name).available() for name in BACKENDS}


def connect(
    backend: str = "auto",
    model: str = "auto",
    *,
    context: int = 2048,
    parallel: int = 4,
    threads: int | None = None,
    start_timeout: float | None = None,
    replay: bool = False,
    shared: bool = True,
) -> Endpoint:
    """Return an endpoint on this machine; the engine starts if it has to.

    backend: a name from `available()`, or "auto". model: an alias of data/models.toml, optionally with a variant
    ("smollm2-135m:q4_1"), or "auto" for the default. context: tokens of one conversation. parallel: conversations at once.
    threads: CPU threads of the engine; the default leaves one core free, because llama.cpp's threads spin while they wait.
    start_timeout: seconds; the default is 120, or what the engine's own module says (START_SECONDS).
    replay: where the engine is not here, take its recorded answers if the course has them: labelled, with a ReplayWarning, and
    never if LABKIT_REQUIRE names the engine. LABKIT_RECORD=FOLDER records what goes through such an endpoint of a live engine.
    shared: equal calls in one process share one engine; False starts one that is yours alone, to kill or flood.
    Raises UnknownBackend, UnknownModel, EngineMissing, EngineStartError, WeightsError.
    Taught in notebook 00, section "The first answer".
    """
    if backend == "auto" and os.environ.get("LABKIT_BASE_URL"):
        return _already_running(model)
    from labkit import catalog, hardware

    name = _choose(backend)
    here = _module(name).available()
    chosen = catalog.chosen(model, name)
    wanted = Settings(context, parallel, threads or hardware.bounded_threads(), start_timeout or _patience(name))
    if replay and (endpoint := instead(name, chosen.ref, here)):
        return endpoint
    if not here:
        raise EngineMissing(f"The engine {name} is not here.", here.why, here.fix)
    endpoint = _shared.connect(name, chosen, wanted, alone=not shared)
    if replay and os.environ.get("LABKIT_RECORD"):
        from labkit.backends.recorder import record

        record(endpoint, chosen.ref, os.environ["LABKIT_RECORD"], context=context, parallel=parallel)
    return endpoint


def known_backend(name: str) -> str:
    """Return the name of an engine as it is. Raises UnknownBackend, which names the nearest."""
    if name not in BACKENDS:
        raise UnknownBackend(f"There is no engine {name!r}.", meant(name, BACKENDS, "the engines are"), "labkit doctor")
    return name


def _choose(backend: str) -> str:
    name = os.environ.get("LABKIT_BACKEND", "auto") if backend == "auto" else backend
    if name == "auto":
        # One after the other: asking some engines for their version takes a while, and the first that is here will do.
        return next((one for one in BACKENDS if _module(one).available()), next(iter(BACKENDS)))
    return known_backend(name)


def _module(name: str):
    return import_module(BACKENDS[name])


def _patience(name: str) -> float:
    return getattr(_module(name), "START_SECONDS", Settings.start_timeout)


def _already_running(model: str) -> Endpoint:
    """Return an endpoint of the server that LABKIT_BASE_URL names; its model is the first that it lists, unless said."""
    from urllib.parse import urlsplit

    from labkit import disk
    from labkit.backends.loopback import LOOPBACK, get_json

    url, key = os.environ["LABKIT_BASE_URL"].rstrip("/"), os.environ.get("LABKIT_API_KEY", "none")
    parts, fix = urlsplit(url), disk.unset_variable("LABKIT_BASE_URL")
    if parts.hostname not in LOOPBACK:
        raise ConfigError(
            f"LABKIT_BASE_URL names another machine: {url}",
            "this course runs on your own machine; prompts would leave it",
            fix,
        )
    try:
        listed = get_json(f"{parts.scheme}://{parts.netloc}", f"{parts.path}/models", key).get("data", [])
    except (OSError, ValueError) as error:
        raise EngineMissing(f"No engine answers at LABKIT_BASE_URL={url}.", str(error), fix) from error
    if not listed:
        raise Refused(f"{url} lists no models.", "LABKIT_API_KEY is wrong, or none is loaded", fix)
    name = os.environ.get("LABKIT_MODEL", listed[0]["id"]) if model == "auto" else model
    return Endpoint(backend="external", base_url=url, model=name, api_key=key)


class _SharedEngines:
    """The engines of this process: equal wishes share one, and it stops when the last endpoint is closed or forgotten."""

    def __init__(self):
        self._lock = threading.RLock()  # re-entrant: a garbage-collected endpoint may release inside connect
        self._engines: dict[tuple, tuple[Endpoint, set]] = {}

    def connect(self, name: str, model, settings: Settings, *, alone: bool = False) -> Endpoint:
        key = (name, model.ref, replace(settings, start_timeout=0), object() if alone else None)
        with self._lock:
            if key in self._engines and not self._engines[key][0].alive:
                self._engines.pop(key)[0].process.stop()
            if key not in self._engines:
                _warn_if_crowded(name, model, settings)
                self._engines[key] = (_module(name).start(model, settings), set())
            engine, users = self._engines[key]
            return self._handle(engine, key, users)

    def _handle(self, engine: Endpoint, key: tuple, users: set) -> Endpoint:
        token = object()
        users.add(token)
        handle = replace(engine, context=key[2].context)
        # Not run at exit: the leash ends the engine then, without the time that stopping politely takes.
        release = weakref.finalize(handle, self._release, key, engine, users, token)
        release.atexit = False
        handle.on_close = release
        return handle

    def _release(self, key: tuple, engine: Endpoint, users: set, token: object) -> None:
        with self._lock:
            users.discard(token)
            if users:
                return
            if self._engines.get(key, (None,))[0] is engine:
                del self._engines[key]
        if engine.process:
            engine.process.stop()


_shared = _SharedEngines()


def _warn_if_crowded(name: str, model, settings: Settings) -> None:
    from labkit import hardware, weights
    from labkit.backends.process import running_servers

    others = [one for one in running_servers() if "threads=" in one["label"]]
    here = hardware.machine()
    taken = sum(int(one["label"].rpartition("threads=")[2]) for one in others)
    names = ", ".join(f"{one['label']} (process {one['pid']})" for one in others)
    close = "Close the other notebook's kernel, or call endpoint.close() there."
    if others and taken + settings.threads > here.cores_usable.value:
        what = (
            f"Another engine runs on these {here.cores_usable.value} cores: {names}. Both will be several times slower."
        )
        warnings.warn(f"{what} {close}", EngineWarning, stacklevel=4)
    fit = weights.fits(model, here, context=settings.context, parallel=settings.parallel, engine=name)
    if not fit:
        warnings.warn(
            f"{fit.reason} {f'Running: {names}. {close}' if others else ''}".strip(), EngineWarning, stacklevel=4
        )
