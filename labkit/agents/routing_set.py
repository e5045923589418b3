"""Short routine requests with the right label of each (`data/routing.toml`): one half to make prompts with, one half to count.

    one = items("kept")[0]
    one.request.text, one.right

Taught in notebook 02, sections "Confidence" and "The curve".
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from labkit.agents.hybrid import Request
from labkit.errors import CourseError
from labkit.paths import read_table

__all__ = ["Item", "items", "worked_examples"]

PARTS = ("development", "kept")


class Item(NamedTuple):
    """One request, its `task` (a name in the table) and the `right` label, by a person's judgement."""

    request: Request
    task: str
    right: str


@cache
def _table() -> dict:
    return read_table("routing.toml")


def items(part: str) -> list[Item]:
    """Return the items of a part: "development" (prompts, worked examples, thresholds) or "kept" (the final count).

    Raises CourseError for another part.
    """
    if part not in PARTS:
        raise CourseError(
            f"The requests have no part {part!r}", f"there are {PARTS[0]} and {PARTS[1]}", "use one of these"
        )
    return [_item(row) for row in _table()["request"] if row["part"] == part]


def worked_examples(request: Request, each: int = 2) -> list[tuple[str, str]]:
    """Return the first `each` development items of every label of the request's task, as (text, label): for longer prompts.

    Taught in notebook 02, section "One door".
    """
    pool = [(one.request.text, one.right) for one in items("development") if one.request.options == request.options]
    return [pair for label in request.options for pair in [one for one in pool if one[1] == label][:each]]


def _item(row: dict) -> Item:
    task = _table()["task"][row["task"]]
    examples = tuple((text, label) for text, label in task["examples"])
    request = Request(row["text"], tuple(task["options"]), task["ask"], examples, row.get("private", False))
    return Item(request, row["task"], row["right"])
