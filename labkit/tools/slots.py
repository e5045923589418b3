"""How well a value of the request suits a parameter: by its type, by the words around it, by its kind.

Scores are additive points: about 3 for an unmistakable sign ("radius = 4", "12 minutes" for `minutes`), 0 for none.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from labkit.tools.candidates import Candidate
from labkit.tools.vectors import alike
from labkit.tools.words import content, split_name, stem, table, words

__all__ = ["Slot", "number_points", "text_points"]

# What a parameter of type string is by its name or description -> kinds of candidates, best first.
SHAPES = (
    (r"e-?mail", ("email",)),
    (r"\bdate\b|_date|yyyy|date_|\bday of (?:departure|arrival)", ("date", "day")),
    (r"duration|time ?(?:frame|period|span|range)|\bperiod\b", ("span", "day")),
    (r"(?<!\w)time(?!zone| ?zone|frame|line)\b|_time\b|hh:mm|\bclock\b", ("time",)),
    (r"\bdays?\b", ("day", "date")),
    (r"\burl\b|\blink\b|website|domain|\bhost\b|\bip\b|file ?name|\bpath\b|\bfile\b", ("host", "id", "quoted")),
    (r"symbol|ticker|abbreviat|currency code|iso code", ("symbol", "name")),
    (r"(?<!\w)id\b|_id\b|\bcode\b|tracking|serial|number of the|reference", ("id", "host", "number", "symbol")),
    (r"formula|expression|equation|polynomial|\bfunction\b", ("quoted", "formula", "symbol", "id")),
)
STRICT = {"email", "date", "id", "time"}  # a request without one of these is a request with something missing
FREE = (
    r"text|message|body|content|issue|problem|reason|describ|query|comment|note|sentence|task|question|prompt|topic|instruction"
    r"|review|opinion|feedback|caption|tweet|remark|complaint"
)


@dataclass(frozen=True)
class Slot:
    """A parameter to be filled: its name, JSON schema, and whether it is required."""

    name: str
    schema: tuple  # (type, description, enum, minimum, maximum): hashable, so that what follows from it is kept
    required: bool
    listed: bool = False  # a list of values from an enum

    @property
    def kind(self) -> str:
        """The JSON type ("" if the schema names none)."""
        return self.schema[0]

    @property
    def about(self) -> str:
        """The description."""
        return self.schema[1]

    @property
    def values(self) -> tuple[str, ...]:
        """The values of an enum, as texts."""
        return self.schema[2]

    @property
    def least(self) -> float | None:
        """The smallest number allowed."""
        return self.schema[3]

    @property
    def most(self) -> float | None:
        """The largest number allowed."""
        return self.schema[4]

    @property
    def label(self) -> str:
        """Name and description as one lower-case text."""
        return _label(self.name, self.about)


@lru_cache(2048)
def _label(name: str, about: str) -> str:
    return f"{' '.join(split_name(name))} {name.lower()} {about.lower()}"


@lru_cache(2048)
def name_stems(slot: Slot) -> frozenset[str]:
    """Return the stems of the words of a parameter's name."""
    return frozenset(stem(word) for word in split_name(slot.name))


@lru_cache(2048)
def about_stems(slot: Slot) -> frozenset[str]:
    """Return the stems of the words of its description that its name lacks."""
    return frozenset(stem(word) for word in content(slot.about)) - name_stems(slot)


@lru_cache(2048)
def shape(slot: Slot) -> tuple[str, ...]:
    """Return the kinds of candidates that a text parameter wants, best first; () if any text will do."""
    return next((kinds for pattern, kinds in SHAPES if re.search(pattern, slot.label)), ())


def is_strict(slot: Slot) -> bool:
    """Whether only a value of the right kind will do."""
    return bool(shape(slot)) and shape(slot)[0] in STRICT


@lru_cache(2048)
def is_free(slot: Slot) -> bool:
    """Whether the parameter takes a sentence rather than a name."""
    return bool(re.search(FREE, " ".join(split_name(slot.name))))


def number_points(slot: Slot, one: Candidate, text: str, others: list[Candidate]) -> float:
    """Return how well a number suits a parameter."""
    before, after = _around(one, text, others)
    points = _named_before(slot, text[: one.start], before)
    limit = _limit_points(slot, text[: one.start])
    points = max(points, _unit_points(slot, one, text, after), limit) + min(0.0, limit)
    if one.kind == "percent" and re.search(r"rate|percent|interest|tip|discount|tax", slot.label):
        points = max(points, 3.0)
    singular_year = re.search(r"(?<![a-z])year(?!s|ly|\d+_)", slot.name.lower())
    looks_like_year = isinstance(one.value, int) and 1000 <= one.value <= 2199 and not after[:1]
    if singular_year:
        points += 3.0 if looks_like_year else -3.0
    return points


