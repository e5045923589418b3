"""A pass-through on loopback: whatever comes with our key goes on to an engine's server with the engine's key, and back.

    with LoopbackServer(relay_app(endpoint, key="mine", tap=print)) as server:
        OpenAI(base_url=f"{server.address}/v1", api_key="mine")

Every route passes (/v1/*, /metrics, /api/*), in both directions as it comes: nothing waits for the end of an answer. A caller
who goes away is heard at the engine, which stops. `tap` sees each exchange once it is over. `labkit serve` and the recorder
(recorder.py) stand on this.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from labkit.backends.asgi import Locked, LoopbackServer, send_error, until_gone
from labkit.backends.base import Endpoint
from labkit.backends.loopback import transport

__all__ = ["Exchange", "LoopbackServer", "relay_app"]

# These belong to one connection, not to the message (RFC 9110, 7.6.1); host and key are the engine's own, and a compressed
# answer could not be read by a tap.
HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
NOT_UP = HOP | {"host", "authorization", "accept-encoding", "expect"}


@dataclass
class Exchange:
    """One request and its answer, as a tap sees them.

    method, path (with its query), body: what was asked. status, content_type, pieces: what came back; a piece is
    (seconds since the request, bytes). complete: False if either side left before the end; status 0: no answer came at all.
    seconds: from the request to the end.
    """

    method: str
    path: str
    body: bytes = b""
    status: int = 0
    content_type: str = ""
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False
    seconds: float = 0.0


Tap = Callable[[Exchange], object]


def relay_app(upstream: Endpoint | str, upstream_key: str = "", key: str = "", tap: Tap | None = None):
    """Return the ASGI application that passes everything on to `upstream`.

    upstream: an Endpoint (its key is known then), or the address of a server on this machine ("http://127.0.0.1:11434").
    upstream_key: its key, "" for none. key: what callers must show. tap: called with each Exchange when it is over, in the
    server's thread; bodies are kept for it alone.
    """
    if isinstance(upstream, Endpoint):
        upstream, upstream_key = upstream.base_url, upstream.api_key
    if not key:
        raise ValueError("a relay needs a key of its own")
    parts = urlsplit(upstream)
    return Locked(_Relay(f"{parts.scheme}://{parts.netloc}", upstream_key, tap), key)


class _Relay:
    def __init__(self, address: str, key: str, tap: Tap | None):
        self.address, self.tap = address, tap
        self.own_headers = [(b"accept-encoding", b"identity")]
        self.own_headers += [(b"authorization", f"Bearer {key}".encode())] if key else []
        self.client = None  # made in the event loop that uses it

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(receive, send)
        with contextlib.suppress(asyncio.CancelledError):  # the caller left, or the server stops
            await self._pass(scope, receive, send)

    async def _live(self, receive, send) -> None:
        import httpx2

        any_time = httpx2.Timeout(None, connect=10)
        async with httpx2.AsyncClient(timeout=any_time, **transport()) as self.client:
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _pass(self, scope, receive, send) -> None:
        """Send one request on and its answer back; whoever leaves ends it for both."""
        import httpx2

        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        exchange, started = Exchange(scope["method"], path), time.perf_counter()
        leaver = _Leaver(receive, asyncio.current_task())
        request = self._request(scope, exchange, leaver)
        try:
            response = await self.client.send(request, stream=True)
            try:
                await self._answer(response, exchange, started, send)
            finally:
                await response.aclose()
        except httpx2.RequestError as error:
            # Once the answer has begun, returning without an end closes the caller's connection, as the engine closed ours.
            if not exchange.status:
                await send_error(send, 502, f"The engine's server is gone: {error!r}", "engine_gone")
        finally:
            leaver.stop()
            exchange.seconds = time.perf_counter() - started
            if self.tap:
                self.tap(exchange)

    def _request(self, scope, exchange: Exchange, leaver: _Leaver):
        headers = [(name, value) for name, value in scope["headers"] if name.decode("latin-1") not in NOT_UP]
        has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
        content = self._body(exchange, leaver) if has_body else None
        if not has_body:
            leaver.watch()
        return self.client.build_request(
            exchange.method, self.address + exchange.path, headers=[*headers, *self.own_headers], content=content
        )

    async def _body(self, exchange: Exchange, leaver: _Leaver) -> AsyncIterator[bytes]:
        async for block in leaver.body():
            if self.tap:
                exchange.body += block
            yield block

    async def _answer(self, response, exchange: Exchange, started: float, send) -> None:
        exchange.status, exchange.content_type = response.status_code, response.headers.get("content-type", "")
        headers = [
            (name.lower(), value) for name, value in response.headers.raw if name.decode("latin-1").lower() not in HOP
        ]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        async for piece in response.aiter_raw():
            if self.tap:
                exchange.pieces.append((time.perf_counter() - started, piece))
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        exchange.complete = True
        await send({"type": "http.response.body", "body": b""})


class _Leaver:
    """The caller's side of a request: its body, then word that the caller has gone, which cancels `task`."""

    def __init__(self, receive, task: asyncio.Task):
        self.receive, self.task, self.watcher = receive, task, None

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the blocks of the request's body; afterwards watch for the caller to leave."""
        more = True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                self.task.cancel()
            more = message.get("more_body", False)
            yield message.get("body", b"")
        self.watch()

    def watch(self) -> None:
        self.watcher = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        await until_gone(self.receive)
        self.task.cancel()

    def stop(self) -> None:
        if self.watcher:
            self.watcher.cancel()
