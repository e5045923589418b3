"""Personal data by pattern and check digit: found, and taken out.

    find("My card is 4111 1111 1111 1111")       # [Finding(kind="card", start=11, end=30)]
    redact("My card is 4111 1111 1111 1111")     # "My card is [card]"

Names, addresses and what somebody suffers from have no check digit: for those a trained recogniser is needed (the extra
`presidio`), and none finds them all.

Taught in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from labkit.operate import checksums
from labkit.operate.guard_patterns import Pattern, patterns
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, block, change

__all__ = ["Finding", "find", "pii", "redact", "without"]

NEARBY = 40  # characters
SEPARATOR = re.compile(r"[ .-]")


@dataclass(frozen=True)
class Finding:
    """A span of a text, `start` to `end` in characters, and the `kind` of thing that stands there."""

    kind: str
    start: int
    end: int


def pii(kinds: Iterable[str] = (), refuse: bool = False) -> Guard:
    """Return the guard that puts "[kind]" for personal data (`kinds`: only these; all if empty); with `refuse` it blocks."""
    only = frozenset(kinds)

    def judge(text: str, context: Context) -> Verdict:
        found = find(text, only)
        if not found:
            return PASS
        said = ", ".join(sorted({one.kind for one in found}))
        return block(said) if refuse else change(without(text, found), said)

    return Guard("pii", judge)


def find(text: str, kinds: Iterable[str] = ()) -> list[Finding]:
    """Return what personal data stands in `text`, in order, none overlapping another."""
    only, found = frozenset(kinds), []
    for pattern in patterns("pii"):
        if not only or pattern.id in only:
            found += [Finding(pattern.id, *span) for span in _spans(pattern, text)]
    return apart(found)


def redact(text: str, kinds: Iterable[str] = ()) -> str:
    """Return `text` with "[kind]" in place of each finding."""
    return without(text, find(text, kinds))


def without(text: str, found: Iterable[Finding]) -> str:
    """Return `text` with "[kind]" in place of `found`, which are in order and apart."""
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
    return "".join([*parts, text[at:]])


def apart(found: Iterable[Finding]) -> list[Finding]:
    """Return findings in order; those that overlap become one, of the kind that begins first, so that no end sticks out."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        else:
            kept[-1] = replace(kept[-1], end=max(kept[-1].end, one.end))
    return kept


def _spans(pattern: Pattern, text: str) -> Iterator[tuple[int, int]]:
    """Yield where `pattern` holds. A number and the next one may look like one long number: shorter ends are tried too."""
    at = 0
    while match := pattern.regex.search(text, at):
        end = _end(pattern, match)
        if end:
            yield match.start(), end
        gap = SEPARATOR.search(match[0])
        at = end or (match.start() + gap.start() if gap else match.end())


def _end(pattern: Pattern, match: re.Match) -> int:
    """Return where the longest number that holds ends, or 0."""
    before = match.string[max(0, match.start() - NEARBY) : match.start()].casefold()
    if pattern.near and not any(word in before for word in pattern.near):
        return 0
    if not pattern.check:
        return match.end()
    check, found = getattr(checksums, pattern.check), match[0]
    ends = [len(found), *(gap.start() for gap in reversed(list(SEPARATOR.finditer(found))))]
    return next((match.start() + end for end in ends if check(found[:end])), 0)
