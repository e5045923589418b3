"""Numbers written as words: "twenty-one", "two hundred and six", "three dozen".

    spoken("five thousand three hundred euros")   # [(5300, 0, 27)]

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re

from labkit.tools.words import table

__all__ = ["spoken", "tidy"]

TOO_MUCH = 10**15


def spoken(text: str) -> list[tuple[float | int, int, int]]:
    """Return (value, start, end) of each number in words, in reading order."""
    units, scales = table("numbers"), table("scales")
    found, run = [], []
    for match in [*re.finditer(r"[A-Za-z]+", text), None]:
        word = match[0].lower() if match else ""
        if word == "and" and run and run[-1][0].lower() in scales:
            continue
        numeral = word in units or (word in scales and bool(run))
        if run and not (numeral and _goes_on(run, match, text)):
            found.append((_worth([one[0].lower() for one in run]), run[0].start(), run[-1].end()))
            run = []
        if numeral:
            run.append(match)
    return [one for one in found if one[0] < TOO_MUCH]


def _goes_on(run: list[re.Match], match: re.Match, text: str) -> bool:
    """Whether a number word continues the number before it: "twenty-one", "two hundred and six", but not "one and ten"."""
    last, word = run[-1][0].lower(), match[0].lower()
    between = text[run[-1].end() : match.start()].lower().split()
    scales, units = table("scales"), table("numbers")
    if between not in ([], ["-"]) and not (between == ["and"] and last in scales):
        return False
    return word in scales or word == "dozen" or last in scales or (20 <= units[last] < 100 and 0 < units[word] < 10)


def _worth(spoken: list[str]) -> float | int:
    units, scales = table("numbers"), table("scales")
    total = current = 0
    for word in spoken:
        if word in scales:
            current = (current or 1) * scales[word]
            if scales[word] >= 1000:
                total, current = total + current, 0
        else:
            current = (current or 1) * 12 if word == "dozen" else current + units[word]
    return tidy(total + current)


def tidy(number: float) -> float | int:
    """Return a whole number as an int."""
    return int(number) if float(number).is_integer() else number
