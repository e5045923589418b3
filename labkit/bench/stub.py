"""The endpoint of stub_server.py, a chat server without a model: what is timed on it is the client alone.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from labkit.backends.base import Endpoint
from labkit.backends.process import ServerProcess

__all__ = ["stub"]

SERVER = Path(__file__).with_name("stub_server.py")


@contextlib.contextmanager
def stub() -> Iterator[Endpoint]:
    """Yield the endpoint of a stub server, which ends with the block. Raises EngineStartError."""
    process = ServerProcess(
        [sys.executable, "-I", SERVER], label="stub", ready=lambda server: server.find(r"STUB LISTENING (\S+)")
    )
    address = process.start(20)
    try:
        with Endpoint(backend="stub", base_url=f"{address}/v1", model="stub", api_key="stub") as endpoint:
            yield endpoint
    finally:
        process.stop()
