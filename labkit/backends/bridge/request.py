"""Read a chat request strictly: what the engine cannot honour is refused by name, never ignored.

`read(body, model, honours)` returns an `Ask` or raises `Refusal` with OpenAI's status, code and parameter.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Container
from typing import Any

from labkit.backends.bridge.contract import Ask, Refusal

__all__ = ["read"]

KNOWN = {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "temperature", "top_p",
    "top_k", "min_p", "seed", "stop", "response_format",
}  # fmt: skip
# Labels that say who asks, and change no answer.
LABELS = {"user", "metadata", "safety_identifier", "prompt_cache_key", "service_tier", "store"}
# Parameters that no engine behind the bridge honours, and the values at which they change nothing.
NEUTRAL = {
    "n": (1,), "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (False,),
    "top_logprobs": (0,), "tools": ([],), "tool_choice": ("none", "auto"), "parallel_tool_calls": (True, False),
}  # fmt: skip
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
ANY_OBJECT = {"type": "object"}


def read(body: bytes, model: str, honours: Container[str]) -> Ask:
    """Return the checked request. `model`: the one that is served. `honours`: what the engine can do (Engine.honours)."""
    asked = _object(body)
    _refuse_unknown(asked)
    if asked.get("model") != model:
        what = f"The model {asked.get('model')!r} does not exist here; this server has {model!r}."
        raise Refusal(404, what, "model_not_found", "model")
    asked = {name: value for name, value in asked.items() if value is not None}
    for name in ("temperature", "top_p", "top_k", "min_p", "seed"):
        if name in asked and name not in honours:
            raise _cannot(name, asked[name])
    most = asked.get("max_completion_tokens", asked.get("max_tokens"))
    return Ask(
        messages=tuple(_messages(asked.get("messages"))),
        max_tokens=None if most is None else _number("max_tokens", most, int, lambda n: n >= 1),
        temperature=_number("temperature", asked.get("temperature", 1.0), float, lambda n: 0 <= n <= 2),
        top_p=_number("top_p", asked.get("top_p", 1.0), float, lambda n: 0 < n <= 1),
        top_k=_number("top_k", asked.get("top_k", 0), int, lambda n: n >= 0),
        min_p=_number("min_p", asked.get("min_p", 0.0), float, lambda n: 0 <= n <= 1),
        seed=_number("seed", asked.get("seed", secrets.randbelow(2**31)), int, lambda n: -(2**63) <= n < 2**63) % 2**31,
        stop=tuple(_stops(asked.get("stop", []))),
        schema=_schema(asked.get("response_format", {"type": "text"}), honours),
        stream=_flag("stream", asked.get("stream", False)),
        usage=_usage(asked),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body)
    except ValueError as error:  # UnicodeDecodeError is one too
        raise Refusal(400, f"The body is not JSON: {error}.", "invalid_json") from None
    except RecursionError:
        raise Refusal(400, "The body is nested too deeply.", "invalid_json") from None
    if not isinstance(asked, dict):
        raise Refusal(400, "The body is JSON, but not an object.", "invalid_json")
    return asked


def _refuse_unknown(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if name in NEUTRAL:
            if value is not None and value not in NEUTRAL[name]:
                raise _cannot(name, value)
        elif name not in KNOWN and name not in LABELS:
            raise _cannot(name, value)


def _cannot(name: str, value: Any) -> Refusal:
    shown = json.dumps(value)
    what = f"This engine cannot honour {name}={shown if len(shown) < 60 else shown[:60] + '…'}, and will not ignore it."
    return Refusal(400, what, "unsupported_parameter", name)


def _wrong(name: str, what: str) -> Refusal:
    return Refusal(400, f"{name}: {what}.", "invalid_value", name)


def _number(name: str, value: Any, kind: type, fits: Callable[[Any], bool]) -> Any:
    right = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not right or not fits(value):
        raise _wrong(name, f"{value!r} is not possible")
    return kind(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, f"{value!r} is neither true nor false")
    return value


def _messages(listed: Any) -> list[dict[str, str]]:
    if not isinstance(listed, list) or not listed:
        raise _wrong("messages", "a list with at least one message is needed")
    return [_message(f"messages[{at}]", one) for at, one in enumerate(listed)]


def _message(where: str, one: Any) -> dict[str, str]:
    if not isinstance(one, dict):
        raise _wrong(where, "a message is an object with role and content")
    if one.get("role") not in ROLES or one.get("tool_calls"):
        raise _wrong(
            where, f"role {one.get('role')!r}: the chat template has {', '.join(sorted(set(ROLES)))}, and no tools"
        )
    return {"role": ROLES[one["role"]], "content": _content(where, one.get("content"))}


def _content(where: str, content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        return "\n".join(part["text"] for part in content)
    raise _wrong(f"{where}.content", "this engine takes text only")


def _stops(given: Any) -> list[str]:
    stops = [given] if isinstance(given, str) else given
    if not isinstance(stops, list) or len(stops) > 16 or not all(isinstance(one, str) and one for one in stops):
        raise _wrong("stop", "a text, or a list of at most 16 texts, none of them empty")
    return stops


def _schema(form: Any, honours: Container[str]) -> str | None:
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return None
    if kind not in ("json_object", "json_schema"):
        raise _wrong("response_format", f"{form!r} is none of text, json_object and json_schema")
    if "json_schema" not in honours:
        raise _cannot("response_format", form)
    named = form.get("json_schema")
    schema = ANY_OBJECT if kind == "json_object" else named.get("schema") if isinstance(named, dict) else None
    if not isinstance(schema, dict):
        raise _wrong("response_format", "json_schema needs a schema, which is an object")
    return json.dumps(schema)


def _usage(asked: dict[str, Any]) -> bool:
    options = asked.get("stream_options", {})
    if not isinstance(options, dict) or set(options) - {"include_usage", "include_obfuscation"}:
        raise _wrong("stream_options", "only include_usage is known")
    return _flag("include_usage", options.get("include_usage", False))
