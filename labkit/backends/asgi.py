"""What every small server of labkit's own shares: a lock, an error in OpenAI's shape, and a place to run on loopback.

    with LoopbackServer(Locked(app, key)) as server:     # a thread of this process: it ends with it, kill -9 included
        server.address                                   # http://127.0.0.1:PORT

At work in notebook 14, section "Two transports".
"""

from __future__ import annotations

import hmac
import json
import os
import socket
import threading

from labkit.errors import ConfigError, EngineStartError

__all__ = [
    "LONGEST_BODY", "Locked", "LoopbackServer", "error_detail", "has_key", "listen", "read_body", "send_error", "until_gone",
]  # fmt: skip

LONGEST_BODY = 16 * 2**20  # bytes of a request: far more than any context window holds
# Clients give up a connection after five idle seconds; a server that did so too would meet some of them at the door.
IDLE_S = 75
GOODBYE_S = 1  # how long answers that are being written may go on once the server is told to stop


class Locked:
    """Let nobody into the ASGI application `app` without `api_key`, except to /health. Compared in constant time."""

    def __init__(self, app, api_key: str):
        self.app, self.expected = app, f"Bearer {api_key}".encode()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "http" and scope["path"] != "/health" and not has_key(scope, self.expected):
            return await send_error(send, 401, "Wrong API key, or none.", "invalid_api_key")
        await self.app(scope, receive, send)


def has_key(scope, expected: bytes) -> bool:
    """Whether a request's authorization is `expected` ("Bearer …"), compared in constant time."""
    return hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), expected)


async def read_body(receive) -> bytes | None:
    """Return a request's body, or None where it is longer than LONGEST_BODY."""
    body, more = bytearray(), True
    while more and len(body) <= LONGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body) if len(body) <= LONGEST_BODY else None


async def until_gone(receive) -> None:
    """Wait until the caller has gone; the body has been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_error(send, status: int, message: str, code: str, **more) -> None:
    """Answer with `status` and an error in OpenAI's shape; `more` goes into it as well."""
    body = json.dumps(error_detail(status, message, code, **more), ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_detail(status: int, message: str, code: str | None, **more) -> dict:
    """Return an error in OpenAI's shape; `more` (the param at fault, say) goes into it as well."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


class LoopbackServer:
    """An ASGI application in a thread of this process, on 127.0.0.1 and nowhere else.

    port: 0 takes a free one. `address` is "http://127.0.0.1:PORT". A context manager; `close()` twice is fine; `join()` waits
    until it ends. Raises what `listen` raises.
    """

    def __init__(self, app, port: int = 0):
        import uvicorn

        self._socket = listen(port)
        self.port = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        quiet = {"log_level": "critical", "access_log": False, "server_header": False, "date_header": False}
        config = uvicorn.Config(app, **quiet, ws="none", timeout_keep_alive=IDLE_S, timeout_graceful_shutdown=GOODBYE_S)
        self._server = uvicorn.Server(config)
        sockets = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=sockets, name="labkit server", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still serves."""
        return self._thread.is_alive() and not self._server.should_exit

    def join(self) -> None:
        """Wait until the server ends; Ctrl-C gets through."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self) -> None:
        """Stop serving; who is still being answered gets a second. Safe to call twice, and from the server's own thread."""
        self._server.should_exit = True
        if threading.current_thread() is not self._thread:
            self._thread.join(GOODBYE_S + 5)
        self._socket.close()

    def __enter__(self) -> LoopbackServer:
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def listen(port: int) -> socket.socket:
    """Return a socket that listens on 127.0.0.1 for uvicorn; port 0 takes a free one.

    Raises ConfigError for what is no port, EngineStartError if it is taken.
    """
    if not 0 <= port <= 65535:
        why = "ports go from 1 to 65535; 0 takes a free one"
        raise ConfigError(f"There is no port {port}.", why, "labkit serve --port 0")
    # IPPROTO_TCP by name: only then does asyncio set TCP_NODELAY, without which every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":  # elsewhere this flag would let two programs share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise EngineStartError(
            f"Port {port} of this machine cannot be used.",
            f"another program listens there, or this user may not ({error.strerror})",
            "labkit serve --port 0  # takes a free one",
        ) from None
    return listener
