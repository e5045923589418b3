"""The OpenAI-compatible face: an ASGI application in front of one `Engine`.

    GET  /health                  no key; {"status": "ok"}
    GET  /v1/models               the one model, its context window and how many turns run at once
    POST /v1/chat/completions     plain, or streamed as server-sent events that end in [DONE]
    GET  /metrics                 Prometheus text

More turns than the engine takes at once wait in line. A caller who goes away stops his turn, waiting or running.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from labkit.backends.asgi import LONGEST_BODY, Locked, error_detail, until_gone
from labkit.backends.bridge.contract import Ask, Engine, Refusal
from labkit.backends.bridge.line import Line, Running
from labkit.backends.bridge.request import read

__all__ = ["face"]

SSE_HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]


def face(engine: Engine, model: str, api_key: str) -> Starlette:
    """Return the ASGI application that serves `engine` under the name `model` to those who have `api_key`."""
    line, started = Line(engine), int(time.time())
    facts = {"n_ctx": engine.context, "at_once": engine.at_once, "honours": sorted(engine.honours)}
    card = {"id": model, "object": "model", "created": started, "owned_by": engine.name, "meta": facts}

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def models(request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [card]})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(line.counts.prometheus(), media_type="text/plain; version=0.0.4")

    routes = [
        Route("/health", health),
        Route("/v1/models", models),
        Route("/metrics", metrics),
        Route("/v1/chat/completions", _Chat(line, model), methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={Refusal: _refused, HTTPException: _http, Exception: _broken})
    app.add_middleware(Locked, api_key=api_key)
    return app


class _Chat:
    """POST /v1/chat/completions, as an ASGI application of its own: it has to notice when the caller goes away."""

    def __init__(self, line: Line, model: str):
        self.line, self.model = line, model

    async def __call__(self, scope, receive, send) -> None:
        try:
            ask = read(await _body(Request(scope, receive)), self.model, self.line.engine.honours)
        except ClientDisconnect:
            return
        with self.line.enter(ask) as running:
            leaver = asyncio.create_task(_when_gone(receive, running))
            try:
                await self._answer(ask, running, scope, receive, send)
            finally:
                leaver.cancel()

    async def _answer(self, ask: Ask, running: Running, scope, receive, send) -> None:
        words = _Words(self.model)
        if not ask.stream:
            text = "".join([piece async for piece in running.pieces()])
            return await JSONResponse(words.whole(text, running))(scope, receive, send)
        events = _events(ask, running, words)
        first = await anext(events)  # what is refused by now gets an HTTP status of its own
        await send({"type": "http.response.start", "status": 200, "headers": SSE_HEADERS})
        await send({"type": "http.response.body", "body": first, "more_body": True})
        try:
            async for event in events:
                await send({"type": "http.response.body", "body": event, "more_body": True})
        except RuntimeError as error:
            await send({"type": "http.response.body", "body": _sse(_detail(_failed(error))), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _events(ask: Ask, running: Running, words: _Words) -> AsyncIterator[bytes]:
    role = {"role": "assistant"}
    async for piece in running.pieces():
        yield _sse(words.chunk({**role, "content": piece}))
        role = {}
    yield _sse(words.chunk({**role}, running.reason))
    if ask.usage:
        yield _sse({**words.chunk({}), "choices": [], "usage": running.usage()})
    yield b"data: [DONE]\n\n"


class _Words:
    """One answer in OpenAI's words."""

    def __init__(self, model: str):
        self.head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}

    def whole(self, text: str, running: Running) -> dict:
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": running.reason}
        return {**self.head, "object": "chat.completion", "choices": [choice], "usage": running.usage()}

    def chunk(self, delta: dict, reason: str | None = None) -> dict:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self.head, "object": "chat.completion.chunk", "choices": [choice]}


def _sse(event: dict) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False).encode() + b"\n\n"


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for block in request.stream():
        body += block
        if len(body) > LONGEST_BODY:
            raise Refusal(413, f"The body is longer than {LONGEST_BODY} bytes.", "body_too_long")
    return bytes(body)


async def _when_gone(receive, running: Running) -> None:
    await until_gone(receive)
    running.stop()


def _detail(refusal: Refusal) -> dict:
    return error_detail(refusal.status, refusal.message, refusal.code, param=refusal.param)


def _failed(error: Exception) -> Refusal:
    return Refusal(500, f"The engine failed: {error}", "engine_failed")


def _error(refusal: Refusal) -> Response:
    return JSONResponse(_detail(refusal), status_code=refusal.status)


async def _refused(request: Request, refusal: Refusal) -> Response:
    return _error(refusal)


async def _http(request: Request, error: HTTPException) -> Response:
    return _error(Refusal(error.status_code, f"{request.method} {request.url.path}: {error.detail}", "no_such_route"))


async def _broken(request: Request, error: Exception) -> Response:
    return _error(_failed(error))
