"""One replica of a model: a process of Ray's that owns one engine, and passes requests on to it.

Both live and die together: Ray hears at once when a process is gone, and late when something in it is.

At work in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from labkit.backends.loopback import transport
from labkit.errors import EngineDied

__all__ = ["Replica", "stay_on_loopback"]

LOOPBACK = "127.0.0.1"
WATCH_S = 0.1
HEALTH_TIMEOUT_S = 20.0  # a busy engine on a busy machine is not a dead one


class Replica:
    """An engine of its own, started as `engine` says (see ray_app.engine_of)."""

    def __init__(self, engine: dict[str, Any]):
        stay_on_loopback()
        self.endpoint, self.client = _start(engine), None
        threading.Thread(target=self._end_with_the_engine, daemon=True).start()

    async def answer(self, path: str, body: bytes) -> AsyncIterator[tuple[int, str] | bytes]:
        """Yield (status, content type), then the pieces of the engine's answer as they come. Raises EngineDied."""
        import httpx2

        headers = {"Authorization": f"Bearer {self.endpoint.api_key}", "Content-Type": "application/json"}
        address = self.endpoint.base_url.removesuffix("/v1")
        try:
            async with self._open().stream("POST", address + path, content=body, headers=headers) as response:
                yield response.status_code, response.headers.get("content-type", "application/json")
                async for piece in response.aiter_raw():
                    yield piece
        except httpx2.TransportError as error:
            raise EngineDied("The engine of this replica is gone.", type(error).__name__) from None

    async def check_health(self) -> None:
        """Be asked by Ray now and then; raises if the engine does not answer, and Ray starts another replica."""
        address = self.endpoint.base_url.removesuffix("/v1")
        response = await self._open().get(f"{address}/health", timeout=HEALTH_TIMEOUT_S)
        response.raise_for_status()

    def _open(self):
        """Return the HTTP client, made in the event loop that uses it; no proxy, and an answer may take any time."""
        import httpx2

        if self.client is None:
            timeout = httpx2.Timeout(None, connect=10)
            self.client = httpx2.AsyncClient(timeout=timeout, **transport())
        return self.client

    def _end_with_the_engine(self) -> None:
        while self.endpoint.alive:
            time.sleep(WATCH_S)
        os._exit(1)

    def __del__(self) -> None:
        """Be called by Ray when the replica is taken away: the engine ends before the process does."""
        self.endpoint.close()


def stay_on_loopback() -> None:
    """Keep this replica's port for other replicas on this machine, if Ray is: Serve 2.60 opens it on every address, without a key.

    Serve reads no setting for it, and opens the port after the constructor of what it serves, which is where this is called.
    """
    import ray
    from ray._common.tls_utils import add_port_to_grpc_server
    from ray.serve._private import replica

    if ray.util.get_node_ip_address() == LOOPBACK:
        replica.add_port_to_grpc_server = lambda server, address: add_port_to_grpc_server(
            server, address.replace("[::]", LOOPBACK)
        )


def _start(engine: dict[str, Any]):
    """Return the endpoint of a new engine: of the catalogue's model, or of a file."""
    import labkit

    shape = {key: engine[key] for key in ("context", "parallel", "threads")}
    if Path(engine["source"]).is_file():
        from labkit.backends import llamacpp
        from labkit.backends.settings import Settings

        return llamacpp.serve(Path(engine["source"]), engine["name"], Settings(**shape))
    return labkit.connect(engine["engine"], engine["source"], **shape, shared=False)
