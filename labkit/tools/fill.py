"""Fill a tool's parameters from the request as far as words and types decide it, and say what is open and what is missing.

    plan = fill(tool, "Convert 250 dollars to yen")
    plan.values, plan.open, plan.missing

What is decided needs no model; what is open goes to the model with the values to choose from; what is missing is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from labkit.tools.candidates import Candidate, find
from labkit.tools.slots import Slot, about_stems, is_free, is_strict, name_stems, number_points, text_points
from labkit.tools.tool import Tool
from labkit.tools.words import content, split_name, stem, table, words

__all__ = ["Plan", "Request", "fill"]

SURE = 2.0  # points from which a sign counts as unmistakable
CLEAR = 0.6  # by how many points the best must lead the second, or the model chooses
OPTIONS = 8


@dataclass
class Plan:
    """values: decided arguments. open: parameter -> values to choose from ([]: anything the schema allows). missing: required
    parameters that the request says nothing of. points: how sure the decided ones are, a parameter each."""

    values: dict[str, Any] = field(default_factory=dict)
    open: dict[str, list] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)


@dataclass
class Request:
    """What the user said: the `text` to be done now, and what was said `earlier` (used where the text says nothing)."""

    text: str
    earlier: str = ""

    def __post_init__(self):
        self.found = find(self.text)
        self.found_earlier = find(self.earlier) if self.earlier else []


def fill(tool: Tool, request: Request) -> Plan:
    """Return a Plan for one tool. Deterministic; takes about a millisecond."""
    plan, texts = Plan(), _tool_stems(tool)
    slots = [_slot(name, schema, name in tool.required) for name, schema in tool.properties.items()]
    for text, found in ((request.text, request.found), (request.earlier, request.found_earlier)):
        todo = [slot for slot in slots if slot.name not in plan.values and slot.name not in plan.open]
        if text and (todo if text == request.text else [slot for slot in todo if slot.required]):
            _fill_from(tool, [slot for slot in todo if slot.required or text == request.text], text, found, texts, plan)
    plan.missing = [
        slot.name for slot in slots if slot.required and slot.name not in plan.values and slot.name not in plan.open
    ]
    return plan


def _slot(name: str, schema: dict, required: bool) -> Slot:
    kind = schema.get("type", "") if "anyOf" not in schema else schema["anyOf"][0].get("type", "")
    values = tuple(map(str, schema.get("enum", ())))
    return Slot(
        name, (kind, schema.get("description") or "", values, schema.get("minimum"), schema.get("maximum")), required
    )


def _tool_stems(tool: Tool) -> frozenset[str]:
    said = [*split_name(tool.name), *content(tool.description)]
    return frozenset(stem(word) for word in said)


def _fill_from(
    tool: Tool, slots: list[Slot], text: str, found: list[Candidate], tool_stems: frozenset, plan: Plan
) -> None:
    used: list[Candidate] = []
    for slot in slots:
        schema = tool.properties[slot.name]
        if slot.schema[2]:
            _fill_enum(slot, schema, text, tool, plan)
        elif slot.kind == "boolean":
            _fill_boolean(slot, text, plan)
        elif slot.kind == "array":
            _fill_array(slot, schema, found, used, plan, text)
        elif slot.kind == "object":
            _fill_object(tool, slot, schema, text, plan)
    _fill_numbers(
        [slot for slot in slots if slot.kind in ("number", "integer") and not slot.schema[2]], text, found, used, plan
    )
    texts = [slot for slot in slots if slot.kind in ("string", "") and not slot.schema[2]]
    _fill_texts(tool, texts, text, found, used, tool_stems, plan)


def _fill_enum(slot: Slot, schema: dict, text: str, tool: Tool, plan: Plan) -> None:
    said = [stem(word) for word in re.findall(r"\w+", text.lower())]
    named = []
    for value in schema["enum"]:
        stems = [stem(word) for word in re.findall(r"\w+", str(value).lower())]
        places = [i for i in range(len(said)) if stems and said[i : i + len(stems)] == stems]
        if places:
            named.append((len(stems), value))
    named.sort(key=lambda pair: -pair[0])
    if named and (len(named) == 1 or named[0][0] > named[1][0]):
        plan.values[slot.name], plan.points[slot.name] = named[0][1], 3.0
    elif named and (slot.required or len(named) > 1):
        plan.open[slot.name] = [value for _, value in named]
    elif slot.required:
        plan.open[slot.name] = list(schema["enum"])


def _fill_boolean(slot: Slot, text: str, plan: Plan) -> None:
    said = [stem(word) for word in words(text)]
    asked = name_stems(slot) - {
        stem(w) for w in ("is", "include", "show", "with", "use", "allow", "enable", "return", "has", "only")
    }
    places = [i for i, word in enumerate(said) if word in asked]
    if not places and slot.required:
        plan.open[slot.name] = [True, False]
    if places:
        denied = {"no", "not", "without", "non", "don't", "doesn't", "isn't", "exclud", "skip"} & set(
            said[max(0, places[0] - 4) : places[0]]
        )
        plan.values[slot.name], plan.points[slot.name] = not denied, 2.0


def _fill_array(slot: Slot, schema: dict, found: list[Candidate], used: list[Candidate], plan: Plan, text: str) -> None:
    numeric = schema["items"].get("type") in ("number", "integer")
    least, most = schema.get("minItems", 0), schema.get("maxItems", 10**6)
    lists = [one for one in found if one.kind == ("numbers" if numeric else "words") and one not in used]
    lists = [one for one in lists if least <= len(one.value) <= most]
    if lists:
        pick = lists[0] if numeric and least == most else max(lists, key=lambda one: (len(one.value), -one.start))
        used.append(pick)
        plan.values[slot.name], plan.points[slot.name] = list(pick.value), 2.0
        return
    singles = [one for one in found if one.kind in (("number",) if numeric else ("quoted", "name"))]
    if numeric and len(singles) >= max(2, least):
        plan.values[slot.name], plan.points[slot.name] = [one.value for one in singles][:most], 1.0
        used += singles
    elif singles and slot.required and not numeric:
        plan.open[slot.name] = [[one.value] for one in singles][:OPTIONS]


def _fill_object(tool: Tool, slot: Slot, schema: dict, text: str, plan: Plan) -> None:
    if not schema["properties"]:
        return
    inner = fill(Tool(tool.name, tool.description, schema), Request(text))
    if inner.missing and not slot.required or not inner.values:
        return
    if not inner.missing and not inner.open:
        plan.values[slot.name], plan.points[slot.name] = inner.values, 1.5
    elif not inner.missing:
        plan.open[slot.name] = []


def _fill_numbers(slots: list[Slot], text: str, found: list[Candidate], used: list[Candidate], plan: Plan) -> None:
    pool = [
        one for one in found if one.kind in ("number", "percent") and not any(_overlap(one, other) for other in used)
    ]
    pairs = [(number_points(slot, one, text, pool), -abs(i - j), slot, one)
             for i, slot in enumerate(slots) for j, one in enumerate(pool) if _allowed(slot, one)]  # fmt: skip
    pairs.sort(key=lambda pair: pair[:2], reverse=True)
    for points, _, slot, one in pairs:
        if points >= (1.0 if slot.required else SURE) and slot.name not in plan.values and one not in used:
            _take(slot, one, points, used, plan)
    for slot in slots:  # what no word decides: in the order in which both are written
        free = [one for one in pool if one not in used and _allowed(slot, one)]
        if slot.required and slot.name not in plan.values and free:
            _take(slot, free[0], 0.5, used, plan)


def _overlap(one: Candidate, other: Candidate) -> bool:
    return one.start < other.end and other.start < one.end


def _allowed(slot: Slot, one: Candidate) -> bool:
    kind, _, _, least, most = slot.schema
    value = _converted(slot, one)
    if kind == "integer" and not float(value).is_integer():
        return False
    return not (_real(least) and value < least or _real(most) and value > most)


def _real(limit: Any) -> bool:
    return isinstance(limit, int | float)


def _converted(slot: Slot, one: Candidate) -> float | int:
    """Return the number as the parameter wants it: 4 % is 0.04, unless it asks for percent."""
    asks_percent = re.search(r"percent|%|\bpct\b", slot.label)
    if (
        one.kind == "percent"
        and slot.kind == "number"
        and not asks_percent
        and re.search(r"rate|fraction|decimal|ratio|probab|yield", slot.label)
    ):
        return round(one.value / 100, 10)
    if slot.kind == "integer" and float(one.value).is_integer():
        return int(one.value)
    return one.value


def _take(slot: Slot, one: Candidate, points: float, used: list[Candidate], plan: Plan) -> None:
    used.append(one)
    plan.values[slot.name], plan.points[slot.name] = _converted(slot, one), points


def _known(tool: Tool) -> frozenset[str]:
    """Return the words that belong to the tool's parameters rather than to their values."""
    said = [word for name in tool.properties for word in split_name(name)]
    said += [
        str(value) for schema in tool.properties.values() for value in schema.get("enum", ()) if isinstance(value, str)
    ]
    return frozenset(stem(word) for word in said)


