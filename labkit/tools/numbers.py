"""Give the request's numbers to a tool's numeric parameters: first where a word or unit says so, then in their order.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from labkit.tools.candidates import Candidate
from labkit.tools.plan import Work
from labkit.tools.slots import Slot, name_stems, number_points
from labkit.tools.words import stem, words

__all__ = ["fill_numbers"]

SURE = 2.0  # points from which a sign counts as unmistakable: less than that does not fill an optional parameter
SOME = 1.0
FRACTION = re.compile(r"rate|fraction|decimal|ratio|probab|yield|return")
DECIMAL = re.compile(r"\bdecimal|\b0\.\d")  # "as a decimal, e.g. 5% is 0.05"
PERCENT = re.compile(r"percent|%|\bpct\b")


def fill_numbers(slots: Sequence[Slot], work: Work) -> None:
    """Decide what can be decided of the numeric parameters `slots`."""
    pool = work.free("number", "percent") if slots else []
    pool = [one for one in pool if not _counts(one, slots, pool, work.text)]
    pairs = [
        (number_points(slot, one, work.text, pool), -i, -j, slot, one)
        for i, slot in enumerate(slots)
        for j, one in enumerate(pool)
        if _allowed(slot, one)
    ]
    for points, _, _, slot, one in sorted(pairs, key=lambda pair: pair[:3], reverse=True):
        if points >= (SOME if slot.required else SURE) and not work.plan.has(slot) and one not in work.used:
            _take(slot, one, points, work)
    for slot in slots:  # what no word decides: in the order in which both are written
        left = [one for one in pool if one not in work.used and _allowed(slot, one)]
        if slot.required and not work.plan.has(slot) and left:
            _take(slot, left[0], 0.5, work)


def _counts(one: Candidate, slots: Sequence[Slot], pool: list[Candidate], text: str) -> bool:
    """Whether a number in words only says how many values follow: "the two numbers 40 and 50", "two charges of 5 C and 7 C"."""
    spelt = not any(sign.isdigit() for sign in text[one.start : one.end])
    behind = [other for other in pool if other.start > one.end and text[other.start : other.end][-1:].isdigit()]
    if not spelt or one.value < 2 or len(behind) < one.value:
        return False
    noun = {stem(word) for word in words(text[one.end :])[:2]}
    if any(noun & name_stems(slot) and not re.search(r"\d", slot.name) for slot in slots):
        return False  # "two tickets" for a parameter called tickets
    numbered = Counter(re.sub(r"\d+", "", slot.name) for slot in slots if re.search(r"\d", slot.name))
    return one.value == sum(slot.required for slot in slots) or one.value in numbered.values()


def _take(slot: Slot, one: Candidate, points: float, work: Work) -> None:
    work.used.append(one)
    work.plan.set(slot, _converted(slot, one), points)


def _allowed(slot: Slot, one: Candidate) -> bool:
    value = _converted(slot, one)
    if slot.kind == "integer" and not float(value).is_integer():
        return False
    return not ((slot.least is not None and value < slot.least) or (slot.most is not None and value > slot.most))


def _converted(slot: Slot, one: Candidate) -> float | int:
    """Return the number as the parameter wants it: 4 % is 0.04 for a rate, unless it asks for percent."""
    rate = one.kind == "percent" and slot.kind == "number" and FRACTION.search(slot.label)
    if rate and (DECIMAL.search(slot.about) or not PERCENT.search(slot.label)):
        return round(one.value / 100, 10)
    if slot.kind == "integer" and float(one.value).is_integer():
        return int(one.value)
    return one.value
