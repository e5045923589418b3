"""Ollama's routes before any engine: programs written for Ollama talk to it unchanged.

    app = OllamaFace(relay_app(endpoint, key=key), endpoint, key, context=2048)

    GET  /api/version, /api/tags, /api/ps        POST /api/show
    POST /api/chat, /api/generate                streamed as lines of JSON unless "stream": false, as Ollama does

They are translated to the endpoint's OpenAI face (ollama_words.py); all other routes go to `app` as they come. What this engine
cannot honour, by its own probes, is refused with status 400 and Ollama's {"error": "…"}, never ignored.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import openai

from labkit.backends.asgi import LONGEST_BODY, has_key, read_body, until_gone
from labkit.backends.base import Endpoint
from labkit.backends.capabilities import refuse_ignored_parameters
from labkit.backends.ollama_about import about
from labkit.backends.ollama_words import Answer, Cannot, asked, has_name
from labkit.errors import EngineError, RequestError

__all__ = ["OllamaFace"]

NOT_OURS = ("pull", "push", "create", "copy", "delete", "embed", "embeddings", "blobs")


class OllamaFace:
    """The ASGI application that answers Ollama's routes for `endpoint` and leaves the others to `app`.

    app: what serves the rest, and hears of start and end (lifespan). key: what callers must show. context: tokens of one
    conversation, as the engine was started with.
    """

    def __init__(self, app, endpoint: Endpoint, key: str, context: int):
        self.app, self.endpoint, self.expected, self.context = app, endpoint, f"Bearer {key}".encode(), context
        self.client = None  # made in the event loop that uses it
        self.probing = asyncio.Lock()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            return await self.app(scope, receive, send)
        if self.endpoint.backend == "ollama" and has_key(scope, self.expected):
            return await self.app(scope, receive, send)  # its own routes
        answering = asyncio.create_task(self._answer(scope, receive, send))
        try:
            await answering
        except asyncio.CancelledError:
            if not answering.cancelled():  # the server stops, not the caller
                answering.cancel()
                raise

    async def _answer(self, scope, receive, send) -> None:
        reply = _Reply(send)
        try:
            if not has_key(scope, self.expected):
                raise Cannot("unauthorized: wrong key, or none; the ollama client sends OLLAMA_API_KEY", 401)
            body = await _body(receive) if scope["method"] == "POST" else {}
            leaver = asyncio.create_task(_until_gone(receive, asyncio.current_task()))
            try:
                await self._route(scope["method"], scope["path"].rstrip("/"), body, reply)
            finally:
                leaver.cancel()
        except Cannot as refusal:
            await reply.error(refusal.status, str(refusal))
        except RequestError as refusal:
            await reply.error(400, f"{refusal.what} {refusal.why}".strip())
        except (openai.APIError, EngineError) as error:
            await reply.error(getattr(error, "status_code", None) or 502, _said(error))

    async def _route(self, method: str, path: str, body: dict, reply: _Reply) -> None:
        name = path.removeprefix("/api/")
        if (method, name) in (("GET", "version"), ("GET", "tags"), ("GET", "ps")):
            return await reply.whole(about(name, self.endpoint, self.context))
        if (method, name) not in (("POST", "show"), ("POST", "chat"), ("POST", "generate")):
            raise _no_route(method, path, self.endpoint.backend)
        model = body.get("model") or body.get("name")
        if not has_name(model, self.endpoint.model):
            raise Cannot(f"model '{model}' not found; this server has '{self.endpoint.model}'", 404)
        if name == "show":
            return await reply.whole(await self._probed(about, name, self.endpoint, self.context))
        await self._talk(name, body, Answer(name, model), reply)

    async def _talk(self, name: str, body: dict, answer: Answer, reply: _Reply) -> None:
        wanted = asked(name, body, self.context)
        if wanted is None:  # no prompt: Ollama would load the model, which is loaded
            return await reply.whole(answer.loaded(unload=body.get("keep_alive") in (0, "0", "0s")))
        await self._probed(refuse_ignored_parameters, self.endpoint, wanted)
        lines = self._lines(wanted, answer)
        if body.get("stream") is False:
            last = [line async for line in lines][-1]
            return await reply.whole(answer.whole(last))
        await reply.lines(lines)

    async def _probed(self, function, *arguments):
        """Call what may have to probe the engine first: that takes seconds, and once is enough."""
        async with self.probing:
            return await asyncio.to_thread(function, *arguments)

    async def _lines(self, wanted: dict, answer: Answer) -> AsyncIterator[dict]:
        self.client = self.client or self.endpoint.async_client()
        usage = {"stream": True, "stream_options": {"include_usage": True}}
        stream = await self.client.chat.completions.create(model=self.endpoint.model, **wanted, **usage)
        async with stream:
            async for chunk in stream:
                for line in answer.add(chunk):
                    yield line
        if answer.reason is None:
            raise Cannot("the engine closed the connection in the middle of the answer", 502)
        yield answer.last()


class _Reply:
    """One HTTP answer: whole, in lines, or an error, which after the first line is a line itself, as Ollama has it."""

    def __init__(self, send):
        self.send, self.begun = send, False

    async def whole(self, what: dict, status: int = 200) -> None:
        await self._begin(status, b"application/json; charset=utf-8")
        await self.send({"type": "http.response.body", "body": _json(what)})

    async def lines(self, lines: AsyncIterator[dict]) -> None:
        async for line in lines:
            if not self.begun:
                await self._begin(200, b"application/x-ndjson")
            await self.send({"type": "http.response.body", "body": _json(line) + b"\n", "more_body": True})
        await self.send({"type": "http.response.body", "body": b""})

    async def error(self, status: int, message: str) -> None:
        if not self.begun:
            return await self.whole({"error": message}, status)
        await self.send({"type": "http.response.body", "body": _json({"error": message}) + b"\n"})

    async def _begin(self, status: int, kind: bytes) -> None:
        self.begun = True
        await self.send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})


def _json(what: dict) -> bytes:
    return json.dumps(what, ensure_ascii=False).encode()


async def _body(receive) -> dict:
    body = await read_body(receive)
    if body is None:
        raise Cannot(f"the body is longer than {LONGEST_BODY} bytes", 413)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Cannot(f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Cannot("the body is JSON, but not an object")
    return found


async def _until_gone(receive, task: asyncio.Task) -> None:
    await until_gone(receive)
    task.cancel()


def _no_route(method: str, path: str, backend: str) -> Cannot:
    if path.removeprefix("/api/").partition("/")[0] in NOT_OURS:
        return Cannot(f"{path} is for Ollama itself; {backend} serves one model: labkit serve --backend ollama")
    return Cannot(f"{method} {path}: there is no such route", 404)


def _said(error: Exception) -> str:
    """What the engine said, out of the openai client's wrapping."""
    body = getattr(error, "body", None)
    return str(body["message"]) if isinstance(body, dict) and body.get("message") else str(error)
