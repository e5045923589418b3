"""Texts that give the model orders: known phrases, also under a disguise.

The phrases are data (data/guard_patterns.toml, rows "injection"). They are looked for in the text as a person reads it, with digits
for letters undone, turned by 13 letters, and in whatever base64 it holds. Such a list catches what has been seen before and is
quoted by honest people too: its rates are printed by `labkit guards eval`, and no right may depend on it. What an agent is
allowed to do after it has read foreign text is settled by labels instead (labkit/operate/labels.py).

Taught in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator

from labkit.operate.guard_patterns import patterns
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, block, change
from labkit.operate.inputs import without_invisible

__all__ = ["folded", "found", "injection"]

# Cyrillic and Greek letters that look Latin, and those that decomposing leaves alone.
ALIKE = str.maketrans("аеорсухіѕјԁһӏɡαεορικτνß’‘“”ı", "aeopcyxisjdhlgaeopiktvs''\"\"i")
LEET = str.maketrans("013457@$", "oieastas")
MIXED = re.compile(r"[a-z][013457@$]|[013457@$][a-z]")
SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ .*_-][^\W_]){2,200}(?![^\W_])")  # i g n o r e, two blanks between words
BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/_-]{24,4000}={0,2}")
WITHHELD = "[The result of {tool} was withheld: it holds text addressed to the model ({said}).]"


def injection() -> Guard:
    """Return the guard against orders to the model: an input is blocked, a tool's result replaced by a note."""

    def judge(text: str, context: Context) -> Verdict:
        said = found(text)
        if not said:
            return PASS
        if context.place == "tool result":
            return change(WITHHELD.format(tool=context.tool or "the tool", said=said), said)
        return block(said)

    return Guard("injection", judge)


def found(text: str) -> str:
    """Return the id of the first pattern that `text` holds, and the disguise it wore; "" if none."""
    for disguise, view in _views(text):
        for pattern in patterns("injection"):
            if pattern.regex.search(view):
                return f"{pattern.id}{disguise}"
    return ""


def folded(text: str) -> str:
    """Return `text` in lower case, without accents and invisible characters, with one blank between words."""
    text = unicodedata.normalize("NFKD", without_invisible(text)).casefold().translate(ALIKE)
    if not text.isascii():
        text = "".join(one for one in text if not unicodedata.combining(one))
    return " ".join(text.split())


def _views(text: str) -> Iterator[tuple[str, str]]:
    plain = folded(text)
    yield "", plain
    if MIXED.search(plain):
        yield " (digits for letters)", plain.translate(LEET)
    if SPACED.search(text):
        yield " (spaced out)", folded(SPACED.sub(lambda match: match[0][::2], text))
    yield " (rot13)", codecs.encode(plain, "rot13")
    if inner := " ".join(_unpacked(text)):
        yield " (base64)", folded(inner)


def _unpacked(text: str) -> Iterator[str]:
    """Yield what base64 in `text` decodes to, where that is readable text."""
    for match in BASE64.finditer(text):
        packed = match[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            inner = base64.b64decode(packed + "=" * (-len(packed) % 4)).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            continue
        if inner.isprintable() or "\n" in inner:
            yield inner
