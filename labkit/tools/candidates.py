"""Values that a request holds in so many words: numbers, dates, times, addresses, ids, quotations, names, lists, phrases.

    find("Fly from Vienna to Oslo on 3 May 2027")   # dates: 2027-05-03, names: Vienna, Oslo, numbers: 3, 2027, …

A small model copies badly and chooses well, so it is given these to choose from.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Any

from labkit.tools.lists import word_lists
from labkit.tools.spoken import spoken, tidy
from labkit.tools.words import table

__all__ = ["Candidate", "find"]

FORMULA = re.compile(r"\^|\*|[a-z]\(|\d[a-z]\b.*[-+=]|[-+=].*\d[a-z]\b")  # its numbers are its own: 4x^3 + 2

UNIT = r"(?:second|minute|hour|day|week|month|quarter|year|decade)"
SPAN = rf"\b(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve)[\s-]{UNIT}s?\b|\b(?:last|past|next|this)\s{UNIT}\b"
MEASURE = re.compile(
    r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?[a-zA-Zµμ°Ω]{0,4}"
)  # "5C", "50mH", "1e-9": a number, though it looks like an id


@dataclass(frozen=True)
class Candidate:
    """A `value` of a `kind`, at text[start:end]."""

    value: Any
    kind: str
    start: int
    end: int

    def overlaps(self, other: Candidate) -> bool:
        """Whether the two share some text."""
        return self.start < other.end and other.start < self.end

    def within(self, other: Candidate) -> bool:
        """Whether the other one's text holds this one's."""
        return other.start <= self.start and self.end <= other.end


def find(text: str) -> list[Candidate]:
    """Return every typed candidate of `text` in reading order; a stretch of text may be several (a date holds numbers)."""
    found = [*_patterns(text), *_quotations(text), *_dates(text), *_numbers(text), *_names(text), *_word_lists(text)]
    found += _pairs(text, [one for one in found if one.kind in ("name", "sentence")])
    formulas = [one for one in found if one.kind == "formula" and FORMULA.search(one.value) and not _measure(one)]
    found = [one for one in found if one.kind not in ("number", "percent") or not _inside(one, formulas)]
    covered = [one for one in found if one.kind in ("date", "time", "email", "host", "id") and not _measure(one)]
    found = [one for one in found if one.kind not in ("number", "percent", "name") or not _inside(one, covered)]
    found += _number_lists(text, [one for one in found if one.kind in ("number", "percent")])
    return sorted(found, key=lambda one: (one.start, -one.end))


def _measure(one: Candidate) -> bool:
    return one.kind in ("id", "formula") and bool(MEASURE.fullmatch(one.value))


def _inside(one: Candidate, others: list[Candidate]) -> bool:
    return any(one.within(other) and other is not one for other in others)


def _patterns(text: str) -> list[Candidate]:
    patterns = {
        "email": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
        "host": r"(?<![\w/\\:])(?:[A-Za-z]:)?[~.\w-]*(?:[/\\][\w-]+)*[/\\][\w-]+\.[a-z]{2,5}\d?\b|https?://\S+[\w/]|\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[\w-]+(?:\.[\w-]+)*\.(?:[a-z]{2,5}\d?)\b",
        "time": r"\b(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?(?:\s?[aApP]\.?[mM]\b\.?)?|\b(?:1[0-2]|[1-9])\s?[aApP]\.?[mM]\b\.?",
        "id": r"#?\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z_])(?!\d+(?:st|nd|rd|th|k|s|kg|g|m|cm|km|h|min|lbs?|x|mm|ml|l)\b)\w+(?:[-_]\w+)*\b",
        "span": SPAN,
        "symbol": r"\b[A-Z]{2,6}\b",
        "formula": r"(?<!\w)(?=\S*[\^*/+()=\d])(?=\S*[a-zA-Z])[\w^*/+().=-]+(?:\s[-+*/=]\s[\w^*/+().]+)*",
    }
    found = []
    for kind, pattern in patterns.items():
        for match in re.finditer(pattern, text):
            value = match[0].lstrip("#") if kind == "id" else _formula(match[0]) if kind == "formula" else match[0]
            if not value:
                continue
            found.append(Candidate(_clock(value) if kind == "time" else value, kind, match.start(), match.end()))
    emails = [one for one in found if one.kind == "email"]
    return [one for one in found if one.kind == "email" or not _inside(one, emails)]


def _formula(text: str) -> str:
    """Return a formula without the "y =" before it; "" for what only gives a value, "x = 1"."""
    text = re.sub(r"^(?:\w|[a-z]\([a-z]\))\s?=\s?", "", text.rstrip(".,"))
    return "" if re.fullmatch(r"-?\d+(?:\.\d+)?|\w", text) else text


def _clock(text: str) -> str:
    match = re.match(r"(\d+)(?::(\d\d))?(?::\d\d)?\s?([ap])?", text.lower())
    hour, minute, half = int(match[1]), match[2] or "00", match[3]
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return f"{hour:02d}:{minute}"


def _quotations(text: str) -> list[Candidate]:
    pattern = r"\"([^\"]+)\"|“([^”]+)”|‘([^’]+)’|(?<!\w)'((?:[^']|'(?=\w))+)'(?!\w)|`([^`]+)`"
    found = []
    for match in re.finditer(pattern, text):
        group = next(number for number in range(1, 6) if match[number])
        if match.end() - match.start() < len(text.strip()):  # a request in quotation marks is not a value
            found.append(Candidate(match[group], "quoted", match.start(group), match.end(group)))
    return found


def _dates(text: str) -> list[Candidate]:
    month = "|".join(sorted(table("months"), key=len, reverse=True))
    day, year = r"(\d{1,2})(?:st|nd|rd|th)?", r"(\d{4})"
    shapes = [
        (rf"\b{year}-(\d\d)-(\d\d)\b", (1, 2, 3)),
        (rf"\b{day}(?:\s+of)?\s+({month})\b\.?,?\s*{year}\b", (3, 2, 1)),
        (rf"\b{year}\s+({month})\s+{day}\b", (1, 2, 3)),
        (rf"\b({month})\b\.?\s*(?:the\s+)?{day},?\s+{year}\b", (3, 1, 2)),
        (rf"\b{year}/(\d{{1,2}})/(\d{{1,2}})\b", (1, 2, 3)),
        (rf"\b(\d{{1,2}})[-/](\d{{1,2}})[-/]{year}\b", (3, 1, 2)),
    ]
    found = []
    for pattern, (y, m, d) in shapes:
        for match in re.finditer(pattern, text, re.I):
            number = table("months").get(match[m].lower()) or int(match[m])
            try:
                value = datetime.date(int(match[y]), number, int(match[d])).isoformat()
            except ValueError:
                continue
            found.append(Candidate(value, "date", match.start(), match.end()))
    weekday = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    relative = rf"\b(?:today|tonight|tomorrow|yesterday|next (?:week|month|year|{weekday})|{weekday})\b"
    found += [Candidate(m[0], "day", m.start(), m.end()) for m in re.finditer(relative, text, re.I)]
    partial = rf"\b(?:{day}(?:\s+of)?\s+(?:{month})|(?:{month})\s+{day})\b"
    partials = [Candidate(m[0], "day", m.start(), m.end()) for m in re.finditer(partial, text, re.I)]
    return found + [one for one in partials if not _inside(one, found)]


def _numbers(text: str) -> list[Candidate]:
    found = []
    apart = re.sub(r"\[[^\]]*\]", lambda group: group[0].replace(",", ";"), text)  # [200,300] is no 200,300
    for match in re.finditer(
        r"(?<![\w.^])[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\w*-[a-zA-Z])", apart
    ):
        before = text[: match.start()].rstrip()
        digits = match[0].replace(",", "").replace("−", "-")
        if digits.startswith("-") and before[-1:].isdigit():  # "5-10" is a range, not minus ten
            digits = digits[1:]
        if len(digits) > 15:  # no quantity has so many digits: it is the number of something
            found.append(Candidate(digits, "id", match.start(), match.end()))
            continue
        number = tidy(float(digits)) if re.search(r"[.eE]", digits) else int(digits)
        scale = re.match(r"\s?(hundred|thousand|million|billion|trillion|k)\b", text[match.end() :], re.I)
        if re.search(r"[$€£¥]$", before) and (short := re.match(r"(m|b|bn)\b", text[match.end() :], re.I)):
            number, scale = tidy(number * table("scales")["million" if short[1] in "mM" else "billion"]), None
        if scale and scale[1] == "K" and not re.search(r"[$€£¥]$", before):  # 298K are kelvins
            scale = None
        if scale:
            number = tidy(number * table("scales")[scale[1].lower()])
        end = match.end() + (scale.end() if scale else 0)
        found.append(_maybe_percent(text, number, match.start(), end))
    return found + _number_words(text, found)


def _number_words(text: str, known: list[Candidate]) -> list[Candidate]:
    found = [Candidate(value, "number", start, end) for value, start, end in spoken(text)]
    return [_maybe_percent(text, one.value, one.start, one.end) for one in found if not _inside(one, known)]


def _maybe_percent(text: str, number: float, start: int, end: int) -> Candidate:
    percent = re.match(r"\s?(?:%|percent\b|per cent\b)", text[end:], re.I)
    return Candidate(number, "percent" if percent else "number", start, end)


def _names(text: str) -> list[Candidate]:
    """Return runs of capitalised words, less a first word that is only the sentence's beginning."""
    found = []
    word = r"[A-Z][\w'’&.-]*[\w]|[A-Z]\b"
    joined = rf"(?:{word})(?:(?:\s+|,\s(?=[A-Z]{{2}}\b))(?:(?:of|the|and|de|la|von|van|for)\s+(?={word}))?(?:{word}))*"
    for match in re.finditer(joined, text):
        start, value = match.start(), match[0]
        starts_sentence = not text[:start].strip() or text[:start].rstrip()[-1] in ".?!:\"'"
        first, _, rest = value.partition(" ")
        if starts_sentence and (first.lower() in table("stop") or first.lower() in table("trim")):
            start, value = start + len(first) + 1, rest.strip()
            starts_sentence = False
        if value and value.lower() not in table("stop"):
            kind = "joined" if re.search(r"\sand\s", value) else "sentence" if starts_sentence else "name"
            found.append(Candidate(value, kind, start, start + len(value)))
    return [part for one in found for part in (one, *_parts(one))]


