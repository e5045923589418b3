"""A learner's own board over all lessons, and a file of it for an instructor without a server.

    for row in by_lesson():
        print(row.id, row.right, "of", row.exercises)
    export(Path("desk-07-progress.json"))                      # verdicts, counts and times
    export(Path("…"), answers=Path("my-course"))               # and the answers in these notebooks

`progress.json` holds no answers; they are in the learner's notebooks, and are read from there if asked for.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import course
from labkit.errors import KitError
from labkit.exercises.core import NOT_ATTEMPTED, RIGHT
from labkit.exercises.journal import touched
from labkit.kit.documents import PROGRESS, write

__all__ = ["Row", "answers_in", "by_lesson", "export", "text"]

OPENS = re.compile(r"""exercise\(\s*["'](\d\d\.\d+)["']\s*\)""")
WIDTH = 10  # characters of the longest bar


@dataclass(frozen=True)
class Row:
    """How far one lesson has come: exercises in all, right, tried but not right; hints, solutions shown; last change (ISO, "")."""

    id: str
    title: str
    minutes: int
    exercises: int
    right: int
    tried: int
    hints: int
    solutions: int
    updated: str

    @property
    def done(self) -> bool:
        """Every exercise is right."""
        return self.right == self.exercises

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {**asdict(self), "done": self.done}


def by_lesson() -> list[Row]:
    """Return one Row a lesson, in reading order, untouched ones included."""
    entries = touched()
    return [
        _row(lesson, [entries[one] for n in range(1, lesson.exercises + 1) if (one := f"{lesson.id}.{n}") in entries])
        for lesson in course.lessons()
    ]


def text(rows: list[Row]) -> str:
    """Return the board for a terminal: a bar a lesson, the sum, and what comes next."""
    lines = [
        f"{row.id} {row.title:30} {_bar(row)} {row.right:>2} of {row.exercises:<2} right{_beside(row)}" for row in rows
    ]
    right, total = sum(row.right for row in rows), sum(row.exercises for row in rows)
    open_ = next((row for row in rows if not row.done), None)
    next_ = f"Next: lesson {open_.id}, {open_.title}." if open_ else "All done."
    return "\n".join([*lines, "", f"{right} of {total} exercises. {next_}"])


def export(path: Path, answers: Path | None = None) -> Path:
    """Write verdicts, counts and times of every exercise that was touched; with `answers`, what its notebooks hold.

    Raises KitError for a folder without notebooks, WeightsError or NoSpace where the disk will not have it.
    """
    found: dict = {
        "exercises": {
            name: {key: value for key, value in asdict(entry).items() if key not in ("id", "title")}
            for name, entry in touched().items()
        }
    }
    if answers is not None:
        found["answers"] = answers_in(answers)
    return write(path, PROGRESS, found)


def answers_in(folder: Path) -> dict[str, str]:
    """Return exercise id → source of the cell that checks it, from the notebooks in a folder. Raises KitError."""
    files = sorted(Path(folder).expanduser().glob("*.ipynb"))
    if not files:
        raise KitError(
            f"There are no notebooks in {folder}",
            "another folder?",
            "labkit progress --export FILE --answers my-course",
        )
    found: dict[str, str] = {}
    for file in files:
        found |= _answers_of(file)
    return found


def _answers_of(file: Path) -> dict[str, str]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise KitError(f"{file.name} is no notebook that can be read", why, "labkit lab") from None
    found, current = {}, ""
    for source in sources:
        opened = OPENS.findall(source)
        current = opened[-1] if opened else current
        if current and ".check(" in source:
            found.setdefault(current, source)
    return found


def _row(lesson, entries: list) -> Row:
    return Row(
        lesson.id,
        lesson.title,
        lesson.minutes,
        exercises=lesson.exercises,
        right=sum(entry.status == RIGHT for entry in entries),
        tried=sum(bool(entry.checks) and entry.status not in (RIGHT, NOT_ATTEMPTED) for entry in entries),
        hints=sum(entry.hints for entry in entries),
        solutions=sum(entry.solution for entry in entries),
        updated=max((entry.updated for entry in entries), default=""),
    )


def _bar(row: Row) -> str:
    full = round(WIDTH * row.right / row.exercises)
    return "#" * full + "." * (WIDTH - full)


def _beside(row: Row) -> str:
    parts = [f"{row.tried} tried"] if row.tried else []
    parts += [f"{row.hints} hints"] if row.hints else []
    parts += [f"{row.solutions} solutions seen"] if row.solutions else []
    return "".join(f", {part}" for part in parts)
