"""How devices, cloud tier and drill speak to each other: JSON over HTTP on loopback, with a key, and an id, so that one may repeat.

The header Idempotency-Key is that of the IETF draft "The Idempotency-Key HTTP Header Field" (httpapi working group): the receiver
does a request of one id once, however often it comes.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

import http.client
import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

__all__ = ["CONFIG", "ID_HEADER", "Place", "call", "configuration"]

ID_HEADER = "Idempotency-Key"
CONFIG = "LABKIT_EDGE"  # the environment variable in which a process finds its configuration: keys are in it


@dataclass(frozen=True)
class Place:
    """Somebody to speak to: a name, "http://127.0.0.1:PORT", and the key that opens it."""

    name: str
    address: str
    key: str = field(repr=False)


def call(place: Place, method: str, path: str, body: Any = None, timeout: float = 5.0, id: str = "") -> tuple[int, Any]:
    """Return (status, JSON of the answer). body: a text as it is, anything else as JSON. id: of the request, for repeating.

    Raises OSError where nothing or nothing readable answers within `timeout` seconds: the request may have arrived all the same.
    """
    parts = urlsplit(place.address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    headers = {"Authorization": f"Bearer {place.key}", "Content-Type": "application/json"}
    headers |= {ID_HEADER: id} if id else {}
    try:
        connection.request(method, path, body if isinstance(body, str | None) else json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")
    except (http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"{place.name}: {error!r}") from error
    finally:
        connection.close()


def configuration() -> dict[str, Any]:
    """Return what the process was started with, and take it out of the environment: no child of its own needs the keys."""
    return json.loads(os.environ.pop(CONFIG))