def _parts(one: Candidate) -> list[Candidate]:
    """Return what is left of a run at a sentence's beginning without its first word, and the sides of an "and"."""
    found = []
    first, _, rest = one.value.partition(" ")
    if one.kind == "sentence" and rest:
        found.append(Candidate(rest, "name", one.start + len(first) + 1, one.end))
    for match in re.finditer(r"\s+(?:and|of)\s+(?:the\s+)?", one.value):
        found.append(Candidate(one.value[: match.start()], "name", one.start, one.start + match.start()))
        found.append(Candidate(one.value[match.end() :], "name", one.start + match.end(), one.end))
    return found


def _pairs(text: str, names: list[Candidate]) -> list[Candidate]:
    """Return two names with a comma between them: "San Diego, California"."""
    found = []
    for left in names:
        for right in names:
            if right.start > left.end and re.fullmatch(r",\s*", text[left.end : right.start]):
                found.append(Candidate(text[left.start : right.end], "pair", left.start, right.end))
    return found


def _number_lists(text: str, numbers: list[Candidate]) -> list[Candidate]:
    """Return runs of two or more numbers with nothing but commas, "and" or brackets between them, and bracketed groups."""
    found, run = [], []
    for one in [*sorted(numbers, key=lambda n: n.start), None]:
        between = text[run[-1].end : one.start] if run and one else ""
        if run and (
            one is None
            or not re.fullmatch(r"\s*(?:,|;|and|&|\s)*\s*", between)
            or (not between.strip(" ") and "," not in text)
        ):
            found += _run(run)
            run = []
        if one:
            run.append(one)
    for match in re.finditer(r"[(\[]([-\d.,\s]+)[)\]]", text):
        inner = [n for n in numbers if match.start() < n.start and n.end < match.end()]
        if inner:
            found.append(Candidate([n.value for n in inner], "numbers", match.start(), match.end()))
    return found


def _run(run: list[Candidate]) -> list[Candidate]:
    if len(run) < 2:
        return []
    return [Candidate([one.value for one in run], "numbers", run[0].start, run[-1].end)]


def _word_lists(text: str) -> list[Candidate]:
    whole = text
    for date in _dates(text):  # the comma of "May 3, 2027" parts no list
        whole = whole[: date.start] + whole[date.start : date.end].replace(",", " ") + whole[date.end :]
    found = [Candidate(items, "words", start, end) for items, start, end in word_lists(whole)]
    runs: list[list[Candidate]] = []
    for one in _quotations(text):
        between = text[runs[-1][-1].end : one.start] if runs else "-"
        if re.fullmatch(r"[\s,;\"'“”‘’`]*(?:and|or|&)?[\s\"'“”‘’`]*", between):
            runs[-1].append(one)
        else:
            runs.append([one])
    quoted = [Candidate([one.value for one in run], "words", run[0].start, run[-1].end) for run in runs if len(run) > 1]
    return [one for one in found if not any(one.overlaps(other) for other in quoted)] + quoted