def _around(one: Candidate, text: str, others: list[Candidate]) -> tuple[list[str], list[str]]:
    """Return the words before and after a candidate, up to the next candidate or the end of the sentence."""
    left = max((other.end for other in others if other.end <= one.start), default=0)
    right = min((other.start for other in others if other.start >= one.end), default=len(text))
    before = re.split(r"[.?!;]\s", text[left : one.start])[-1]
    after = re.split(
        r"[.?!;](?:\s|$)|,|\b(?:and|with|at|by|from|to|in|of|for|on|is|are|the|per|within)\b", text[one.end : right]
    )[0]
    return words(before)[-6:], words(after)[:3]


def _named_before(slot: Slot, text_before: str, before: list[str]) -> float:
    """Return points for the parameter's name, or a word of its description, shortly before the value."""
    spoken = r"[\s_-]+".join(map(re.escape, split_name(slot.name))) or re.escape(slot.name)
    if re.search(
        rf"(?<![A-Za-z]){spoken}\s*(?:=|:|of|is|are|was|at|to)?\s*(?:\$|about|around)?\s*$", text_before, re.I
    ):
        return 4.0
    best = 0.0
    for distance, word in enumerate(reversed(before)):
        meant = {stem(one) for one in table("adjectives").get(word, ())} | {stem(word)}
        if meant & name_stems(slot):
            best = max(best, 2.6 - 0.3 * distance)
        elif meant & about_stems(slot):
            best = max(best, 1.4 - 0.2 * distance)
    return best


def _limit_points(slot: Slot, before: str) -> float:
    """Return points for the limits of a range: "between 10 and 50", "from 1 to 9"."""
    lower = re.search(r"\b(?:between|from)\s+(?:\w\s*=\s*)?$", before, re.I)
    upper = re.search(r"\b(?:between|from)\s+\S+(?:\s\w+)?\s+(?:and|to)\s+(?:\w\s*=\s*)?$", before, re.I)
    meant, against = (LOWER, UPPER) if lower else (UPPER, LOWER) if upper else (set(), set())
    if against & name_stems(slot):
        return -2.0
    return 2.7 if meant & name_stems(slot) else 1.6 if meant & about_stems(slot) else 0.0


LOWER = {"low", "lower", "min", "minimum", "start", "begin", "from", "smallest"}
UPPER = {"high", "upper", "max", "maximum", "end", "stop", "to", "largest", "highest"}


def _unit_points(slot: Slot, one: Candidate, text: str, after: list[str]) -> float:
    """Return points for the unit or noun behind the number ("12 minutes"), or the sign before it ("$12")."""
    behind = re.match(r"\s?-?(%|°[cCfF]|m/s\^2|m/s²|m/s2|m/s|km/h|[A-Za-z]+)", text[one.end :])
    unit = behind[1].lower() if behind else ""
    sign = text[one.start - 1 : one.start]
    meant = {stem(word) for word in (*table("units").get(unit, ()), *table("units").get(sign, ()))}
    meant |= {stem(word) for word in (*table("adjectives").get(unit, ()), unit) if word}
    for word in after[1:2]:
        meant |= {stem(one) for one in table("adjectives").get(word, ())}
    if meant & name_stems(slot):
        return 3.0
    if {stem(word) for word in after[1:3]} & name_stems(slot):  # "a 4 star rating"
        return 2.1
    further = 1.4 if {stem(word) for word in after[1:3]} & about_stems(slot) else 0.0
    if unit and stem(unit) in about_stems(slot):
        return 2.2
    return 1.6 if meant & about_stems(slot) else further


def text_points(slot: Slot, one: Candidate, text: str, tool_stems: frozenset[str]) -> float:
    """Return how well a piece of text suits a parameter."""
    kinds = shape(slot)
    if kinds:
        points = 3.0 - 0.5 * kinds.index(one.kind) if one.kind in kinds else -1.0 if one.kind != "quoted" else 1.0
    else:
        points = _BASE.get(one.kind, -2.0)
        if is_free(slot):
            points += {"clause": 1.5, "quoted": 0.5, "name": -1.0, "chunk": -0.8}.get(one.kind, 0.0)
    if one.kind == "full":  # "living room" for a parameter called room
        own = stem(words(str(one.value))[-1]) if words(str(one.value)) else ""
        points += (
            1.3 if own == stem((split_name(slot.name) or [slot.name])[-1]) and not str(one.value)[0].isupper() else -3.0
        )  # but "Darwin" for a model
    if one.kind == "pair" and re.search(r"state|country|, [A-Z]{2}\b", slot.about):
        points += 1.4
    if one.kind == "long":
        headed = re.search(r"subject|title|heading", slot.name) and (words(text[: one.start]) or [""])[
            -1
        ] in split_name(slot.name)
        points += 1.1 if headed or re.search(r"currency|unit", slot.label) else 0.0
    points += _cue_points(slot, text[: one.start]) + _place_points(slot, one, text)
    own = [stem(word) for word in content(str(one.value))]
    if own and one.kind not in ("quoted", "id"):
        points -= 1.5 * sum(word in tool_stems for word in own) / len(own)
    return points + _meaning_points(slot, one)


