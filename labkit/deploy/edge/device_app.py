"""The local endpoint of a device: its four routes, before the Device that does the work.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from labkit.backends.asgi import error_detail
from labkit.errors import LabkitError, NoSpace, QueueFull, Refused

if TYPE_CHECKING:
    from labkit.deploy.edge.device import Device

__all__ = ["app"]

STATUS = {Refused: 400, QueueFull: 503, NoSpace: 507}
LONGEST = 65_536  # bytes of a request


def app(device: Device) -> Starlette:
    """Return the ASGI application of `device`."""
    from labkit.deploy.edge.device import request_of

    async def put(http: Request) -> JSONResponse:
        new = await run_in_threadpool(device.accept, http.path_params["id"], await _body(http))
        return JSONResponse({"accepted": True, "new": new}, 202)

    async def get(http: Request) -> JSONResponse:
        found = await run_in_threadpool(device.box.find, http.path_params["id"])
        return JSONResponse(asdict(found) if found else None, 200 if found else 404)

    async def answer(http: Request) -> JSONResponse:
        request = request_of(await _body(http))
        return JSONResponse(asdict(await run_in_threadpool(device.answer_guest, request)))

    async def health(http: Request) -> JSONResponse:
        state = {"engine": device.engine_up, "cloud": device.forwarder.reachable, "waiting": device.waiting}
        status = "healthy" if state["engine"] and state["cloud"] is not False else "degraded"
        return JSONResponse({"status": status, **state})

    async def counts(http: Request) -> JSONResponse:
        return JSONResponse({**device.box.counts(), "sendings": device.forwarder.sendings})

    one = "/requests/{id:str}"
    routes = [Route(one, put, methods=["PUT"]), Route(one, get), Route("/answer", answer, methods=["POST"])]
    routes += [Route("/health", health), Route("/counts", counts)]
    return Starlette(routes=routes, exception_handlers={LabkitError: _told})


async def _body(http: Request) -> object:
    raw = await http.body()
    try:
        if len(raw) > LONGEST:
            raise ValueError(f"{len(raw)} bytes, and {LONGEST} are allowed")
        return json.loads(raw)
    except ValueError as error:
        raise Refused("This is no request.", str(error), "") from None


async def _told(http: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 500)
    return JSONResponse(error_detail(status, str(error), type(error).__name__), status)
