"""Plain HTTP to a server on this machine, and the proof that it is the server we started.

`http.client` is used on purpose: it ignores HTTP_PROXY, and a request to this machine must never go through a proxy.

Taught in notebook 05, section "Monitor".
"""

from __future__ import annotations

import http.client
import json
from urllib.parse import urlsplit

from labkit.backends.process import ServerProcess
from labkit.errors import EngineStartError, Refused

LOOPBACK = ("127.0.0.1", "localhost", "::1")  # this machine's names for itself


def transport(most: int | None = None) -> dict:
    """Return options of an httpx2 client for this machine: no proxy, at most `most` connections at once, none used twice.

    HTTP_PROXY could send a request for this machine somewhere else. And llama.cpp hangs up after a stream without saying so,
    other engines after some idle seconds: whoever asks again on such a connection at that moment reads that the engine died. A
    new one takes a fraction of a millisecond here.

    At work in notebook 00, section "The first answer".
    """
    import httpx2

    return {"trust_env": False, "limits": httpx2.Limits(max_connections=most, max_keepalive_connections=0)}


def get(address: str, path: str, api_key: str = "", timeout: float = 10) -> tuple[int, str]:
    """Return (status, body) of GET `address` + `path`. Raises OSError when nothing answers within `timeout` seconds."""
    return _request("GET", address, path, None, api_key, timeout)


def _request(method: str, address: str, path: str, body: str | None, api_key: str, timeout: float) -> tuple[int, str]:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    try:
        connection.request(method, path, body, {**headers, "Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ConnectionError(f"not an HTTP server: {error!r}") from error
    finally:
        connection.close()


def get_json(address: str, path: str, api_key: str = "", timeout: float = 10) -> dict:
    """Return the JSON body of GET `address` + `path`, or {} if the answer is not 200."""
    status, body = get(address, path, api_key, timeout)
    return json.loads(body) if status == 200 else {}


def post_json(address: str, path: str, body: dict, api_key: str = "", timeout: float = 10) -> dict:
    """Return the JSON answer of POST `address` + `path`. Raises Refused if it is not 200, OSError when nothing answers."""
    status, text = _request("POST", address, path, json.dumps(body), api_key, timeout)
    if status != 200:
        raise Refused(
            f"{address}{path} answers {status}: {text[:200]}", "the engine or its version lacks it", "labkit doctor"
        )
    return json.loads(text)


def check_identity(address: str, path: str, api_key: str, process: ServerProcess) -> None:
    """Make sure that the server at `address` is ours: it takes our random key for `path`, and no other.

    Raises EngineStartError, and stops `process`, if somebody else's server answers there.
    """
    try:
        ours, stranger = get(address, path, api_key)[0], get(address, path, "not-" + api_key)[0]
    except OSError as error:
        ours, stranger = error, None
    if (ours, stranger) != (200, 401):
        process.stop()
        raise EngineStartError(
            f"{address} is not the {process.label} that was started here (answers {ours} and {stranger}).",
            "another program took the port between choosing and binding it",
            "labkit doctor",
        )
