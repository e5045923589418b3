"""Is this text fit to be read at all: its size, its characters, its shape as JSON.

    size(100_000)            no more characters than so many
    readable()               no lone surrogates, control characters or non-characters
    invisible()              nothing that a person cannot see and a model reads
    json_shape(schema)       JSON of this schema, for structured inputs and for answers

Taught in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import json
import re
from typing import Any

from labkit.errors import Blocked
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, block, change

__all__ = ["decoded", "invisible", "json_shape", "json_problem", "readable", "size", "without_invisible"]

# Lone surrogates (no UTF-8 exists for them), control characters but tab, line feed and return, and the non-characters.
UNREADABLE = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufdd0-\ufdef\ufffe\uffff]")
# Overrides and embeddings turn the order of what is shown; U+200E and U+200F only mark a direction and are ordinary there.
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Tags spell ASCII that nothing shows. A flag such as Scotland's is a black flag, tags, and the closing tag.
TAGS = re.compile("(?<!\U0001f3f4)[\U000e0000-\U000e007f](?:[\U000e0000-\U000e007f]{0,64})")
FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f")
# Between Latin letters a joiner or a space of no width has no use; in Arabic, Indic scripts and emoji it does.
HIDDEN = re.compile("(?<=[!-~])[\u200b-\u200d\u2060-\u2064\u180e\ufeff]{1,64}(?=[!-~])")
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,64}")  # runs of them can carry bytes
DEPTH, CHARACTERS = 32, 1_000_000


def size(characters: int, cut: bool = False) -> Guard:
    """Return the guard that blocks a text of more than `characters` characters; with `cut` it shortens it instead."""

    def judge(text: str, context: Context) -> Verdict:
        if len(text) <= characters:
            return PASS
        said = f"{len(text):,} characters, {characters:,} are allowed"
        return change(f"{text[:characters]} [cut: {said}]", said) if cut else block(said)

    return Guard("size", judge)


def readable(repair: bool = False) -> Guard:
    """Return the guard against characters that no well-formed text holds; with `repair` they become U+FFFD."""

    def judge(text: str, context: Context) -> Verdict:
        found = UNREADABLE.search(text)
        if not found:
            return PASS
        said = f"U+{ord(found[0]):04X} at position {found.start()} belongs in no text"
        return change(UNREADABLE.sub("\ufffd", text), said) if repair else block(said)

    return Guard("readable", judge)


def invisible() -> Guard:
    """Return the guard that takes out what nobody sees; hidden words (tags) and turned direction are blocked in an input."""

    def judge(text: str, context: Context) -> Verdict:
        shown = without_invisible(text)
        if shown == text:
            return PASS
        loaded = TURNING.search(text) or TAGS.search(FLAG.sub("", text))
        if loaded and context.place == "input":
            return block(f"U+{ord(loaded[0][0]):04X} hides or turns text")
        return change(shown, f"{len(text) - len(shown)} invisible characters taken out")

    return Guard("invisible", judge)


def without_invisible(text: str) -> str:
    """Return `text` as a person sees it: flags and joined emoji stay."""
    flags = FLAG.findall(text)
    text = FLAG.sub("\ue000", text) if flags and "\ue000" not in text else text
    for pattern in (TURNING, TAGS, HIDDEN, SELECTORS):
        text = pattern.sub("", text)
    for flag in flags:
        text = text.replace("\ue000", flag, 1)
    return text


def decoded(raw: bytes) -> str:
    """Return bytes as text. Raises Blocked if they are not UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        why = f"byte {error.start} of {len(raw)}: {error.reason}"
        raise Blocked("The input is not UTF-8.", why, "save the file as UTF-8") from error


def json_shape(schema: dict, depth: int = DEPTH, name: str = "off-schema") -> Guard:
    """Return the guard that wants JSON of `schema`, no deeper than `depth` brackets and below a million characters."""
    return Guard(name, lambda text, context: block(said) if (said := json_problem(text, schema, depth)) else PASS)


def json_problem(text: str, schema: dict, depth: int = DEPTH) -> str:
    """Return why `text` is not JSON of `schema`, or "". Deep and self-referring JSON is refused before it is walked."""
    import jsonschema

    if len(text) > CHARACTERS:
        return f"{len(text):,} characters of JSON, {CHARACTERS:,} are allowed"
    try:
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        if _deeper(value, depth):
            return f"nested deeper than {depth} levels"
        error = next(jsonschema.Draft202012Validator(schema).iter_errors(value), None)
    except RecursionError:
        return "nested too deep to be read"
    except ValueError as problem:  # not JSON, a key twice, NaN, a number of a thousand digits
        return f"not JSON: {str(problem)[:100]}"
    return f"{error.json_path}: breaks {error.validator!r} of the schema" if error else ""


def _deeper(value: Any, most: int) -> bool:
    """Return whether lists and dicts in `value` are nested deeper than `most`: level by level, without recursion."""
    level = [value]
    for _ in range(most + 1):
        level = [inner for one in level for inner in _inner(one)]
    return bool(level)


def _inner(value: Any) -> list:
    """Return what stands directly in a list or dict; an empty one counts as a level too."""
    if isinstance(value, dict):
        return list(value.values()) or [None]
    return (value or [None]) if isinstance(value, list) else []


def _once(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice, and readers disagree which one counts")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
