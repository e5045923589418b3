"""The course's own items to count tool calls with: requests over made-up tools, and what a right call looks like.

data/tool_items/tools.toml has the tools, data/tool_items/items.jsonl the requests. No tool of the development half is in the kept
half. A right value is one of those listed; null among them means that it may be left out.

Taught in notebook 04, sections "Two stages" and "Five rates".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.errors import ConfigError
from labkit.paths import data_dir, read_table
from labkit.tools.tool import Tool

__all__ = ["HALVES", "KINDS", "Item", "items", "right_arguments", "same", "toolbox"]

HALVES = ("dev", "kept")
KINDS = ("one", "several", "multi", "none", "missing")


@dataclass(frozen=True)
class Item:
    """A request (`messages`) with `tools` at hand, and what is right for it.

    call: name of the right tool, or "" if none is to be called. args: parameter -> list of right values. missing: what the
    request lacks (kind "missing").
    """

    kind: str
    messages: tuple[dict, ...]
    tools: tuple[Tool, ...]
    call: str
    args: dict[str, list]
    missing: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All that the user said."""
        return " ".join(one["content"] for one in self.messages if one["role"] == "user")

    @property
    def abstain(self) -> bool:
        """Whether no call is right: no tool fits, or something is missing."""
        return not self.call or bool(self.missing)


@cache
def toolbox(half: str) -> dict[str, Tool]:
    """Return the tools of a half ("dev" or "kept") by name.

    Taught in notebook 04, section "Two stages".
    """
    _check(half)
    rows = read_table("tool_items/tools.toml")
    return {name: _tool(name, row) for name, row in rows.items() if row["half"] == half}


def _tool(name: str, row: dict) -> Tool:
    parameters = {key: dict(value) for key, value in row.items() if key not in ("half", "does")}
    required = [key for key, value in parameters.items() if not value.pop("optional", False)]
    return Tool(name, row["does"], {"type": "object", "properties": parameters, "required": required})


def items(half: str) -> list[Item]:
    """Return the items of a half ("dev" or "kept"). Raises ConfigError for another name.

    Taught in notebook 04, section "Two stages".
    """
    tools = toolbox(half)
    lines = (data_dir() / "tool_items" / "items.jsonl").read_text(encoding="utf-8").splitlines()
    return [_item(row, tools) for row in map(json.loads, lines) if row["tools"][0] in tools]


def _item(row: dict, tools: dict[str, Tool]) -> Item:
    turns = row.get("turns") or [row["text"]]
    messages = tuple({"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(turns))
    call = row.get("call") or (row["tools"][0] if row["kind"] == "one" else "")
    return Item(
        row["kind"],
        messages,
        tuple(tools[n] for n in row["tools"]),
        call,
        row.get("args", {}),
        tuple(row.get("missing", ())),
    )


def _check(half: str) -> None:
    if half not in HALVES:
        raise ConfigError(
            f"There is no half {half!r}.", "the items are split into dev and kept", "labkit tools eval --half dev"
        )


def right_arguments(got: dict, wanted: dict[str, list]) -> bool:
    """Whether a call's arguments are right: each value is one of those listed, nothing is added, nothing required left out."""
    return got.keys() <= wanted.keys() and all(
        any(same(got.get(name), one) for one in ok) for name, ok in wanted.items()
    )


def same(got: Any, wanted: Any) -> bool:
    """Whether two values are the same but for case, blanks and punctuation of texts, and int beside float."""
    if isinstance(wanted, bool) or isinstance(got, bool) or wanted is None or got is None:
        return got is wanted
    if isinstance(wanted, int | float):
        return isinstance(got, int | float) and abs(got - wanted) <= 1e-9 * max(1.0, abs(wanted))
    if isinstance(wanted, str):
        return isinstance(got, str) and _bare(got) == _bare(wanted)
    if isinstance(wanted, list):
        return isinstance(got, list) and len(got) == len(wanted) and all(map(same, got, wanted))
    return isinstance(got, dict) and got.keys() == wanted.keys() and all(same(got[key], wanted[key]) for key in wanted)


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold()) or text
