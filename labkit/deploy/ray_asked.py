"""One request on its way to a replica, and to another one if that is gone before a token came.

A chat that nobody has seen a word of can be asked again: the answer is the same request's. A stream that has begun cannot, because
another replica would begin another text: it ends with an error in OpenAI's shape, which the openai client raises.

At work in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

from labkit.backends.asgi import error_detail
from labkit.errors import EngineDied

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["RETRIED", "Asked"]

PATIENCE_S = 60.0  # a replica that is gone is back in seconds; one whose model is large takes longer
RETRIED = "x-labkit-retried"  # the header that says how many replicas were asked in vain


class Asked:
    """A request for one model. handle: Ray's, to its replicas. under_way: where it stands until it is over."""

    def __init__(self, handle: Any, path: str, body: bytes, under_way: set):
        self.handle, self.path, self.body, self.under_way = handle, path, body, under_way
        self.is_stream, self.retried, self.begun = bool(json.loads(body).get("stream")), 0, None

    async def response(self) -> Response:
        """Return the answer: whole, or as a stream whose first token is there. Errors are answers as well."""
        from starlette.responses import JSONResponse, Response, StreamingResponse

        self.under_way.add(self)
        try:
            status, kind, held = await self._from_a_replica()
        except _NoReplica as none:
            self.under_way.discard(self)
            return JSONResponse(error_detail(503, str(none), none.code), 503, {"Retry-After": "1"})
        except BaseException:  # the caller left: Ray cancels this, and the replica's part with it
            self.under_way.discard(self)
            raise
        headers = {"content-type": kind, RETRIED: str(self.retried)}
        if self.is_stream and status == 200:
            return StreamingResponse(self._rest(held), status, headers)
        self.under_way.discard(self)
        return Response(b"".join(held), status, headers)

    async def _from_a_replica(self) -> tuple[int, str, list[bytes]]:
        """Return status, content type and what is held back: up to the first token of a stream, else everything."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import BackPressureError, ReplicaUnavailableError

        why = ""
        for pause_s in _pauses():
            self.begun = self.handle.remote(self.path, self.body)
            try:
                return await self._begin()
            except (RayActorError, EngineDied, ReplicaUnavailableError) as error:
                self.retried, why = self.retried + 1, type(error).__name__
            except BackPressureError:
                raise _NoReplica("Too many requests wait already.", "queue_full") from None
            await asyncio.sleep(pause_s)
        raise _NoReplica(f"No replica answered in {PATIENCE_S:g} s; the last one: {why}.", "engine_gone")

    async def _begin(self) -> tuple[int, str, list[bytes]]:
        status, kind = await anext(self.begun)
        held = []
        async for piece in self.begun:
            held.append(piece)
            if self.is_stream and has_token(piece):
                break
        return status, kind, held

    async def _rest(self, held: list[bytes]) -> AsyncIterator[bytes]:
        """Yield what was held back, and the rest as it comes; end with an error where the replica ends before that."""
        from ray.exceptions import RayActorError
        from ray.serve.exceptions import ReplicaUnavailableError

        try:
            for piece in held:
                yield piece
            async for piece in self.begun:
                yield piece
        except (RayActorError, EngineDied, ReplicaUnavailableError):
            detail = error_detail(502, "The replica was lost in the middle of its answer: ask again.", "engine_gone")
            yield f"data: {json.dumps(detail)}\n\n".encode()
        finally:
            self.under_way.discard(self)


class _NoReplica(EngineDied):
    """No replica took the request: OpenAI's code for it."""

    def __init__(self, what: str, code: str):
        super().__init__(what)
        self.code = code


def has_token(piece: bytes) -> bool:
    """Return whether a piece of a stream of server-sent events carries something that a reader would have seen."""
    return any(_tells(line) for line in piece.split(b"\n") if line.startswith(b"data: {"))


def _tells(line: bytes) -> bool:
    try:
        event = json.loads(line[6:])
        return any(one.get("text") or any(one.get("delta", {}).get(key) for key in SEEN) for one in event["choices"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return True  # a part of a line, or another shape: too late to take anything back


SEEN = ("content", "tool_calls", "reasoning_content")


def _pauses() -> Iterator[float]:
    """Yield how long to wait before each further try, until patience is over."""
    ends, pause_s = time.monotonic() + PATIENCE_S, 0.05
    while time.monotonic() < ends:
        yield pause_s
        pause_s = min(pause_s * 2, 1.0)