BEHIND_NUMBER = re.compile(
    r"(?<!\b\d{3})\d\s?$|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|forty|fifty)\s$"
)
MONEY = re.compile(r"\s(?:dollar|euro|pound|franc|crown|rupee|peso|yen|yuan|won)s?\b", re.I)
MEASURE = re.compile(r"\bunit|currenc")
VERBS_FOLLOW = {"please", "you", "can", "could", "not"}
ASKS = {"which", "what", "whose", "who", "many"}


def _place_points(slot: Slot, one: Candidate, text: str) -> float:
    """Return points for where the value stands: behind a number it is its unit, alone at the beginning it is a verb."""
    before, points, measure = text[: one.start], 0.0, bool(MEASURE.search(slot.label))
    last, single = (words(before[-30:]) or [""])[-1], " " not in str(one.value)
    loose = one.kind in ("chunk", "name", "sentence", "long", "symbol")
    if BEHIND_NUMBER.search(before):  # the last digit of a year does not count
        points += _unit_behind(slot) if measure else -4.0 if loose else 0.0
    if loose and not measure and MONEY.match(text, one.end):  # "US dollars" is no country
        points -= 2.0
    begins = not before.strip() or re.search(r"[.?!]\s+$", before)
    if loose and single and begins and len(text) - one.end > 10:
        points -= 1.2
    if one.kind == "chunk":
        points -= 1.2 * (single and last in VERBS_FOLLOW) + 1.0 * (last in ASKS)
        points -= 1.0 * (str(one.value).lower() in table("adjectives"))
    return points


def _unit_behind(slot: Slot) -> float:
    """Return points for a unit behind a number: it is what is given, not what is wanted."""
    if name_stems(slot) & {"to", "target", "output"}:
        return -1.5
    return 2.0 if name_stems(slot) & {"from", "sourc", "bas"} else 0.8


# What a kind of candidate is worth where any text will do.
_BASE = {
    "quoted": 2.5, "name": 2.0, "long": 1.5, "joined": 1.0, "pair": 1.4, "chunk": 1.2, "full": 1.2, "clause": 0.0, "sentence": 0.4,
    "symbol": 0.6, "id": 0.8, "formula": 0.4, "email": -1.0, "host": 0.6, "day": -1.0, "date": -1.0, "time": -1.0, "span": -4.0,
}  # fmt: skip


def _cue_points(slot: Slot, before: str) -> float:
    """Return points for a word before the value that speaks for the parameter: "from", "by", "called", its own name."""
    near = re.split(r"[.?!;]\s", before)[-1]
    previous = words(near)[-5:]
    while previous and previous[-1] in ("the", "a", "an", "my", "your", "our", "his", "her", "their"):
        previous.pop()
    if not previous:
        return 0.0
    speaks = {stem(word) for word in table("cues").get(previous[-1], ())}
    opposite = _OPPOSITE.get(previous[-1], frozenset())
    points = 2.0 if speaks & name_stems(slot) else 0.8 if speaks & about_stems(slot) else 0.0
    if opposite & name_stems(slot):
        points -= 2.0
    for distance, word in enumerate(reversed(previous[-4:])):
        if stem(word) in name_stems(slot):
            return max(points, 2.5 - 0.4 * distance)
    return points


# A word before the value -> stems of parameters that it speaks against.
_OPPOSITE = {
    "from": frozenset({"to", "destin", "target", "end", "new"}),
    "to": frozenset({"from", "origin", "start", "old", "sourc"}),
    "into": frozenset({"from", "origin", "text", "sourc", "old"}),
}


def _meaning_points(slot: Slot, one: Candidate) -> float:
    """Return points for a value whose words are near those of the parameter: "Korean" for "Kind of food, such as Thai"."""
    own = words(str(one.value))[:4]
    asked = [word for word in (*split_name(slot.name), *content(slot.about)) if len(word) > 2][:8]
    if not own or not asked or one.kind in ("quoted", "clause"):
        return 0.0
    each = alike(own, asked).max(axis=1)
    return 2.0 * float(each.max() if one.kind == "long" else each.mean())
