"""What this learner has done, in `progress.json` in labkit's folder: verdicts and counts, never an answer.

labkit.json_record keeps it: one writer at a time, and a file that cannot be read is set aside, never overwritten.

Taught in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from labkit.exercises.banks import lessons, rows
from labkit.exercises.core import NOT_ATTEMPTED, RIGHT, WRONG
from labkit.json_record import JsonRecord

__all__ = ["Progress", "progress", "record", "touched"]

_ORDER = [NOT_ATTEMPTED, WRONG, RIGHT]


@dataclass(frozen=True)
class Progress:
    """How far one exercise has come.

    status: the best verdict so far.       checks: how often it was checked.        hints: how many hints were shown.
    solution: whether it was shown.        updated: when any of this last changed (ISO 8601, UTC; "" = never).
    """

    id: str = ""
    title: str = ""
    status: str = NOT_ATTEMPTED
    checks: int = 0
    hints: int = 0
    solution: bool = False
    updated: str = ""

    def after(self, *, verdict: str = "", hint: int = 0, solution: bool = False) -> Progress:
        """Return this progress with one more thing done. A later stub or mistake does not undo a "right"."""
        best = max(self.status, verdict or self.status, key=_ORDER.index)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        seen = {"hints": max(self.hints, hint), "solution": self.solution or solution}
        return replace(self, status=best, checks=self.checks + bool(verdict), updated=now, **seen)


def progress() -> list[Progress]:
    """Return the Progress of every exercise of the course, in reading order, untouched ones included.

    Taught in notebook 00, section "How exercises work".
    """
    done = _JOURNAL.read()
    exercises = [row for lesson in lessons() for row in rows(lesson)]
    return [replace(done.get(row["id"], Progress(row["id"])), title=row["title"]) for row in exercises]


def touched() -> dict[str, Progress]:
    """Return the Progress of what was ever checked or asked, by exercise id and without titles; no bank is loaded for it."""
    return {name: entry for name, entry in _JOURNAL.read().items() if entry.updated}


def record(exercise_id: str, *, verdict: str = "", hint: int = 0, solution: bool = False) -> None:
    """Note one event. A disk that will not have it is worth a warning, not a failed check."""

    def add(entries: dict[str, Progress]) -> dict[str, Progress]:
        entry = entries.get(exercise_id, Progress(exercise_id))
        return entries | {exercise_id: entry.after(verdict=verdict, hint=hint, solution=solution)}

    try:
        _JOURNAL.change(add)
    except OSError as error:
        warnings.warn(f"Progress was not saved: {error}", stacklevel=3)


def _entry(name: str, row: dict) -> Progress:
    result = Progress(id=name, **row)
    kinds_differ = any(type(value) is not type(getattr(Progress, key)) for key, value in row.items())
    if kinds_differ or result.status not in _ORDER:
        raise ValueError(f"not a progress entry: {row}")
    return result


def _row(entry: Progress) -> dict:
    return {key: value for key, value in asdict(entry).items() if key not in ("id", "title")}


_JOURNAL = JsonRecord("progress.json", root="exercises", decode=_entry, encode=_row, what="your progress")
