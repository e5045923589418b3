"""Fill a tool's parameters from the request as far as words and types decide it, and say what is open and what is missing.

    plan = fill(tool, Request("Convert 250 dollars to yen"))
    plan.values, plan.open, plan.missing

What is decided needs no model; what is open goes to the model with the values to choose from; what is missing is asked for.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from labkit.tools.numbers import fill_numbers
from labkit.tools.plan import Plan, Request, Work, simplest, slots_of
from labkit.tools.schema import check
from labkit.tools.slots import Slot, name_stems
from labkit.tools.texts import fill_texts
from labkit.tools.tool import Tool
from labkit.tools.words import stem, words

__all__ = ["fill"]

MOST_OPTIONS = 8
HELPERS = {"is", "includ", "show", "with", "us", "allow", "enabl", "return", "has", "only"}  # in the names of booleans
TO, FROM = {"to", "target", "destin", "output", "new"}, {"from", "sourc", "origin", "bas", "input", "old"}
LIKE = re.compile(
    r"(?:\be\.g\.,?|\bsuch as|\blike|\bfor example,?|\bfor instance,?|\bexamples?:)\s+([^.;()'\"]{3,60})", re.I
)
DENIALS = {"no", "not", "without", "non", "don't", "doesn't", "isn't", "exclud", "skip"}


def fill(tool: Tool, request: Request) -> Plan:
    """Return a Plan for one tool. Deterministic; takes about a millisecond."""
    plan, slots = Plan(), slots_of(tool)
    _pass(Work(tool, request.searched, request.found, plan), slots)
    if request.earlier:  # what was said before counts only for what must be known
        left = [slot for slot in slots if slot.required and not plan.has(slot)]
        _pass(Work(tool, request.searched_earlier, request.found_earlier, plan), left)
    _in_order(plan)
    _settle(plan)
    _open_what_does_not_fit(tool, plan)
    plan.missing = [slot.name for slot in slots if slot.required and not plan.has(slot)]
    return plan


def _pass(work: Work, slots: Sequence[Slot]) -> None:
    for slot in slots:
        if slot.values:
            _fill_enum(slot, work)
        elif slot.kind == "boolean":
            _fill_boolean(slot, work)
        elif slot.kind == "string":
            _fill_described(slot, work)
        elif slot.kind == "array":
            _fill_array(slot, work)
        elif slot.kind == "object":
            _fill_object(slot, work)
    fill_numbers([slot for slot in slots if slot.kind in ("number", "integer") and not slot.values], work)
    fill_texts([slot for slot in slots if slot.kind in ("string", "") and not slot.values], work)


def _in_order(plan: Plan) -> None:
    """See that the least is no more than the most: "a budget of $300 to $400"."""
    for name, value in plan.values.items():
        other = re.sub(r"(?i)min", "max", name) if "min" in name.lower() else name.replace("lower", "upper")
        most = plan.values.get(other)
        if isinstance(value, int | float) and isinstance(most, int | float) and value > most:
            plan.values[name], plan.values[other] = most, value


def _settle(plan: Plan) -> None:
    """Strike options that hold another parameter's value: "privacy in California" where California is the place."""
    for name, options in list(plan.open.items()):
        taken = [
            str(value)
            for other, value in plan.values.items()
            if other != name and not isinstance(value, bool | list | dict)
        ]
        left = [
            one
            for one in options
            if not (isinstance(one, str) and any(re.search(rf"\b{re.escape(t)}\b", one) for t in taken))
        ]
        if left and len(left) < len(options):
            plan.open[name] = left
            if len(left) == 1:
                plan.values[name] = plan.open.pop(name)[0]


def _open_what_does_not_fit(tool: Tool, plan: Plan) -> None:
    """Give to the model what words suggest but the schema forbids (a pattern, a shortest length)."""
    for name in [name for name, value in plan.values.items() if not _plain_fit(value, tool.properties[name])]:
        if check(plan.values[name], tool.properties[name]):
            del plan.values[name]
            if name in tool.required:
                plan.open[name] = []


def _plain_fit(value: object, schema: dict) -> bool:
    """Whether a value surely fits: the full check costs more than all the rest."""
    kind, words_that_matter = (
        schema.get("type"),
        schema.keys() - {"type", "description", "format", "minimum", "maximum"},
    )
    if words_that_matter or isinstance(value, bool | list | dict):
        return words_that_matter == {"enum"} and value in schema["enum"]
    return (kind == "string" and isinstance(value, str)) or (
        kind in ("number", "integer") and not isinstance(value, str)
    )