def _fill_texts(
    tool: Tool,
    slots: list[Slot],
    text: str,
    found: list[Candidate],
    used: list[Candidate],
    tool_stems: frozenset,
    plan: Plan,
) -> None:
    taken = {str(value).lower() for value in plan.values.values() if isinstance(value, str)}
    known = _known(tool) | tool_stems
    quoted = [one for one in found if one.kind == "quoted"]
    chunks = list(_chunks(text, known, found))
    pool = [
        one
        for one in (*found, *chunks, *_long(chunks, found), *_clauses(text))
        if one.kind not in ("percent", "numbers", "words")
    ]
    pool = [one for one in pool if one.kind == "quoted" or not any(_within(one, other) for other in quoted)]
    pool = [
        one
        for one in pool
        if str(one.value).lower() not in taken
        and not any(_overlap(one, other) for other in used if other.kind != "number")
    ]
    scored = sorted(((text_points(slot, one, text, tool_stems) - 0.01 * i, slot, one) for slot in slots for i, one in enumerate(pool)),
                    key=lambda row: -row[0])  # fmt: skip
    done: list[Candidate] = []
    for points, slot, one in scored:
        if slot.name in plan.values or slot.name in plan.open or any(_overlap(one, other) for other in done):
            continue
        if points < _needed(slot):
            continue
        rivals = [
            (p, c) for p, s, c in scored if s is slot and c is not one and not any(_overlap(c, other) for other in done)
        ]
        if rivals and points - rivals[0][0] < CLEAR and slot.required and points < 4.0:
            close = [one, *[c for p, c in rivals if points - p < 2 * CLEAR]][:OPTIONS]
            options = list(dict.fromkeys(str(c.value) for c in close))
            if len(options) > 1:
                plan.open[slot.name] = options
                done.append(one)
                continue
        plan.values[slot.name], plan.points[slot.name] = _as_text(one), points
        done.append(one)


