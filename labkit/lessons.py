"""The lessons as a table: data/lessons.toml, one row a lesson, in reading order.

    for lesson in lessons():
        print(lesson)
    lesson_by_id("00").path

At work in notebook 00, section "What runs here".
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from labkit import paths
from labkit.errors import UnknownLesson

__all__ = ["Lesson", "lesson_by_id", "lessons"]


@dataclass(frozen=True)
class Lesson:
    """One row of data/lessons.toml.

    `minutes` are a learner's, `memory_gb` (10**9 bytes) is what JupyterLab, kernel, engine and model take together, any
    one of `engines` will do, `needs` are ids of lessons to read first, `exercises` counts those that check themselves,
    `memory_gb_with` are (name, 10**9 bytes) of what is used if it is here and takes more.
    Shown as one line, on a page and as plain text; the page gets what every lesson's figures and widgets need there
    (data/lesson_page.html).
    """

    id: str
    file: str
    title: str
    promise: str
    level: str
    minutes: int
    memory_gb: float
    engines: tuple[str, ...]
    needs: tuple[str, ...]
    exercises: int
    memory_gb_with: tuple[tuple[str, float], ...] = ()

    @property
    def path(self) -> Path:
        """The shipped notebook."""
        return paths.notebooks_dir() / self.file

    def __repr__(self) -> str:
        more = "".join(f" ({gb:g} with {name})" for name, gb in self.memory_gb_with)
        memory = f"{self.memory_gb:g} GB of memory{more}"
        needs = f"about {self.minutes} minutes · {memory} · engine: {' or '.join(self.engines)}"
        return f"{self.id} {self.title} · {self.level} · {needs}"

    def _repr_html_(self) -> str:
        name, line = escape(f"{self.id} {self.title}"), escape(repr(self))
        needed = (paths.data_dir() / "lesson_page.html").read_text(encoding="utf-8")
        return f"<p>{line.replace(name, f'<strong>{name}</strong>', 1)}</p>\n{needed}"


def lessons() -> list[Lesson]:
    """Return every lesson in reading order."""
    return list(_table(paths.data_dir() / "lessons.toml"))


def lesson_by_id(name: str | int | Path) -> Lesson:
    """Return the lesson that `name` means: 0, "0", "00", "00_start_here" or a path of that name; else UnknownLesson."""
    stem = Path(str(name)).name.removesuffix(".ipynb")
    for row in lessons():
        if stem == Path(row.file).stem or (stem.isdigit() and stem.zfill(2) == row.id):
            return row
    known = ", ".join(Path(row.file).stem for row in lessons())
    raise UnknownLesson(f"There is no lesson or notebook {str(name)!r}", f"The lessons are: {known}", "labkit lessons")


@cache
def _table(path: Path) -> tuple[Lesson, ...]:
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["lesson"]
    return tuple(_lesson(row) for row in rows)


def _lesson(row: dict) -> Lesson:
    lists = {"engines": tuple(row["engines"]), "needs": tuple(row["needs"])}
    return Lesson(**row | lists | {"memory_gb_with": tuple(row.get("memory_gb_with", {}).items())})
