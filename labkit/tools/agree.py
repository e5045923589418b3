"""Two opinions on an argument, the words' and the model's, become one value: what the model wrote counts if the request says it.

A small model reads well and copies badly: it finds the city, and writes it with a country that nobody named. Words and types copy
exactly and sometimes take the wrong piece. So each corrects the other.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from labkit.tools.plan import Plan, Request
from labkit.tools.slots import Slot, is_free, is_strict, name_stems, shape
from labkit.tools.words import stem, table, words

__all__ = ["agreed", "apart", "doubtful", "placed", "surely_missing"]

SURE_NUMBER = 3.0  # points from which a number is surer than what the model writes
SURE_TEXT = 5.0  # points from which a text is no worse than what the model writes (seen on public items)
TYPED = {"email", "date", "time", "host", "formula"}  # kinds that a pattern recognises better than a model
NAMED = {"name", "sentence", "pair", "quoted"}  # what the beginning of a longer text must be, to count by itself
SURE_DIRECTION = 3.0
DIRECTIONS = {"from", "to", "sourc", "target", "destin", "origin"}
PLACE = re.compile(r"\bstate\b|\bcountry\b|, [A-Z]{2}\b", re.I)
WHEN = re.compile(r"\d{4}(?:[-/]\d\d?[-/]\d\d?)?$|(?:last|past|next)\s")
LAND = re.compile(r"(?i)country|state(?!ment|s\b)")
ARTICLE = re.compile(r"^(?:the|an?|my|your|our|his|her|their)\s+(?=\w)", re.I)
EDGES = " \t\n.,;:!?\"'“”‘’`()[]"


def doubtful(slots: list[Slot], plan: Plan) -> list[str]:
    """Return the required parameters that words and types do not settle by themselves, in the tool's order."""
    return [slot.name for slot in slots if slot.required and not _settled(slot, plan)]


def surely_missing(slots: list[Slot], plan: Plan, request: Request) -> list[str]:
    """Return the required parameters that no reading can find: an id or a number where the request holds none."""
    numbers = any(one.kind in ("number", "percent", "time") for one in (*request.found, *request.found_earlier))
    return [
        slot.name
        for slot in slots
        if slot.name in plan.missing
        and (is_strict(slot) or (slot.kind in ("number", "integer") and not slot.values and not numbers))
    ]


def _settled(slot: Slot, plan: Plan) -> bool:
    if slot.name not in plan.values:
        return False
    if slot.kind in ("number", "integer") and not slot.values:
        return plan.points.get(slot.name, 0.0) >= SURE_NUMBER
    if slot.kind in ("string", "") and not slot.values:
        kind = plan.kinds.get(slot.name, "")
        sure = plan.points.get(slot.name, 0.0) >= SURE_TEXT
        return sure or (kind in shape(slot) and (kind in TYPED or is_strict(slot)))
    return True


def agreed(slot: Slot, plan: Plan, written: Any, request: Request, own: frozenset[str] = frozenset()) -> Any:
    """Return the value of a parameter, or None if neither opinion holds: `written` is the model's, `plan` has the words'.

    own: stems of the tool's own words. "table" is no restaurant where the tool books tables.
    """
    ruled = plan.values.get(slot.name)
    if ruled is None and plan.open.get(slot.name):
        ruled = plan.open[slot.name][0]
    if slot.values or slot.kind == "boolean":
        return ruled if written is None else written
    if slot.kind in ("number", "integer"):
        return _number(ruled, written, request)
    if slot.kind in ("string", ""):
        if isinstance(written, str) and words(written) and {stem(word) for word in words(written)} <= own:
            written = None
        return _text(slot, plan, ruled, written, request)
    if slot.kind == "array" and isinstance(written, list):
        return _list(slot, written, request) or ruled
    return ruled if written is None else written


def apart(values: dict, plan: Plan, said: str, required: Sequence[str]) -> dict:
    """Return the values with no piece of the request used twice: an optional one goes, or the one that words see elsewhere."""
    found = dict(values)
    for name, value in values.items():
        other, taken = plan.values.get(name), [one for key, one in found.items() if key != name]
        piece = isinstance(value, str | int | float) and not isinstance(value, bool) and value in taken
        once = len(re.findall(rf"(?<!\w){re.escape(str(value))}(?!\w)", said)) < 2
        if piece and once and name not in required and taken.count(value):
            del found[name]
        elif piece and once and other is not None and other not in taken:
            found[name] = other
    return found


def placed(values: dict) -> dict:
    """Return the values with city and country parted where there is a parameter for each: "Tokyo, Japan" is one of either."""
    land = next((name for name in values if LAND.search(name)), "")
    if not isinstance(values.get(land), str) or "," not in values[land]:
        return values
    return {**{name: v.rpartition(",")[0] if v == values[land] else v for name, v in values.items()},
            land: values[land].rpartition(",")[2].strip()}  # fmt: skip


