"""How far a learner has come, lesson by lesson: the journal counted along the table of lessons.

for row in by_lesson():
    print(row.id, row.right, "of", row.exercises)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from labkit.exercises.core import NOT_ATTEMPTED, RIGHT
from labkit.exercises.journal import Progress, touched
from labkit.lessons import Lesson, lessons

__all__ = ["Row", "by_lesson", "next_open"]


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
        for lesson in lessons()
    ]


def next_open(rows: list[Row]) -> Row | None:
    """Return the first lesson that is not done, or None when all are."""
    return next((row for row in rows if not row.done), None)


def _row(lesson: Lesson, entries: list[Progress]) -> Row:
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
