"""Several calls for one request: its sentences one by one, and a list of values where a tool takes one of them.

    decide_all("What is the weather in Oslo, Rome and Lima? And set a timer of 5 minutes.", tools)   # four calls

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labkit.tools.decide import CHOICES, Call, Decision, Steps, decide, named, request_of
from labkit.tools.lists import word_lists
from labkit.tools.schema import check
from labkit.tools.tool import Tool

__all__ = ["decide_all", "parts"]

MOST_CALLS, MOST_PARTS = 8, 16  # more sentences than that are a text to work on, and no list of orders
BREAK = re.compile(r"(?<=[.?!;])\s+|,?\s+(?:and then|then|and also)\s+")


def decide_all(messages: Sequence[dict] | str, tools: Sequence[Tool], choice: str = "auto") -> Steps:
    """Yield Asks and return one Decision like `decide`, with all calls that the request wants (at most eight).

    A sentence that wants none, or lacks something, keeps no other from its call. Raises UnknownTool for a `choice` that is no tool.
    """
    if choice not in CHOICES:
        tools, choice = [named(choice, tools)], "required"
    text = messages if isinstance(messages, str) else request_of(messages).text
    sentences = parts(text)
    if len(sentences) == 1 or len(sentences) > MOST_PARTS or choice == "none":
        whole = yield from decide(messages, tools, choice)
        whole.calls = _expanded(whole.calls, text)[:MOST_CALLS]
        return whole
    found = Decision()
    for sentence in sentences:
        one = yield from decide(sentence, tools)
        found.calls += _expanded(one.calls, sentence)
        found.trace += [f"{sentence!r}: {step}" for step in one.trace]
        found.tool, found.missing = found.tool or one.tool, found.missing or one.missing
        found.error = found.error or one.error
    if not found.calls:  # what no sentence wants by itself they may want together
        return (yield from decide(messages, tools, choice))
    found.calls, found.missing, found.error = _once(found.calls)[:MOST_CALLS], [], None
    return found


def parts(text: str) -> list[str]:
    """Return the parts of a request that may each want a call: sentences, and what "then" or "and also" joins."""
    return [part.strip() for part in BREAK.split(text) if part and len(part.split()) > 1] or [text]


def _expanded(calls: Sequence[Call], text: str) -> list[Call]:
    """Return each call, and the same one for the other items of a list that holds one of its values."""
    lists, found = [items for items, _, _ in word_lists(text)], []
    for call in calls:
        found.append(call)
        for name, value in call.arguments.items():
            others = next((items for items in lists if isinstance(value, str) and value in items), [])
            for other in others:
                arguments = {**call.arguments, name: other}
                if other != value and not check(arguments, call.tool.parameters):
                    found.append(Call(call.tool, arguments))
    return found


def _once(calls: Sequence[Call]) -> list[Call]:
    """Return the calls without repetitions, in their order."""
    found: list[Call] = []
    for call in calls:
        if call not in found:
            found.append(call)
    return found
