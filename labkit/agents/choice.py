"""Let a language model decide: it picks one of a closed set, and cannot answer anything else.

    choose(endpoint, "Room: 17 degrees. Wanted: 20 degrees.", ["on", "off"]).value

The engine is given a JSON schema whose only string is an enum, and can write nothing that does not fit it. So every
answer is valid. Whether it is right is another matter; count it.

Taught in notebook 01, section "A small model inside", and in notebook 05, section "Routing".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.errors import RequestError
from labkit.tools.schema import record, response_format

__all__ = ["Choice", "ModelAgent", "choose", "conversation", "one_of"]

MOST_TOKENS = 64  # the choice itself takes about ten; some models put spaces and line breaks around it
Examples = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Choice:
    """What the model picked (`value`), and how many `seconds` the call took."""

    value: str
    seconds: float


def one_of(options: Sequence[str]) -> dict:
    """Return the `response_format` of a chat request that leaves only {"choice": one of `options`}.

    Taught in notebook 05, section "Routing".
    """
    return response_format("choice", record({"choice": {"type": "string", "enum": list(options)}}))


def conversation(question: str, examples: Examples = (), instructions: str = "") -> list[dict]:
    """Return chat messages: `instructions` if any, the `examples` (question, choice) as earlier turns, the question.

    Taught in notebook 05, section "Routing".
    """
    messages = [{"role": "system", "content": instructions}] if instructions else []
    for asked, chosen in examples:
        messages.append({"role": "user", "content": asked})
        messages.append({"role": "assistant", "content": json.dumps({"choice": chosen})})
    return [*messages, {"role": "user", "content": question}]


def choose(endpoint, question: str, options: Sequence[str], examples: Examples = (), instructions: str = "") -> Choice:
    """Return the model's Choice among `options`.

    `examples` are pairs (question, choice) that show it how. Raises RequestError if the engine did not keep to the
    schema, and what `Endpoint.chat` raises. Taught in notebook 01, section "A small model inside".
    """
    messages = conversation(question, examples, instructions)
    reply = endpoint.chat(messages, max_tokens=MOST_TOKENS, response_format=one_of(options))
    try:
        value = json.loads(reply.text)["choice"]
    except (ValueError, TypeError, KeyError):
        value = None
    if value not in options:
        raise RequestError(
            f"The model's choice is not one of {list(options)}: {reply.text!r}",
            "the engine ignores JSON schemas, or the answer was cut off",
            "endpoint.capabilities  # is json_schema a yes?",
        )
    return Choice(value, reply.seconds)


@dataclass
class ModelAgent:
    """An agent whose decisions a language model makes; it fits into `run` like any other.

    describe: turns a percept into the sentence that the model reads. options: what it may answer. examples, instructions:
    as for `choose`. Taught in notebook 01, section "A small model inside".
    """

    endpoint: object
    options: Sequence[str]
    describe: Callable[[object], str] = str
    examples: Examples = ()
    instructions: str = ""

    def __call__(self, percept: object) -> str:
        return choose(self.endpoint, self.describe(percept), self.options, self.examples, self.instructions).value
