"""Texts that give the model orders: known phrases, also under a disguise, and what reads like one.

The phrases are data (data/guard_patterns.toml, rows "injection"). They are looked for in the text as a person reads it, with
digits for letters undone, turned by 13 letters, and in whatever base64 it holds. Honest people quote and use them too, so a phrase
in plain sight is weighed together with how the rest reads (labkit/operate/injection_score.py); one that hides is stopped. The rates
are printed by `labkit guards eval`, and no right may depend on them. What an agent is allowed to do after it has read foreign text
is settled by labels instead (labkit/operate/labels.py).

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
from labkit.operate.injection_score import LONGEST, score, threshold
from labkit.operate.inputs import without_invisible

__all__ = ["folded", "found", "injection", "suspicion"]

# Cyrillic and Greek letters that look Latin, and those that decomposing leaves alone.
ALIKE = str.maketrans("аеорсухіѕјԁһӏɡαεορικτνß’‘“”ı", "aeopcyxisjdhlgaeopiktvs''\"\"i")
LEET = str.maketrans("013457@$", "oieastas")
MIXED = re.compile(r"[a-z][013457@$]|[013457@$][a-z]")
SPACED = re.compile(r"(?<![^\W_])[^\W_](?:[ .*_-][^\W_]){2,200}(?![^\W_])")  # i g n o r e, two blanks between words
BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/_-]{24,4000}={0,2}")
AROUND = 20  # characters on both sides of a phrase
LEETED, ROT13 = " (digits for letters)", " (rot13)"
UNREAD = (LEETED, ROT13)  # views that make nonsense of honest text: only phrases are looked for in them
WITHHELD = "[The result of {tool} was withheld: it holds text addressed to the model ({said}).]"


def injection(at: float | None = None) -> Guard:
    """Return the guard against orders to the model: an input is blocked, a tool's result replaced by a note.

    at: the log-odds from which a text is stopped; more lets more pass. Default: as fitted (`labkit guards eval` prints the choice).
    """

    def judge(text: str, context: Context) -> Verdict:
        hidden, highest, said = suspicion(text)
        if not hidden and highest < (threshold() if at is None else at):
            return PASS
        if context.place == "tool result":
            return change(WITHHELD.format(tool=context.tool or "the tool", said=said), said)
        return block(said)

    return Guard("injection", judge)


def suspicion(text: str) -> tuple[bool, float, str]:
    """Return whether a known phrase hides in `text`, the log-odds of its worst part, and what speaks against it, in words.

    Looked at are each known phrase with what stands around it, and, up to 320 characters, the whole: longer texts are of too many
    kinds to be judged by their sound.
    """
    plain, highest, said = "", float("-inf"), ""
    for disguise, view in _views(text):
        phrase = _phrase(view)
        if disguise and phrase and phrase != plain:
            return True, highest, f"{phrase}{disguise}"
        plain = plain or phrase
        for name, part in () if disguise in UNREAD else _parts(view):
            level = score(part, bool(name))
            if level > highest:
                highest, said = level, f"{name or 'reads like an order to the model'}{disguise}"
    return False, highest, said


def _parts(view: str) -> Iterator[tuple[str, str]]:
    """Yield (id of a known phrase, or "", and the part of `view` that is weighed with it)."""
    if len(view) <= LONGEST:
        yield _phrase(view), view
        return
    for pattern in patterns("injection"):
        for match in pattern.regex.finditer(view):
            yield pattern.id, view[max(0, match.start() - AROUND) : match.end() + AROUND]


def found(text: str) -> str:
    """Return the id of the first known phrase that `text` holds, and the disguise it wore; "" if none.

    Taught in notebook 14, section "Trust".
    """
    return next((f"{phrase}{disguise}" for disguise, view in _views(text) if (phrase := _phrase(view))), "")


def _phrase(view: str) -> str:
    return next((one.id for one in patterns("injection") if one.regex.search(view)), "")


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
        yield LEETED, plain.translate(LEET)
    if SPACED.search(text):
        yield " (spaced out)", folded(SPACED.sub(lambda match: match[0][::2], text))
    yield ROT13, codecs.encode(plain, "rot13")
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
