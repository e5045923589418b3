"""The patterns that guards look for, read from data/guard_patterns.toml and compiled once.

Every repetition in them is bounded, so that a text of 10 MB takes time in proportion to its length; a test finds what is not.

At work in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from labkit.paths import read_table

__all__ = ["Pattern", "patterns"]


@dataclass(frozen=True)
class Pattern:
    """One row: its `id`, the compiled `regex`, and what else has to hold.

    check: a function of labkit.operate.checksums that the found text must pass. near: words of which one must stand within 40
    characters before. entropy: least Shannon entropy, bits per character, of the group "secret" (or of all).
    """

    id: str
    regex: re.Pattern
    check: str = ""
    near: tuple[str, ...] = ()
    entropy: float = 0.0


@cache
def patterns(kind: str) -> tuple[Pattern, ...]:
    """Return the rows of `kind`: "injection", "pii", "credential" or "record"."""
    table = read_table("guard_patterns.toml")
    return tuple(_pattern(row) for row in table[kind])


def _pattern(row: dict) -> Pattern:
    near = tuple(row.get("near", ()))
    return Pattern(row["id"], re.compile(row["regex"]), row.get("check", ""), near, row.get("entropy", 0.0))
