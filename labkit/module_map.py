"""The original module, heading by heading: where each is taught, and what became of its recipes that fail.

    headings()[4].home                 # (Place("01", "Reflex", …), …)
    by_section()                       # the other way: each section of the course, and the headings that it teaches
    stale()                            # [] while every target is a heading of its notebook

The table is data/module_map.toml; `labkit map` prints it, and the rendered course has it on its first page.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labkit import course, paths

__all__ = [
    "Heading", "Place", "Recipe", "Section",
    "by_section", "headings", "place", "recipes", "sections", "stale", "text", "to_dict",
]  # fmt: skip

HEADING = re.compile(r"^(##+) (.+?)\s*$", re.M)
FATES = ("taught", "repaired", "left")


@dataclass(frozen=True)
class Section:
    """A heading of a notebook: its text, and its cell's place (from 1, text cells counted)."""

    title: str
    cell: int

    @property
    def anchor(self) -> str:
        """What follows "#" in a link, as JupyterLab and nbconvert make it."""
        return self.title.replace(" ", "-").replace("`", "")


@dataclass(frozen=True)
class Place:
    """A section of a lesson. file and cell are empty and 0 for a lesson that is not written yet, or a section that is gone."""

    lesson: str
    section: str
    file: str = ""
    cell: int = 0

    @property
    def link(self) -> str:
        """NN_file.ipynb#Section, or "lesson NN" for one that is not written yet."""
        if not self.file:
            return f"lesson {self.lesson}"
        return f"{self.file}#{Section(self.section, self.cell).anchor}" if self.section else self.file

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {"lesson": self.lesson, "section": self.section, "cell": self.cell, "link": self.link}


@dataclass(frozen=True)
class Heading:
    """A heading of the module: its level (2 to 4), the headings above it, where it is taught, and what is to be known."""

    level: int
    title: str
    home: tuple[Place, ...]
    above: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Recipe:
    """One recipe of the module that fails, or a claim that is wrong: "W4". fate is one of FATES; why: for "left"."""

    id: str
    title: str
    fate: str
    home: tuple[Place, ...]
    note: str = ""
    why: str = ""


def headings() -> list[Heading]:
    """Return every heading of the module, in its order."""
    found: list[Heading] = []
    above: dict[int, str] = {}
    for row in _table()["heading"]:
        above = {level: title for level, title in above.items() if level < row["level"]}
        found.append(Heading(**row | {"home": _places(row["home"]), "above": tuple(above.values())}))
        above[row["level"]] = row["title"]
    return found


def recipes() -> list[Recipe]:
    """Return W1 to W25, in order."""
    return [Recipe(**row | {"home": _places(row["home"])}) for row in _table()["recipe"]]


def sections(notebook: Path) -> list[Section]:
    """Return the headings of a notebook from the second level down, in order, exercises included."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    texts = [(i, "".join(cell["source"])) for i, cell in enumerate(cells, 1) if cell["cell_type"] == "markdown"]
    return [Section(title, i) for i, source in texts for _, title in HEADING.findall(source)]


def place(lesson: str, section: str) -> Place:
    """Return a section of a lesson by its title; its cell is 0 if the lesson has no such section."""
    row = next((row for row in course.lessons() if row.id == lesson), None)
    if row is None:
        return Place(lesson, section)
    return Place(lesson, section, row.file, _cells(row.path).get(section, 0))


def by_section() -> dict[Place, list[Heading | Recipe]]:
    """Return what each section of the course takes from the module, in the course's order."""
    found: dict[Place, list[Heading | Recipe]] = {}
    for one in (*headings(), *recipes()):
        for place in one.home:
            found.setdefault(place, []).append(one)
    return dict(sorted(found.items(), key=lambda item: (item[0].lesson, item[0].cell)))


def stale() -> list[str]:
    """Return each target that no notebook has, as "lesson#section <- what points there"; lessons not written yet are left out."""
    written = {row.id for row in course.lessons()}
    return [
        f"{place.lesson}#{place.section} <- {one.title}"
        for place, found in by_section().items()
        for one in found
        if place.lesson in written and not place.cell
    ]


def to_dict() -> dict:
    """Return all of it as JSON can hold it: headings, recipes, and the sections with what each teaches."""
    return {
        "headings": [
            {
                "level": one.level,
                "title": one.title,
                "above": list(one.above),
                "note": one.note,
                "home": _dicts(one.home),
            }
            for one in headings()
        ],
        "recipes": [
            {
                "id": one.id,
                "title": one.title,
                "fate": one.fate,
                "note": one.note,
                "why": one.why,
                "home": _dicts(one.home),
            }
            for one in recipes()
        ],
        "sections": [
            {**place.to_dict(), "teaches": [_name(one) for one in found]} for place, found in by_section().items()
        ],
    }


def text() -> str:
    """Return the map for a terminal: the module's headings, its recipes, then the same from the lessons' side."""
    lines = ["The original module, and where each heading is taught", ""]
    for one in headings():
        lines += [f"{'  ' * (one.level - 2)}{one.title}", *_below(one)]
    lines += ["", "Its recipes that fail", ""]
    for one in recipes():
        lines += [f"{one.id:4} {one.fate:9} {one.title}", *_below(one)]
    lines += ["", "The lessons, and what each section takes from the module", ""]
    for place, found in by_section().items():
        lines += [f"{place.link}", *(f"      {_name(one)}" for one in found)]
    return "\n".join(lines)


def _below(one: Heading | Recipe) -> list[str]:
    said = [f"({text})" for text in (one.note, getattr(one, "why", "")) if text]
    return [f"      {line}" for line in (*(place.link for place in one.home), *said)]


def _name(one: Heading | Recipe) -> str:
    return f"{one.id} {one.title}" if isinstance(one, Recipe) else " / ".join((*one.above, one.title))


def _dicts(places: tuple[Place, ...]) -> list[dict]:
    return [place.to_dict() for place in places]


def _places(home: list[str]) -> tuple[Place, ...]:
    return tuple(place(*one.partition("#")[::2]) for one in home)


@cache
def _cells(notebook: Path) -> dict[str, int]:
    return {one.title: one.cell for one in sections(notebook)}


def _table() -> dict:
    return paths.read_table("module_map.toml")
