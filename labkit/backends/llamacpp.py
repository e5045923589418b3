"""The embedded engine: llama.cpp's server on the CPU (or a GPU build), from the prebuilt wheel `xllamacpp`.

It is installed with labkit, needs no compiler and no other program, and is what `connect()` falls back to. Taught in notebook
00, section "What runs here".
"""

from __future__ import annotations

import json
import platform
import secrets
import sys
from importlib import metadata
from pathlib import Path

from labkit.backends.base import Endpoint
from labkit.backends.loopback import check_identity
from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability, Settings
from labkit.progress import progress_bar

SERVER = Path(__file__).with_name("llamacpp_server.py")


def available() -> Availability:
    """Say whether the engine is installed, and which version; loads nothing."""
    try:
        return Availability(True, metadata.version("xllamacpp"))
    except metadata.PackageNotFoundError:
        if (sys.platform, platform.machine()) == ("win32", "ARM64"):
            why = "xllamacpp has no build for Windows on ARM"
            return Availability(False, why=why, fix="pip install 'labkit[onnx]'")
        return Availability(False, why="the package xllamacpp is not installed", fix="pip install xllamacpp")


def start(model, settings: Settings) -> Endpoint:
    """Start a server for `model` (a catalog Model) and return its endpoint.

    Fetches the weights if they are not here. Raises WeightsError for a bad or missing file, EngineStartError if the server
    does not come up.
    """
    from labkit import weights

    return serve(weights.ensure(model, engine="llamacpp", progress=progress_bar()), model.ref, settings)


def serve(path: Path, name: str, settings: Settings) -> Endpoint:
    """Start a server for a GGUF file under a name of your own, and return its endpoint, which stops it when closed.

    Raises BadModelFile, EngineStartError.
    """
    from labkit import gguf_file

    gguf_file.check(path)
    api_key = secrets.token_urlsafe(24)
    options = {
        "model": str(path),
        "alias": name,
        "api_key": api_key,
        "parallel": settings.parallel,
        "context": settings.context,
        "threads": settings.threads,
    }
    process = ServerProcess(
        [sys.executable, "-I", SERVER],
        label=f"llamacpp {name} threads={settings.threads}",
        ready=lambda server: server.find(r"LABKIT LISTENING (\S+)"),
        env={"LABKIT_LLAMACPP": json.dumps(options)},
    )
    address = process.start(settings.start_timeout)
    check_identity(address, "/props", api_key, process)
    return Endpoint(
        backend="llamacpp",
        engine_version=metadata.version("xllamacpp"),
        base_url=f"{address}/v1",
        api_key=api_key,
        model=name,
        process=process,
        on_close=process.stop,
    )
