"""One request to Ollama: its JSON answer, or the lines that it writes while it works, read to the last.

The errors are labkit's. `http.client` on purpose: it ignores HTTP_PROXY. Taught in notebook 06,
sections "Install" and "Two faces".
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

from labkit.backends.ollama_errors import broken_off, typed
from labkit.errors import EngineDied, EngineTimeout, LabkitError
from labkit.progress import Progress

STALL_SECONDS = 600  # Ollama hashes a large download without a word; a model may take minutes to load


def ask(where, method: str, path: str, body: dict | None = None, timeout: float = STALL_SECONDS) -> dict:
    """Return the one JSON object that Ollama answers, {} for none. Raises what its `error` means."""
    with Connection(where, timeout) as connection:
        response = connection.send(method, path, json.dumps(body).encode() if body else None)
        text = connection.read()
    if response.status != 200:
        raise typed((body or {}).get("model", path), text)
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def to_the_end(where, path: str, body: dict, doing: str, tell: Progress) -> None:
    """Read the lines that Ollama writes while it works, up to the one that says success. Raises what it says instead."""
    last = {}
    with Connection(where, STALL_SECONDS) as connection:
        response = connection.send("POST", path, json.dumps(body).encode())
        if response.status != 200:
            raise typed(doing, connection.read())
        for last in connection.lines():
            if "error" in last:
                raise typed(doing, json.dumps(last))
            if last.get("total"):
                tell(f"{doing}: {last.get('status', '')}", last.get("completed", 0), last["total"])
    if last.get("status") != "success":
        raise broken_off(doing, last.get("status", ""))


class Connection:
    """One request to this machine. http.client, because it ignores HTTP_PROXY; whatever breaks becomes an error of ours."""

    def __init__(self, where, timeout: float):
        self.address, self.timeout = address_of(where), timeout
        parts = urlsplit(self.address)
        self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self._http.close()
        if isinstance(error, TimeoutError):
            raise EngineTimeout(
                f"Ollama at {self.address} said nothing for {self.timeout:g} s.", "the machine is busy", "labkit doctor"
            ) from error
        if isinstance(error, (OSError, http.client.HTTPException)) and not isinstance(error, LabkitError):
            raise EngineDied(f"Ollama does not answer at {self.address}.", gone(error), "labkit doctor") from error

    def send(self, method: str, path: str, body=None, headers: dict | None = None) -> http.client.HTTPResponse:
        # A server that has seen enough (disk full) answers while we still send: what it says matters more than the broken pipe.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._http.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        self._response = self._http.getresponse()
        return self._response

    def read(self) -> str:
        return self._response.read().decode("utf-8", "replace")

    def lines(self) -> Iterator[dict]:
        """Yield the JSON objects of a stream as they come; a line that was cut off ends it."""
        for line in self._response:
            try:
                found = json.loads(line)
            except ValueError:
                return
            if isinstance(found, dict):
                yield found


def gone(error: Exception) -> str:
    """Say why nothing answered."""
    return f"it was stopped, or another program has the port ({error})"


def address_of(where) -> str:
    """Return "http://HOST:PORT" of an Endpoint or of an address."""
    return (where if isinstance(where, str) else where.native or where.base_url).removesuffix("/v1")
