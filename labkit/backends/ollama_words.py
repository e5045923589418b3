"""Ollama's words for OpenAI's: requests one way, answers the other. No network here.

`asked` reads a request strictly: an option that has no counterpart raises `Cannot`. Options that are left out have Ollama's own
defaults (temperature 0.8, top_p 0.9), so that a program gets what it was written for.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import datetime
import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["Answer", "Cannot", "asked", "has_name"]

DEFAULTS = {"temperature": 0.8, "top_p": 0.9}
SAME = ("temperature", "top_p", "top_k", "min_p", "seed", "stop", "frequency_penalty", "presence_penalty")
# Options without a counterpart, and the values at which they change nothing.
NEUTRAL = {
    "repeat_penalty": (1, 1.0), "repeat_last_n": (0, 64, -1), "typical_p": (1, 1.0), "tfs_z": (1, 1.0), "mirostat": (0,),
    "num_keep": (0,), "numa": (False,), "penalize_newline": (True, False),
}  # fmt: skip
# Fields of a request without a counterpart, and the values at which they ask for nothing.
NOTHING = {
    "images": ([],), "suffix": ("",), "template": ("",), "context": ([],), "raw": (False,), "think": (False,),
    "logprobs": (False,), "top_logprobs": (0,), "truncate": (False, True), "shift": (False, True),
}  # fmt: skip
FIELDS = {"model", "name", "stream", "keep_alive", "options", "format", "messages", "tools", "prompt", "system"}
IN_EXTRA_BODY = ("top_k", "min_p")  # OpenAI's own API has neither


class Cannot(Exception):
    """The request cannot be answered as asked: a message, and an HTTP status."""

    def __init__(self, message: str, status: int = 400):
        super().__init__(message)
        self.status = status


def has_name(asked: Any, model: str) -> bool:
    """Whether the name in a request means this model; Ollama's ":latest" may stand behind it."""
    return isinstance(asked, str) and asked.removesuffix(":latest") == model.removesuffix(":latest")


def asked(route: str, body: dict, context: int) -> dict | None:
    """Return the parameters of OpenAI's chat route for a request to /api/chat or /api/generate; None if it has no prompt.

    context: tokens of one conversation here. Raises Cannot.
    """
    for name, value in body.items():
        if name not in FIELDS and value is not None and value not in NOTHING.get(name, ()):
            raise Cannot(f"{name}={_short(value)} has no counterpart on this engine, and will not be ignored")
    messages = list(_messages(body)) if route == "chat" else _prompt(body)
    if not messages:
        return None
    wanted = {"messages": messages, **_options(body.get("options") or {}, context), **_format(body.get("format"))}
    return wanted | ({"tools": body["tools"]} if body.get("tools") else {})


def _options(options: Any, context: int) -> dict:
    if not isinstance(options, dict):
        raise Cannot("options: an object is needed")
    options = {name: value for name, value in options.items() if value is not None}
    wanted = {**DEFAULTS, **{name: options.pop(name) for name in SAME if name in options}}
    if (most := _count(options, "num_predict")) > 0:  # -1 and -2: until it ends
        wanted["max_tokens"] = most
    if (window := _count(options, "num_ctx")) > context:
        more = f"labkit serve --context {window}"
        raise Cannot(f"num_ctx={window} is more than the {context} tokens that this engine was started with: {more}")
    for name, value in options.items():
        if value not in NEUTRAL.get(name, ()):
            raise Cannot(f"option {name}={_short(value)} has no counterpart on this engine, and will not be ignored")
    extra = {name: wanted.pop(name) for name in IN_EXTRA_BODY if name in wanted}
    return wanted | ({"extra_body": extra} if extra else {})


def _count(options: dict, name: str) -> int:
    value = options.pop(name, 0)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Cannot(f"option {name}={_short(value)}: a whole number is needed")
    return value


def _format(form: Any) -> dict:
    if form in (None, ""):
        return {}
    if form == "json":
        return {"response_format": {"type": "json_object"}}
    if isinstance(form, dict):
        schema = {"name": "format", "strict": True, "schema": form}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    raise Cannot(f'format={_short(form)}: "json" or a JSON schema')


def _prompt(body: dict) -> list[dict]:
    texts = {"system": body.get("system") or "", "user": body.get("prompt") or ""}
    if not all(isinstance(text, str) for text in texts.values()):
        raise Cannot("prompt and system: each is a text")
    return [{"role": role, "content": text} for role, text in texts.items() if text] if texts["user"] else []


