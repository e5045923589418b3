"""What is known of a call so far (`Plan`), what the user said (`Request`), and one pass of filling over one text (`Work`).

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labkit.tools.candidates import Candidate, find
from labkit.tools.slots import Slot
from labkit.tools.tool import Tool
from labkit.tools.words import content, split_name, stem

__all__ = ["Plan", "Request", "Work", "simplest", "slots_of"]

SEARCHED = 8000  # characters: a request has some hundred; the time to search a text grows with its square


@dataclass
class Plan:
    """What is decided of a tool's arguments, what is open, and what is missing.

    values: decided arguments. open: parameter -> values to choose from ([]: anything the schema allows). missing: required
    parameters that the request says nothing of. points: how sure the decided ones are, a parameter each; kinds: what kind of
    candidate a decided text is."""

    values: dict[str, Any] = field(default_factory=dict)
    open: dict[str, list] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    points: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    def has(self, slot: Slot) -> bool:
        """Whether the parameter is decided or open."""
        return slot.name in self.values or slot.name in self.open

    def set(self, slot: Slot, value: Any, points: float) -> None:
        """Decide a parameter."""
        self.values[slot.name], self.points[slot.name] = value, points


@dataclass
class Request:
    """What the user said: the `text` to be done now, and what was said `earlier` (used where the text says nothing).

    searched, searched_earlier: as much of each as values are looked for in; the model is shown the whole.
    """

    text: str
    earlier: str = ""

    def __post_init__(self):
        self.searched, self.searched_earlier = self.text[:SEARCHED], self.earlier[:SEARCHED]
        self.found, self.found_earlier = find(self.searched), find(self.searched_earlier)


@dataclass
class Work:
    """One pass over one text: its candidates `found`, and those `used` already, while `plan` fills up."""

    tool: Tool
    text: str
    found: list[Candidate]
    plan: Plan
    used: list[Candidate] = field(default_factory=list)

    def free(self, *kinds: str) -> list[Candidate]:
        """Return the candidates of these kinds that lie on nothing used."""
        return [one for one in self.found if one.kind in kinds and not any(one.overlaps(other) for other in self.used)]


def slots_of(tool: Tool) -> list[Slot]:
    """Return the parameters of a tool as Slots."""
    return [_slot(name, schema, name in tool.required) for name, schema in tool.properties.items()]


def simplest(schema: dict) -> dict:
    """Return the first of several alternatives of a parameter; of one that has none, its schema as it is."""
    return simplest(schema["anyOf"][0]) if schema.get("anyOf") else schema


def _slot(name: str, whole: dict, required: bool) -> Slot:
    schema = simplest(whole)
    kind, listed = schema.get("type", ""), schema.get("items") or {}
    values = tuple(map(str, schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else ()))
    about = whole.get("description") or schema.get("description")
    limits = (_number(schema.get("minimum")), _number(schema.get("maximum")))
    return Slot(name, (kind, about if isinstance(about, str) else "", values, *limits), required, "enum" in listed)


def _number(limit: Any) -> float | None:
    return limit if isinstance(limit, int | float) and not isinstance(limit, bool) else None


@lru_cache(1024)
def own_words(name: str, description: str) -> frozenset[str]:
    """Return the stems of a tool's name and description."""
    return frozenset(stem(word) for word in (*split_name(name), *content(description)))