def _fill_enum(slot: Slot, work: Work) -> None:
    schema = simplest(work.tool.properties[slot.name])
    values = schema.get("enum") or [schema["const"]]
    said, named = _stems(work.text), []
    for value in values:
        if (place := _place(value, said)) is not None:
            named.append((len(_stems(str(value))), place, value))
    named.sort(key=lambda one: -one[0])
    if len(named) == 2 and (directed := _by_direction(slot, named, said)) is not None:
        work.plan.set(slot, directed, 3.0)
    elif named and (len(named) == 1 or named[0][0] > named[1][0]):
        work.plan.set(slot, named[0][2], 3.0)
    elif named:
        work.plan.open[slot.name] = [value for _, _, value in named]
    elif slot.required:
        work.plan.open[slot.name] = list(values)


def _fill_described(slot: Slot, work: Work) -> None:
    """Take the one value that the description has as an example and the request names: an enum in prose."""
    values = re.findall(r"(?<!\w)['\"`]([\w -]{2,30})['\"`](?!\w)", slot.about)
    values += [
        one for run in LIKE.findall(slot.about) if slot.required for one in re.split(r",\s+(?:or\s+)?|\s+or\s+", run)
    ]
    named = [value for value in dict.fromkeys(values) if _place(value, _stems(work.text)) is not None]
    if len(named) == 1 and (len(values) > 1 or slot.required):
        work.plan.set(slot, named[0], 6.0)


def _stems(text: str) -> list[str]:
    return [stem(word) for word in re.findall(r"\w+", text.lower())]


def _place(value: object, said: list[str]) -> int | None:
    """Return where a request, as stems, names a value; None if it does not."""
    stems = _stems(str(value))
    return next((i for i in range(len(said)) if stems and said[i : i + len(stems)] == stems), None)


def _by_direction(slot: Slot, named: list[tuple], said: list[str]) -> object | None:
    """Return the one of two values that stands behind "to" for a parameter such as to_unit, the other one for from_unit."""
    behind = [value for _, place, value in named if place and said[place - 1] in ("to", "into", "in", "as")]
    if len(behind) != 1:
        return None
    if name_stems(slot) & TO:
        return behind[0]
    return next(value for _, _, value in named if value != behind[0]) if name_stems(slot) & FROM else None


def _fill_boolean(slot: Slot, work: Work) -> None:
    said, asked = [stem(word) for word in words(work.text)], name_stems(slot) - HELPERS
    place = next((i for i, word in enumerate(said) if any(_akin(word, one) for one in asked)), None)
    if place is not None:
        work.plan.set(slot, not DENIALS & set(said[max(0, place - 4) : place]), 2.0)
    elif slot.required:
        work.plan.open[slot.name] = [True, False]


def _akin(one: str, other: str) -> bool:
    """Whether two stems are of one word: "standardiz" and "standardization"."""
    return one == other or (min(len(one), len(other)) > 3 and (one.startswith(other) or other.startswith(one)))


def _fill_array(slot: Slot, work: Work) -> None:
    schema = simplest(work.tool.properties[slot.name])
    numeric = schema["items"].get("type") in ("number", "integer")
    values = schema["items"].get("enum")
    if values or schema["items"].get("type") in ("array", "object", "boolean"):
        if named := [value for value in values or () if _place(value, _stems(work.text)) is not None]:
            work.plan.set(slot, named, 2.0)
        elif slot.required:
            work.plan.open[slot.name] = []
        return None
    least, most = schema.get("minItems", 0), schema.get("maxItems", 10**6)
    lists = [one for one in work.free("numbers" if numeric else "words") if least <= len(one.value) <= most]
    if lists:
        # Points of so many coordinates come in their order; otherwise the longest list is the one meant.
        pick = lists[0] if numeric and least == most else max(lists, key=lambda one: (len(one.value), -one.start))
        work.used.append(pick)
        return work.plan.set(slot, list(pick.value), 2.0)
    singles = work.free("number") if numeric else work.free("quoted", "name")
    if numeric and len(singles) >= max(2, least):
        work.used += singles
        work.plan.set(slot, [one.value for one in singles][:most], 1.0)
    elif singles and slot.required and not numeric:
        work.plan.open[slot.name] = [[one.value] for one in singles][:MOST_OPTIONS]
    return None


def _fill_object(slot: Slot, work: Work) -> None:
    schema = simplest(work.tool.properties[slot.name])
    if not schema["properties"]:
        return
    inner = fill(Tool(work.tool.name, work.tool.description, schema), Request(work.text))
    if inner.missing or not (inner.values or inner.open):
        return
    if not inner.open:
        work.plan.set(slot, inner.values, 1.5)
    elif slot.required:
        work.plan.open[slot.name] = []