def _messages(body: dict) -> Iterator[dict]:
    """Yield Ollama's messages as OpenAI's: tool calls get the numbers by which their results are known."""
    numbers, waiting = itertools.count(), []
    for message in body.get("messages") or []:
        made, listed = _message(message)
        if listed:
            made["tool_calls"] = [_call(one, next(numbers)) for one in listed]
            waiting = [one["id"] for one in made["tool_calls"]]
        if made["role"] == "tool":
            if not waiting:
                raise Cannot("messages: a tool's result without the call that it answers")
            made["tool_call_id"] = waiting.pop(0)
        yield made


def _message(message: Any) -> tuple[dict, list[dict]]:
    """Return a message's role and text, and its tool calls."""
    if not isinstance(message, dict) or not isinstance(message.get("content") or "", str):
        raise Cannot("messages: each is an object with role and content, which is text")
    if message.get("images"):
        raise Cannot("images have no counterpart on this engine, and will not be ignored")
    listed = message.get("tool_calls") or []
    if not isinstance(listed, list) or not all(
        isinstance(c, dict) and isinstance(c.get("function"), dict) for c in listed
    ):
        raise Cannot("messages: tool_calls is a list of objects, each with a function")
    return {"role": message.get("role"), "content": message.get("content") or ""}, listed


def _call(one: dict, number: int) -> dict:
    function = one["function"]
    said = {"name": function.get("name", ""), "arguments": json.dumps(function.get("arguments") or {})}
    return {"id": f"call_{number}", "type": "function", "function": said}


def _short(value: Any) -> str:
    shown = json.dumps(value, default=str)
    return shown if len(shown) < 60 else shown[:60] + "…"


# ---- answers ---------------------------------------------------------------------------------------------------------


class Answer:
    """One answer in Ollama's words: lines while it is written (`add`), the last with counts and times (`last`)."""

    def __init__(self, route: str, model: str):
        self.route, self.model, self.reason, self.usage, self.text = route, model, None, None, []
        self.started, self.first = time.perf_counter_ns(), None
        self.calls: dict[int, dict[str, str]] = {}

    def add(self, chunk) -> Iterator[dict]:
        """Take in one chunk of an openai stream; yield the line that it makes, if any."""
        self.usage = chunk.usage or self.usage
        if not chunk.choices:
            return
        choice = chunk.choices[0]
        self.reason = choice.finish_reason or self.reason
        for call in choice.delta.tool_calls or []:
            said = self.calls.setdefault(call.index, {"name": "", "arguments": ""})
            said["name"] += call.function.name or ""
            said["arguments"] += call.function.arguments or ""
        if piece := choice.delta.content:
            self.first = self.first or time.perf_counter_ns()
            self.text.append(piece)
            yield self._line(piece)

    def last(self) -> dict:
        """Return the line that ends a stream: why it ended, token counts, and times in nanoseconds."""
        now = time.perf_counter_ns()
        first, counted = self.first or now, self.usage
        line = self._line("", [{"function": _arguments(one)} for _, one in sorted(self.calls.items())])
        times = {"total_duration": now - self.started, "load_duration": 0}
        times |= {"prompt_eval_count": counted.prompt_tokens if counted else 0}
        times |= {"prompt_eval_duration": first - self.started}
        times |= {"eval_count": counted.completion_tokens if counted else len(self.text), "eval_duration": now - first}
        reason = "length" if self.reason == "length" else "stop"
        return {**line, "done": True, "done_reason": reason, **times}

    def whole(self, last: dict) -> dict:
        """Return the answer as one object, for `"stream": false`."""
        text = "".join(self.text)
        if self.route == "generate":
            return {**last, "response": text}
        return {**last, "message": {**last["message"], "content": text}}

    def loaded(self, unload: bool) -> dict:
        """Return what Ollama answers to a request without a prompt, which loads (or unloads) the model."""
        return {**self._line(""), "done": True, "done_reason": "unload" if unload else "load"}

    def _line(self, piece: str, calls: list[dict] | None = None) -> dict:
        line = {"model": self.model, "created_at": _now()}
        if self.route == "generate":
            return {**line, "response": piece, "done": False}
        message = {"role": "assistant", "content": piece, **({"tool_calls": calls} if calls else {})}
        return {**line, "message": message, "done": False}


def _arguments(call: dict[str, str]) -> dict:
    try:
        found = json.loads(call["arguments"] or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Cannot(
            f"the model called {call['name']!r} with arguments that are no object: {_short(call['arguments'])}"
        )
    return {"name": call["name"], "arguments": found}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