def _list(slot: Slot, written: list, request: Request) -> list:
    """Return each item once: a text as the request spells it, a number that it holds. What stands in an enum need not be said."""
    found = []
    for one in written:
        if isinstance(one, str) and not slot.listed:
            one = in_the_request_s_words(one, request)
        elif isinstance(one, int | float) and not isinstance(one, bool):
            one = _number(None, one, request)
        found += [] if one is None or one in found else [one]
    return found


def _number(ruled: Any, written: Any, request: Request) -> Any:
    """Return the model's number if the request holds it, else the one that words and order suggest."""
    said = {one.value for one in (*request.found, *request.found_earlier) if one.kind in ("number", "percent")}
    said |= {value / 100 for value in said}
    if not isinstance(written, int | float) or written not in said:
        return ruled
    percent = isinstance(ruled, float) and written == round(
        ruled * 100, 8
    )  # the same figure, as the parameter wants it
    return ruled if percent else written


def _text(slot: Slot, plan: Plan, ruled: Any, written: Any, request: Request) -> Any:
    copied = in_the_request_s_words(written, request) if isinstance(written, str) else None
    if copied is None:
        return ruled
    if not isinstance(ruled, str):
        return copied
    quoted = plan.kinds.get(slot.name) == "quoted" and not _is("quoted", copied, request)
    directed = plan.points.get(slot.name, 0.0) >= SURE_DIRECTION and bool(name_stems(slot) & DIRECTIONS)
    whole = len(copied) > 0.6 * len(request.text) and not is_free(slot)
    if quoted or directed or whole:
        return ruled
    return _with_its_place(slot, _bare_name(slot, _cut(slot, copied, plan, request)), request)


def _is(kind: str, text: str, request: Request) -> bool:
    return any(one.kind == kind and one.value == text for one in request.found)


def _cut(slot: Slot, text: str, plan: Plan, request: Request) -> str:
    """Return the text without what another parameter has of it: "garden design in Portland", "rivers in 2020"."""
    if is_free(slot) or _is("quoted", text, request):
        return text
    others = [
        re.escape(str(value)) for name, value in plan.values.items() if name != slot.name and value not in ("", [])
    ]
    theirs = re.compile(rf"(?<!\w)(?:{'|'.join(others)})(?!\w)" if others else r"(?!)")
    for match in re.finditer(r"\s+(?:(in|on|at|for|from|during|near|with|over)\s+)?(?:the\s+)?", text):
        rest = text[match.end() :]
        if theirs.fullmatch(rest) or WHEN.match(rest) or (match[1] and theirs.search(rest)):
            return text[: match.start()]
    return text


def _bare_name(slot: Slot, text: str) -> str:
    """Return a proper name without the parameter's own word behind it, and without small words: "Darwin" for "Darwin model"."""
    name, _, last = text.rpartition(" ")
    if name[:1].isupper() and (last in table("trim") or (last.islower() and stem(last) in name_stems(slot))):
        return _bare_name(slot, name)
    return text


def _with_its_place(slot: Slot, text: str, request: Request) -> str:
    """Return "Boston, MA" for "Boston" if the request says so and the parameter's description wants states or countries."""
    if not PLACE.search(slot.about):
        return text
    return next((one.value for one in request.found if one.kind in NAMED and one.value.startswith(f"{text},")), text)


def in_the_request_s_words(text: str, request: Request) -> str | None:
    """Return `text`, or as much of its beginning as the request says, spelt as there, without quotation marks and a leading
    article; None if the request does not say it. What a small model adds comes behind: "Oslo, NO, (NO)"."""
    said = re.findall(r"\w+", ARTICLE.sub("", text.strip(EDGES)))
    for length in range(len(said), 0, -1):
        spelt = r"\W+".join(map(re.escape, said[:length]))
        for whole in (request.text, request.earlier):
            if match := re.search(rf"(?<!\w){spelt}(?!\w)", whole, re.I):
                enough = length == len(said) or any(
                    one.kind in NAMED and one.value == match[0] for one in request.found
                )
                return _whole_name(whole, match, request) if enough else None
    return None


def _whole_name(said: str, match: re.Match, request: Request) -> str:
    """Return the match with what belongs to it in the request: the rest of a name, a path's folders, the sign of "C#"."""
    if longer := [one.value for one in request.found if one.kind == "name" and one.value.startswith(f"{match[0]} of ")]:
        return longer[0]
    start = max(said.rfind(space, 0, match.start()) for space in " \n\t") + 1
    end = re.search(r"\s|$", said[match.end() :]).start() + match.end()
    token = said[start:end].strip(EDGES)
    if " " not in match[0] and match[0] in token and re.search(r"[\w~:.][/\\]\w", token):
        return token
    sign = re.match(r"[#+%]+", said[match.end() :])
    the = "The " if match.start() > 4 and said[: match.start()].endswith("The ") else ""
    return f"{the}{match[0]}{sign[0] if sign else ''}"
