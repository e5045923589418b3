"""Deploy a manifest on Ray Serve on this machine; it ends with this process, or with `down()`.

    with up(load(Path("shop.yaml"))) as deployment:
        deployment.base_url, deployment.keys["primary"]       # for any OpenAI client
        deployment.endpoint("primary")                        # the same as a labkit.Endpoint
        deployment.status()                                   # replicas, processes, memory
        deployment.update(load(Path("shop2.yaml")))           # replicas are replaced, no request is lost

Other processes find it by its name (`running()`, `attach`), through a note in labkit's folder that only this user can read.

Taught in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import errors
from labkit.backends.base import Endpoint
from labkit.backends.loopback import get, post_json
from labkit.backends.process import ServerProcess
from labkit.deploy import ray_check, ray_notes
from labkit.deploy.manifest import Manifest
from labkit.deploy.ray_notes import Note
from labkit.errors import ConfigError, EngineDied, EngineStartError, Refused
from labkit.progress import progress_bar

__all__ = ["RETRIES", "Deployment", "attach", "keys_of", "running", "up"]

START_S = 300.0  # Ray and the engines, on a busy machine
TRIES = 3  # Ray gives its own parts 15 seconds to come up, which a busy machine may not have
GRACE_S = 45.0  # between being told to drain and being killed
RETRIES = 12  # the openai client waits 0.5, 1, 2, 4, 8, 8 … seconds between them; a proxy took 2 to 27 to be back
STEPS = ("Starting Ray", "Starting replicas")
# Ray asks for no key by itself, listens on every address of the machine, and tells its makers how it is used; on a busy machine
# its parts take longer to find each other than it expects.
ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # in spite of its name: 0 keeps Ray on loopback, on Linux too
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "120000",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_COLOR_PREFIX": "0",
}


@dataclass
class Deployment:
    """A manifest that runs. base_url: for every client; keys: by model. process: if this process owns it, else None."""

    note: Note
    process: ServerProcess | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The manifest's."""
        return self.note.name

    @property
    def base_url(self) -> str:
        """Where clients ask; it ends in /v1."""
        return self.note.base_url

    @property
    def keys(self) -> dict[str, str]:
        """The key of each model."""
        return self.note.keys

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.alive if self.process else ray_notes.is_alive(self.note)

    def endpoint(self, model: str = "") -> Endpoint:
        """Return a model (default: the first) as a labkit Endpoint, for everything that takes one. Raises ConfigError."""
        name = model or next(iter(self.keys))
        if name not in self.keys:
            raise ConfigError(
                f"{self.name} has no model {name!r}.", f"it has {', '.join(self.keys)}", "labkit deploy status"
            )
        return Endpoint(backend="ray", base_url=self.base_url, model=name, api_key=self.keys[name])

    def client(self, model: str = "", retries: int = RETRIES):
        """Return the plain `openai.OpenAI` client of a model, which asks again where the way to the replicas is gone."""
        return self.endpoint(model).client().with_options(max_retries=retries)

    def status(self) -> dict[str, Any]:
        """Return what runs: {"status", "models": {name: {"status", "replicas": {state: n}, "target"}}, "processes", …}.

        Also `memory_bytes` of all processes, `replica_pids` by model, and `proxy_pid`. Raises EngineDied when it is gone.
        """
        try:
            code, text = get(self.note.control, "/status", self.note.control_key, timeout=30)
        except OSError as error:
            raise self._gone() from error
        return json.loads(text) | self._facts() if code == 200 else self._facts() | {"status": f"HTTP {code}"}

    def update(self, manifest: Manifest) -> dict[str, Any]:
        """Run another version of the manifest: every replica is replaced once its successor is there. Returns `status()`.

        Raises ConfigError for a manifest of another name, and what `up` raises.
        """
        if manifest.name != self.name:
            raise ConfigError(
                f"{manifest.name!r} is no version of {self.name!r}.", "the names differ", "labkit deploy up FILE"
            )
        keys = self.keys | keys_of([one for one in manifest.models if one.name not in self.keys])
        self.note.keys = {one.name: keys[one.name] for one in manifest.models}
        threads = ray_check.check(manifest, 0)
        wish = {"manifest": manifest.model_dump(mode="json"), "keys": self.note.keys, "threads": threads}
        try:
            found = post_json(self.note.control, "/update", wish, self.note.control_key, timeout=START_S)
        except OSError as error:
            raise self._gone() from error
        ray_notes.write(self.note)
        return found | self._facts()

    def down(self) -> None:
        """Answer what is under way, take nothing new, end everything. Twice is fine."""
        if self.process is None:
            ray_notes.end(self.note, GRACE_S)
            return
        try:
            post_json(self.note.control, "/down", {}, self.note.control_key)
            self.process.wait(GRACE_S)
        except (OSError, Refused):  # it is gone already, or will not listen
            pass
        finally:  # Ctrl-C a second time: not in order, but down
            self.process.stop()
            ray_notes.remove(self.note)

    def wait(self) -> None:
        """Return when somebody took it down. Raises EngineDied when it ended by itself."""
        while self.process.wait(0.5) is None:
            pass
        if self.process.returncode:
            raise self._gone()

    def _facts(self) -> dict[str, Any]:
        return {"name": self.name, "base_url": self.base_url, "pid": self.note.pid}

    def _gone(self) -> EngineDied:
        why = self.process.tail() if self.process else "it was ended or killed"
        return EngineDied(f"The deployment {self.name} is gone.", why, "labkit deploy up FILE")

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *exc) -> None:
        self.down()


