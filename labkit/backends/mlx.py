"""Apple's MLX (package `mlx-lm`): its own server, on the GPU of Apple silicon; on a CPU under Linux to prove the same code.

    labkit.connect("mlx")                             # the bundled model, from labkit's own safetensors folder
    labkit.connect("mlx", model="smollm2-135m:4bit")  # the same in four bits

On Linux it computes in float32, some ten tokens a second: good for a test, not for work. The server runs in a child process,
behind a door that it lacks (mlx_server.py): a key, one model, and no request that reaches past this machine.

Taught in notebook 08, section "Choose".
"""

from __future__ import annotations

import json
import platform
import secrets
import shutil
import sys
from importlib import metadata
from pathlib import Path

from labkit.backends.base import Endpoint
from labkit.backends.loopback import check_identity
from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability, Settings
from labkit.errors import OfflineError
from labkit.progress import progress_bar

SERVER = Path(__file__).with_name("mlx_server.py")


def available() -> Availability:
    """Say whether MLX is installed and has a build for this machine, and which version; loads nothing."""
    here = (sys.platform, platform.machine())
    if here[0] != "linux" and here != ("darwin", "arm64"):
        why = "MLX runs on Apple silicon, and on Linux to try it out"
        return Availability(False, why=why, fix="labkit doctor  # the other engines")
    try:
        _, version = metadata.version("mlx"), metadata.version("mlx-lm")
    except metadata.PackageNotFoundError as error:
        return Availability(False, why=f"the package {error.name} is not installed", fix="pip install 'labkit[mlx]'")
    return Availability(True, version)


def start(model, settings: Settings) -> Endpoint:
    """Start mlx_lm's server on `model` (a catalog Model) and return its endpoint.

    Converts the weights if they are not here (seconds); those of a hub have to be in its cache. Raises WeightsError for a bad
    or missing file (OfflineError for one of a hub), EngineStartError if the server does not come up.
    """
    path = _weights(model)
    api_key = secrets.token_urlsafe(24)
    options = {
        "path": str(path),
        "alias": model.ref,
        "api_key": api_key,
        "context": settings.context,
        "parallel": settings.parallel,
    }
    process = ServerProcess(
        [sys.executable, "-I", SERVER],
        label=f"mlx {model.ref} threads={settings.threads}",
        ready=lambda server: server.find(r"LABKIT LISTENING (\S+)"),
        env={"LABKIT_MLX": json.dumps(options), **_environment(settings.threads)},
    )
    address = process.start(settings.start_timeout)
    check_identity(address, "/v1/models", api_key, process)
    return Endpoint(
        backend="mlx",
        engine_version=available().version,
        base_url=f"{address}/v1",
        api_key=api_key,
        model=model.ref,
        process=process,
    )


def _weights(model) -> Path:
    from labkit import convert

    source = model.source("mlx")
    if source.via != "hub":
        return convert.ensure(model, "mlx", progress_bar())
    from huggingface_hub import snapshot_download  # mlx-lm brings it
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source.id, local_files_only=True))
    except LocalEntryNotFoundError:
        why = "an engine that starts asks no hub, and this model comes from one"
        raise OfflineError(f"{source.id} is not on this disk.", why, f"hf download {source.id}") from None


def _environment(threads: int) -> dict[str, str]:
    found = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    found |= {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    # On a CPU, MLX has g++ compile its small kernels while it runs. Without a compiler it can do with the ready-made ones.
    if sys.platform == "linux" and not shutil.which("g++"):
        found["MLX_DISABLE_COMPILE"] = "1"
    return found
