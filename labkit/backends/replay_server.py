"""The server of a replayed engine: recorded answers over HTTP, in their recorded time, for one model.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable

from labkit import errors
from labkit.backends import replay_label
from labkit.backends.asgi import LONGEST_BODY, read_body, send_error, until_gone
from labkit.backends.recording import canonical_request
from labkit.backends.settings import Availability
from labkit.disk import unset_variable
from labkit.errors import EngineMissing, LabkitError

__all__ = ["Player", "unpack"]

LONGEST_PAUSE_S = 30.0  # a recorded pause longer than this is cut short


class Player:
    """The `traffic` of a replayed endpoint: answers from `replay` for `model`; `name` is the endpoint's name of that model."""

    def __init__(self, replay, model: str, here: Availability):
        self.replay, self.model, self.here = replay, model, here
        self.name, self.capabilities = self._about()

    def observe(self, name: str, function: Callable[[], object]) -> object:
        """Return the value recorded under `name`, or raise the labkit error that came; `function` is not called."""
        answer = self.replay.next(self.model, {"observe": name})
        if answer is None:
            raise EngineMissing(*self._not_recorded(f"the observation {name!r}"))
        replay_label.played(self.replay.label)
        return unpack(answer)

    def before(self, request: dict) -> dict:
        """Do to a request what the live endpoint's own check did: refuse or change it."""
        said = json.dumps({**request, "model": self.name}, default=str).encode()
        answer = self.replay.next(self.model, {"before": canonical_request("", "", said, self.name)["body"]})
        return request | unpack(answer) if answer else request

    async def app(self, scope, receive, send) -> None:
        """Answer one HTTP request (ASGI)."""
        if scope["type"] == "lifespan":
            return await _live(receive, send)
        started, body = time.perf_counter(), await read_body(receive)
        if body is None:
            return await send_error(send, 413, f"The body is longer than {LONGEST_BODY} bytes.", "body_too_long")
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1") + (f"?{query}" if query else "")
        ask = canonical_request(scope["method"], path, body, self.name)
        answer = self.replay.next(self.model, ask)
        if answer is None:
            what, why, fix = self._not_recorded(_in_words(ask))
            return await send_error(send, 501, what, "not_recorded", why=why, fix=fix)
        replay_label.played(self.replay.label)
        await _play(answer, started, receive, send)

    def _about(self) -> tuple[str, dict]:
        known = self.replay.next(self.model, {"endpoint": True})
        if known is None:
            what, why, fix = self._not_recorded(f"the model {self.model}")
            raise EngineMissing(what, f"recorded was {', '.join(self.replay.models)}; {why}", fix)
        return known["value"]["name"], known["value"]["capabilities"]

    def _not_recorded(self, what: str) -> tuple[str, str, str]:
        engine, missing = self.replay.stamp.engine, self.here.why or "LABKIT_REPLAY prefers the recording"
        why = f"a recording answers what its lesson asks and nothing else, and the engine is not in use: {missing}"
        return (
            f"{engine} is replayed here, and {what} was not recorded.",
            why,
            self.here.fix or unset_variable("LABKIT_REPLAY"),
        )


def unpack(answer: dict) -> object:
    """Return the value of a recorded call, or raise its labkit error again."""
    if "error" in answer:
        kind, *words = answer["error"]
        raise getattr(errors, kind, LabkitError)(*words)
    return answer["value"]


async def _play(answer: dict, started: float, receive, send) -> None:
    """Send a recorded answer in its recorded time; stop when the caller goes."""
    if not answer["status"]:
        await _pause(receive, started + min(answer["broken_off"], LONGEST_PAUSE_S))
        return await send_error(send, 502, "The engine gave no answer.", "engine_gone")
    headers = [(b"content-type", answer["type"].encode())] if answer["type"] else []
    begin = {"type": "http.response.start", "status": answer["status"], "headers": headers}
    due, before = started, 0.0
    for seconds, text in answer["pieces"]:
        due, before = due + min(seconds - before, LONGEST_PAUSE_S), seconds
        if not await _pause(receive, due):
            return
        begin = begin and await send(begin)
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
    begin = begin and await send(begin)
    if "broken_off" not in answer:  # else the connection closes in the middle, as it did
        await send({"type": "http.response.body", "body": b""})


async def _pause(receive, until: float) -> bool:
    """Wait until that time of `time.perf_counter()`; return whether the caller is still there."""
    left = until - time.perf_counter()
    if left <= 0:
        return True
    try:
        async with asyncio.timeout(left):
            await until_gone(receive)
    except TimeoutError:
        return True
    return False


async def _live(receive, send) -> None:
    for _ in range(2):
        await send({"type": f"{(await receive())['type']}.complete"})


def _in_words(ask: dict) -> str:
    """Name a request: its route, and the end of what was said to the model."""
    body = ask["body"] if isinstance(ask["body"], dict) else {}
    messages = body.get("messages") or [{}]
    said = messages[-1].get("content") if isinstance(messages[-1], dict) else None
    text = f" {said[-80:]!r}" if isinstance(said, str) else ""
    return f"{ask['method']} {ask['path']}{text}"