def up(manifest: Manifest, port: int = 0, keys: dict[str, str] | None = None) -> Deployment:
    """Run a manifest on Ray Serve on this machine; return it when every replica is ready.

    port: 0 takes that of the manifest's first model. keys: by model; default: the variables that the manifest names (key_env),
    else fresh ones. Raises EngineMissing (Ray), OfflineError, OverBudget, ConfigError (it runs already), EngineStartError.
    """
    port = port or manifest.models[0].port
    if any(one.name == manifest.name for one in running()):
        why = "a second one would answer under the same name"
        raise ConfigError(f"{manifest.name} runs already.", why, f"labkit deploy down {manifest.name}")
    threads = ray_check.check(manifest, port)
    keys, control_key = keys or keys_of(manifest.models), secrets.token_urlsafe(24)
    wish = {"manifest": manifest.model_dump(mode="json"), "keys": keys, "port": port, "threads": threads}
    process, folder, control = _started({**wish, "control_key": control_key})
    address = f"http://127.0.0.1:{port}/v1"
    where = {"control": control, "control_key": control_key, "folder": str(folder)}
    deployment = Deployment(ray_notes.mine(manifest.name, base_url=address, keys=keys, **where), process)
    try:
        ray_notes.write(deployment.note)
    except BaseException:  # what no other process can find must not go on
        deployment.down()
        raise
    return deployment


def keys_of(models: list) -> dict[str, str]:
    """Return the key of each model: what its variable holds, else a fresh one for each variable."""
    fresh: dict[str, str] = {}
    names = {model.name: model.key_env for model in models}
    return {
        name: os.environ.get(variable) or fresh.setdefault(variable, secrets.token_urlsafe(24))
        for name, variable in names.items()
    }


def running() -> list[Deployment]:
    """Return the deployments of this user that run now, whoever owns them."""
    return [Deployment(note) for note in ray_notes.read()]


def attach(name: str = "") -> Deployment:
    """Return the deployment of that name, or the only one. Raises ConfigError."""
    found = running()
    names = ", ".join(one.name for one in found)
    if not found:
        raise ConfigError("Nothing is deployed here.", "it was ended, or never started", "labkit deploy up FILE")
    chosen = [one for one in found if one.name == name] if name else found
    if len(chosen) != 1:
        raise ConfigError(
            f"Which deployment: {name or 'no name was given'}?", f"there are {names}", "labkit deploy status"
        )
    return chosen[0]


def _started(wish: dict[str, Any]) -> tuple[ServerProcess, Path, str]:
    """Return the process that owns Ray, Ray's folder, and where it takes orders."""
    for left in reversed(range(TRIES)):
        # Short: Ray makes Unix sockets in it, whose whole path may have 107 characters.
        folder = Path(tempfile.mkdtemp(prefix=ray_notes.PREFIX, dir="/tmp" if os.name == "posix" else None))
        env = ENVIRONMENT | {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
        env["LABKIT_RAY"] = json.dumps({**wish, "folder": str(folder)})
        command = [sys.executable, "-m", "labkit.deploy.ray_host"]
        process = ServerProcess(
            command, label=f"ray {wish['manifest']['name']}", ready=_Ready(), env=env, grace=GRACE_S
        )
        try:
            return process, folder, process.start(START_S)
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not isinstance(error, EngineStartError):  # Ctrl-C
                raise
            if said := process.find(r"LABKIT (\{\"failed.*)"):
                raise _typed(said) from None
            if not left:
                raise
    raise AssertionError("unreachable")


class _Ready:
    """Look at what the host prints: show its steps, and return where it takes orders once it is ready."""

    def __init__(self):
        self.progress = progress_bar(unit="step")

    def __call__(self, process: ServerProcess) -> str | None:
        steps = sum(process.find(f'("step": "{step}")') is not None for step in STEPS)
        found = process.find(r'LABKIT \{"ready": \{"control": "([^"]+)')
        self.progress("Deploying", len(STEPS) + 1 if found else steps, len(STEPS) + 1)
        return found


def _typed(line: str) -> errors.LabkitError:
    kind, *parts = json.loads(line)["failed"]
    return getattr(errors, kind, EngineStartError)(*parts)
