"""A small shop's messages, orders and prices (`data/shop.toml`), and the tools that look things up in them.

Taught in notebook 01, sections "A small model inside" and "From chatbot to agent".
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from labkit.errors import CourseError
from labkit.paths import read_table

__all__ = [
    "LABELS", "TOOLS", "Message", "Question",
    "find_order", "find_price", "keyword_rule", "messages", "named", "orders", "questions", "things",
]  # fmt: skip

LABELS = ("delivery", "payment", "product")


class Message(NamedTuple):
    """What a customer wrote, and which of LABELS it is about, by a person's judgement."""

    text: str
    about: str


class Question(NamedTuple):
    """What a customer asks; the `tools` that an answer takes (none: a person must answer), and the `facts` in it."""

    text: str
    tools: tuple[str, ...]
    facts: tuple[str, ...]


@cache
def _shop() -> dict:
    return read_table("shop.toml")


def messages(part: str) -> list[Message]:
    """Return the messages of a part: "example" (for the prompt), "practice" (to try prompts), "test" (to count)."""
    return [Message(row["text"], row["about"]) for row in _shop()["message"] if row["part"] == part]


def questions() -> list[Question]:
    """Return what customers ask the shop; none of it was used to make the prompts."""
    return [Question(row["text"], tuple(row["tools"]), tuple(row["facts"])) for row in _shop()["question"]]


def keyword_rule(text: str) -> str | None:
    """Return the label of the first keyword in `text`, or None: the rule that a person wrote from the practice part."""
    lower = text.lower()
    return next((label for label, words in _shop()["keywords"].items() if any(w in lower for w in words)), None)


def orders() -> list[str]:
    """Return the numbers of the shop's orders."""
    return list(_shop()["orders"])


def things() -> list[str]:
    """Return what the shop sells."""
    return list(_shop()["prices"])


def find_order(number: str) -> str:
    """Return where an order is, in a sentence. Raises CourseError for an unknown number."""
    return _look_up("orders", number)


def find_price(thing: str) -> str:
    """Return what a thing costs, in a sentence. Raises CourseError for an unknown thing."""
    return _look_up("prices", thing)


def named(text: str) -> list[str]:
    """Return the order numbers and things of the shop that `text` names, in the order of the shop's tables."""
    lower = text.lower()
    return [key for key in (*orders(), *things()) if key in lower]


def _look_up(table: str, key: str) -> str:
    rows = _shop()[table]
    if key not in rows:
        raise CourseError(
            f"The shop has no {key!r} among its {table}", f"there are {', '.join(rows)}", "ask for one of these"
        )
    return rows[key]


# Each tool with the closed set that its argument comes from.
TOOLS = {"find_order": (find_order, orders), "find_price": (find_price, things)}