def _within(one: Candidate, other: Candidate) -> bool:
    return other.start <= one.start and one.end <= other.end


def _long(chunks: list[Candidate], found: list[Candidate]) -> Iterator[Candidate]:
    """Yield names with the small words that follow them: "Swiss francs", "Broken lift"."""
    for name in found:
        for chunk in chunks:
            if name.kind in ("name", "sentence") and chunk.start <= name.start and name.end < chunk.end:
                cut = chunk.value[name.start - chunk.start :]
                yield Candidate(cut, "long", name.start, chunk.end)


def _needed(slot: Slot) -> float:
    """Return the points from which a text may fill a parameter: more if nobody asked for it."""
    if is_strict(slot):
        return 1.0
    return 0.4 if slot.required else 3.6


def _as_text(one: Candidate) -> str:
    return str(one.value)


def _chunks(text: str, known: frozenset[str], found: list[Candidate]) -> Iterator[Candidate]:
    """Yield stretches between small words and signs, without the words at their ends that are the tool's own."""
    blocked = [one for one in found if one.kind in ("date", "day", "time", "number", "percent", "email", "quoted")]
    trim = table("trim")
    for match in re.finditer(r"[^,;:!?\"“”()\[\]]+", text):
        run: list[re.Match] = []
        for token in [*re.finditer(r"[^\s]+", match[0]), None]:
            word = token[0].strip(".'").lower() if token else ""
            start = match.start() + token.start() if token else 0
            stops = (
                token is None
                or word in trim
                or word in table("stop")
                or any(one.start <= start < one.end for one in blocked)
            )
            if stops:
                yield from _chunk(text, match.start(), run, known)
                run = []
            else:
                run.append(token)
                if token[0].endswith("."):
                    yield from _chunk(text, match.start(), run, known)
                    run = []


def _chunk(text: str, offset: int, run: list[re.Match], known: frozenset[str]) -> Iterator[Candidate]:
    run = list(run)
    while run and stem(run[0][0].strip(".'").lower()) in known:
        run.pop(0)
    while run and stem(run[-1][0].strip(".'").lower()) in known:
        run.pop()
    if run:
        start, end = offset + run[0].start(), offset + run[-1].end()
        value = text[start:end].strip(".'")
        if value:
            yield Candidate(value, "chunk", start, start + len(value))


def _clauses(text: str) -> Iterator[Candidate]:
    """Yield whole clauses: between signs, and behind a colon, "because", "that" or "about"."""
    for match in re.finditer(r"(?:[^,;:.?!]|[.:](?=\d))+", text):
        value = match[0].strip()
        if len(value.split()) > 1:
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            yield Candidate(value, "clause", start, start + len(value))
    for match in re.finditer(r"(?::|\bbecause|\bthat|\babout|\bsaying|\bto say)\s+([^.?!]+)", text):
        value = match[1].strip(" \"'")
        if " " not in value:
            continue
        yield Candidate(value, "clause", match.start(1), match.start(1) + len(match[1]))
