"""Words as labkit.tools compares them: lower case, without their endings, and the tables of data/tool_words.toml.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from labkit.paths import read_table

__all__ = ["content", "split_name", "stem", "table", "words"]

ENDINGS = (
    "ations",
    "ation",
    "ators",
    "ator",
    "ating",
    "ated",
    "ates",
    "ions",
    "ion",
    "ings",
    "ing",
    "ies",
    "ed",
    "es",
    "ly",
    "s",
)


@cache
def table(name: str) -> dict | frozenset:
    """Return a table of data/tool_words.toml; a text of words comes as a set."""
    found = _tables()[name]
    return frozenset(found.split()) if isinstance(found, str) else found


@cache
def _tables() -> dict:
    return read_table("tool_words.toml")


@lru_cache(4096)
def stem(word: str) -> str:
    """Return `word` without its ending: "calculates", "calculation" and "calculate" are one."""
    word = word.lower().removesuffix("'s")
    if len(word) < 4:
        return word
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)] + ("y" if ending == "ies" else "at" if ending.startswith("at") else "")
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case; numbers and signs are left out."""
    return re.findall(r"[^\W\d_]+(?:'[a-z]+)?", text.lower())


def content(text: str) -> list[str]:
    """Return the words of `text` that carry meaning: no stop words, no single letters, each once."""
    stop = table("stop")
    return list(dict.fromkeys(word for word in words(text) if word not in stop and len(word) > 1))


def split_name(name: str) -> list[str]:
    """Return the words of a name in snake_case, camelCase or with.dots."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)]
