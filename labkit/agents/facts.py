"""Facts that rules find in what a user says: names, numbers of orders and customers (patterns in data/memory_facts.toml).

    facts_in("I am Ada, my order 1002 is late.")        # {"name": "Ada", "order": "1002"}

Only the user's own words are read: a tool's result may come from anybody.

Taught in notebook 13, section "A small window".
"""

from __future__ import annotations

import re
from functools import cache

from labkit.paths import read_table

__all__ = ["facts_in"]


def facts_in(text: str) -> dict[str, str]:
    """Return name -> value of the facts in `text`; of several values the last."""
    found = {name: pattern.findall(text) for name, pattern in _patterns().items()}
    return {name: _value(values[-1]) for name, values in found.items() if values}


@cache
def _patterns() -> dict[str, re.Pattern]:
    table = read_table("memory_facts.toml")
    return {name: re.compile(pattern, re.IGNORECASE) for name, pattern in table["pattern"].items()}


def _value(groups: str | tuple[str, ...]) -> str:
    return groups if isinstance(groups, str) else next(filter(None, groups), "")
