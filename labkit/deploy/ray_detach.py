"""Deploy in the background: the same command in a process of its own, which `labkit deploy down` ends.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from labkit import paths
from labkit.deploy import ray_check
from labkit.deploy.manifest import Manifest
from labkit.deploy.ray_up import GRACE_S, START_S, TRIES, Deployment, keys_of, running
from labkit.errors import EngineStartError

__all__ = ["detach"]

POLL_S = 0.2
COMMAND = [sys.executable, "-c", "from labkit.cli import main; main()", "deploy", "up"]


def detach(file: Path, manifest: Manifest, port: int = 0) -> Deployment:
    """Run the manifest of `file` in the background, and return it when every replica is ready. Raises what `up` raises."""
    ray_check.check(manifest, port or manifest.models[0].port)
    log = paths.home() / "deployed" / f"{manifest.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    keys = keys_of(manifest.models)
    environment = os.environ | {model.key_env: keys[model.name] for model in manifest.models}
    session = {"start_new_session": True} if os.name != "nt" else {"creationflags": _detached()}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, str(file.resolve()), "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the keys are printed there
            stderr=out,
            **session,
        )
    return _ready(process, manifest.name, log)


def _detached() -> int:
    """What Windows calls a process without a console, in a group of its own."""
    return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP


def _ready(process: subprocess.Popen, name: str, log: Path) -> Deployment:
    ends = time.monotonic() + START_S * TRIES
    try:
        while process.poll() is None and time.monotonic() < ends:
            if found := [one for one in running() if one.note.pid == process.pid]:
                return found[0]
            time.sleep(POLL_S)
    except BaseException:  # Ctrl-C while it starts: nothing goes on that nobody knows of
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        raise
    process.kill()
    why = log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
    raise EngineStartError(f"{name} did not come up.", why, "labkit deploy up FILE")
