"""Does a tool fit a request? A few signs, weighed (data/tool_weights.toml), give the odds.

The signs: how many of the tool's own words the request uses, or words like them; how many of the request's words the tool's
description knows; whether the request holds values for what the tool requires. The weights were fitted on the development half
of data/tool_items by `labkit tools fit`.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from labkit.paths import read_table
from labkit.tools.plan import Plan, Request
from labkit.tools.tool import Tool
from labkit.tools.vectors import alike
from labkit.tools.words import content, split_name, stem, words

__all__ = ["SIGNS", "odds", "signs"]

SIGNS = (
    "name_words", "name_near", "about_near", "request_near", "best_near", "name_exact", "request_exact", "filled", "sure",
    "least_near", "value_near",
)  # fmt: skip
# Words that many tools have in their names and descriptions, and that say nothing of what they do.
GENERIC = {
    "get", "calculat", "comput", "find", "look", "search", "check", "tell", "list", "show", "giv", "return", "retriev", "fetch",
    "determin", "creat", "mak", "set", "tool", "function", "data", "info", "information", "detail", "value", "number", "us",
    "user", "specifi", "provid", "current", "given", "api", "add", "run",
}  # fmt: skip

HOW_MANY = re.compile(r"\bhow (?:many|much)\b.*\d", re.I)  # "How many feet are 3 metres?" wants something converted


def odds(tool: Tool, request: Request, plan: Plan) -> float:
    """Return the log-odds that `tool` is what the request asks for: above 0 means rather yes."""
    weights = _weights()
    return weights["bias"] + sum(
        weights[name] * value for name, value in zip(SIGNS, signs(tool, request, plan), strict=True)
    )


@cache
def _weights() -> dict[str, float]:
    return read_table("tool_weights.toml")


def signs(tool: Tool, request: Request, plan: Plan) -> list[float]:
    """Return the signs named in SIGNS, each between 0 and 1 or little more."""
    head, body = _tool_words(tool)
    asked = _asked(request.text, tuple(str(value) for value in _likely(plan).values()))
    asked_stems = {stem(word) for word in content(request.text)}
    if HOW_MANY.search(request.text):
        asked, asked_stems = (*asked, "convert"), asked_stems | {stem("convert")}
    near_head, near_body, near_asked = _nearness(asked, head, body)
    head_stems, all_stems = {stem(word) for word in head}, {stem(word) for word in (*head, *body)}
    own_stems = {stem(word) for word in asked}
    required = tool.required
    filled = sum(name not in plan.missing for name in required) / len(required) if required else 1.0
    sure = [min(plan.points.get(name, 0.0), 4.0) / 4 for name in required]
    return [
        len(head_stems & asked_stems) / max(1, len(head_stems)),
        _mean(near_head),
        _mean(sorted(near_body, reverse=True)[:4]),
        _mean(sorted(near_asked, reverse=True)[:3]),
        float(max(near_asked)),
        float(bool(head_stems & asked_stems)),
        len(all_stems & own_stems) / max(1, len(own_stems)),
        filled,
        _mean(sure) if sure else 0.5,
        _mean(near_asked),
        _value_near(tool, plan),
    ]


def _nearness(asked: tuple[str, ...], head: tuple[str, ...], body: tuple[str, ...]) -> tuple:
    """Return how near each word of the name, of the description, and of the request comes to the nearest on the other side."""
    if not asked or not (head or body):
        return [0.0], [0.0], [0.0]
    near = alike(asked, (*head, *body))
    columns = near.max(axis=0)
    return columns[: len(head)] if head else [0.0], columns[len(head) :] if body else [0.0], near.max(axis=1)


def _likely(plan: Plan) -> dict:
    """Return the decided values, and the first choice of the open ones."""
    return {**{name: options[0] for name, options in plan.open.items() if options}, **plan.values}


def _value_near(tool: Tool, plan: Plan) -> float:
    """Return how near the texts found are to the parameters that they fill: "francs" to "currency", "bedroom" to "room"."""
    found = []
    for name, value in _likely(plan).items():
        own = tuple(words(str(value)))[:4] if isinstance(value, str) and "enum" not in tool.properties[name] else ()
        about = tuple(word for word in split_name(name) if len(word) > 2)
        if own and about:
            found.append(float(alike(own, about).max()))
    return _mean(found)


def _mean(values) -> float:
    return float(sum(values) / len(values)) if len(values) else 0.0


@lru_cache(1024)
def _words_of(name: str, description: str, parameters: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    head = [word for word in split_name(name) if stem(word) not in GENERIC and len(word) > 1]
    sentence = re.split(r"(?<=[.;])\s", description)[0]
    body = [word for word in content(sentence) if stem(word) not in GENERIC]
    body += [word for one in parameters for word in split_name(one) if len(word) > 2 and stem(word) not in GENERIC]
    return tuple(dict.fromkeys(head)), tuple(word for word in dict.fromkeys(body) if word not in head)


def _tool_words(tool: Tool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    values = [str(v) for schema in tool.properties.values() for v in schema.get("enum", ()) if isinstance(v, str)]
    return _words_of(tool.name, tool.description, (*tool.properties, *values))


def _asked(text: str, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return the request's content words without those that are only values ("Lisbon", "Blue Lantern")."""
    taken = {word for value in values for word in content(value)}
    left = tuple(word for word in content(text) if word not in taken)
    return left or tuple(content(text))
