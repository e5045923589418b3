"""One OpenAI-compatible server for the engines that have none: the engine and a small ASGI face, in a child process.

    endpoint = launch("openvino", model, settings, version="2026.4", engine="labkit.backends.bridge.openvino_engine", path=path)

face.py       HTTP: routes, the key, errors in OpenAI's shape, server-sent events
request.py    a request read strictly: what an engine cannot honour is refused by name
line.py       turns wait in line, run in threads, stop when their caller goes away; counters
text.py       tokens to whole characters; stop texts
contract.py   what an engine has to offer
server.py     the child process;  NAME_engine.py: one engine each

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import json
import secrets
import sys
from importlib import metadata
from pathlib import Path

from labkit.backends.base import Endpoint
from labkit.backends.loopback import check_identity
from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability, Settings

__all__ = ["installed", "launch"]

SERVER = Path(__file__).with_name("server.py")
FACE_NEEDS = ("starlette", "uvicorn")


def installed(package: str, extra: str, *also: str) -> Availability:
    """Say whether an engine's distribution, what it needs `also`, and what the face needs are installed; loads nothing."""
    try:
        version, *_ = [metadata.version(one) for one in (package, *also, *FACE_NEEDS)]
    except metadata.PackageNotFoundError as error:
        return Availability(
            False, why=f"the package {error.name} is not installed", fix=f"pip install 'labkit[{extra}]'"
        )
    return Availability(True, version)


def launch(name: str, model, settings: Settings, *, version: str, engine: str, path: Path, **more) -> Endpoint:
    """Start the child process for `model` (a catalog Model) and return its endpoint.

    engine: the module whose `load(options)` makes the engine. path: the weights. more: further options for it.
    Raises EngineStartError.
    """
    api_key = secrets.token_urlsafe(24)
    options = {
        "engine": engine,
        "path": str(path),
        "alias": model.ref,
        "api_key": api_key,
        "context": settings.context,
        "parallel": settings.parallel,
        "threads": settings.threads,
        **more,
    }
    process = ServerProcess(
        [sys.executable, "-I", SERVER],
        label=f"{name} {model.ref} threads={settings.threads}",
        ready=lambda server: server.find(r"LABKIT LISTENING (\S+)"),
        env={"LABKIT_BRIDGE": json.dumps(options)},
    )
    address = process.start(settings.start_timeout)
    check_identity(address, "/v1/models", api_key, process)
    return Endpoint(
        backend=name,
        engine_version=version,
        base_url=f"{address}/v1",
        api_key=api_key,
        model=model.ref,
        process=process,
    )
