"""What the model is shown: one line a tool, one worked exchange of another tool, and results as plain text.

Small models repeat the format of what they see. So the worked exchange shows the JSON wanted, and a tool's result is put in as
"Question: … Information: …": raw JSON of earlier calls would be echoed.

Taught in notebook 04, section "Token masks".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from labkit.tools.tool import Tool

__all__ = ["answer_messages", "arguments_messages", "call_messages", "line", "listing", "name_messages", "plain"]

EXAMPLE = "get_horoscope(sign: string, days?: integer) - Read the horoscope of a zodiac sign."
ASKED, CALL = (
    "What do the stars say for Leo over the next 2 days?",
    {"name": "get_horoscope", "arguments": {"sign": "Leo", "days": 2}},
)
# A record, something done, a sentence: beside a sentence alone, a small model answers a record with that very sentence.
ANSWERED = [
    {"role": role, "content": content}
    for asked, information, said in (
        (
            "Look up book B-7.",
            "id: B-7, title: The Sea, shelf: 12, status: lent",
            "Book B-7, The Sea, shelf 12, is lent.",
        ),
        ("Water the roses.", "plant: roses, litres: 2, status: done", "The roses got 2 litres of water. Status: done."),
        ("How tall is the tower?", "The tower is 120 metres tall.", "The tower is 120 metres tall."),
    )
    for role, content in (("user", f"Question: {asked}\nInformation: {information}"), ("assistant", said))
]

# Two worked exchanges for the arguments: name, description, parameters, request, arguments.
FORMS = (
    (
        "get_horoscope",
        "Read the horoscope of a zodiac sign.",
        {"sign": "The name of the zodiac sign", "days": "How many days ahead (integer)"},
        ASKED,
        CALL["arguments"],
    ),
    (
        "book_table",
        "Book a table at a restaurant.",
        {"restaurant": "Name of the restaurant", "people": "Number of people (integer)", "area": "Where to sit"},
        "Please reserve a window seat for four at Blue Lantern.",
        {"restaurant": "Blue Lantern", "people": 4, "area": "window seat"},
    ),
)


def line(tool: Tool) -> str:
    """Return a tool as one line: name(parameter: type, optional?: type in [values]) - description"""
    parts = [
        f"{name}{'' if name in tool.required else '?'}: {_type(schema)}" for name, schema in tool.properties.items()
    ]
    return f"{tool.name}({', '.join(parts)}) - {tool.description}"


def _type(schema: dict) -> str:
    kind = schema.get("type") or "/".join(_type(one) for one in schema.get("anyOf", ())) or "any"
    if "enum" in schema:
        return f"{kind} in {json.dumps(schema['enum'], ensure_ascii=False)}"
    if kind == "array":
        return f"[{_type(schema['items'])}]"
    if kind == "object" and schema.get("properties"):
        return "{" + ", ".join(f"{key}: {_type(value)}" for key, value in schema["properties"].items()) + "}"
    return kind


def listing(tools: Iterable[Tool]) -> str:
    """Return the tools, one line each. Taught in notebook 14, section "Two transports"."""
    return "\n".join(line(tool) for tool in tools)


def call_messages(tools: Sequence[Tool], request: str) -> list[dict]:
    """Return the messages that ask for one call of one of `tools`, as {"name", "arguments"}.

    Taught in notebook 04, section "Token masks".
    """
    system = "Answer each request with one call of a function, as JSON. Take the values from the request."
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": f"Functions:\n{EXAMPLE}\nRequest: {ASKED}"},
        {"role": "assistant", "content": json.dumps(CALL)},
        {"role": "user", "content": f"Functions:\n{listing(tools)}\nRequest: {request}"},
    ]


def name_messages(tools: Sequence[Tool], request: str) -> list[dict]:
    """Return the messages that ask for the name of the tool alone, as {"name"}.

    Taught in notebook 04, section "Two stages".
    """
    other = "lock_door(door: string) - Lock a door of the house."
    return [
        {"role": "user", "content": f"Functions:\n{other}\n{EXAMPLE}\nRequest: {ASKED}\nWhich function does it?"},
        {"role": "assistant", "content": json.dumps({"name": CALL["name"]})},
        {"role": "user", "content": f"Functions:\n{listing(tools)}\nRequest: {request}\nWhich function does it?"},
    ]


def arguments_messages(tool: Tool, names: Sequence[str], request: str) -> list[dict]:
    """Return the messages that ask for the arguments called `names`, as a JSON object, after two worked exchanges."""
    about = {name: _about(tool.properties[name]) for name in names}
    messages = [
        {
            "role": "system",
            "content": "Fill in the arguments of the function from the request, as JSON. Copy the words of the request.",
        }
    ]
    for name, description, parameters, asked, arguments in FORMS:
        messages.append({"role": "user", "content": _form(name, description, parameters, asked)})
        messages.append({"role": "assistant", "content": json.dumps(arguments)})
    return [*messages, {"role": "user", "content": _form(tool.name, tool.description, about, request)}]


def _form(name: str, description: str, parameters: dict[str, str], request: str) -> str:
    return "\n".join(
        [
            f"Function {name}: {description}",
            *(f"- {key}: {text}" for key, text in parameters.items()),
            f"Request: {request}",
        ]
    )


def _about(schema: dict) -> str:
    return schema.get("description") or _type(schema)


def answer_messages(question: str, results: Sequence[str]) -> list[dict]:
    """Return the messages that ask for an answer from what the tools returned, put in as plain text after worked exchanges."""
    information = "\n".join(f"Information: {plain(text)}" for text in results)
    return [*ANSWERED, {"role": "user", "content": f"Question: {question}\n{information}"}]


def plain(text: str) -> str:
    """Return a result as plain text: JSON as "key: value, key: value", anything else as it is."""
    try:
        return _spoken(json.loads(text)) if text[:1] in "{[" else text
    except (ValueError, RecursionError):
        return text


def _spoken(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{str(key).replace('_', ' ')}: {_spoken(one)}" for key, one in value.items())
    if isinstance(value, list):
        return "; ".join(map(_spoken, value))
    return value if isinstance(value, str) else json.dumps(value)
