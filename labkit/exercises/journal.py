"""What this learner has done, in `progress.json` in labkit's folder: verdicts and counts, never an answer.

The file is replaced as a whole, by one writer at a time. A file that cannot be read is set aside under another name
beside it, never overwritten.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from labkit import disk, paths
from labkit.exercises.banks import bank, lessons
from labkit.exercises.core import NOT_ATTEMPTED, RIGHT, WRONG

__all__ = ["Progress", "progress", "record"]

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
    done = _locked(lambda entries: entries)
    exercises = [exercise for lesson in lessons() for exercise in bank(lesson)]
    return [replace(done.get(exercise.id, Progress(exercise.id)), title=exercise.title) for exercise in exercises]


def record(exercise_id: str, *, verdict: str = "", hint: int = 0, solution: bool = False) -> None:
    """Note one event. A disk that will not have it is worth a warning, not a failed check."""

    def add(entries: dict[str, Progress]) -> dict[str, Progress]:
        entry = entries.get(exercise_id, Progress(exercise_id))
        return entries | {exercise_id: entry.after(verdict=verdict, hint=hint, solution=solution)}

    try:
        _locked(add)
    except OSError as error:
        warnings.warn(f"Progress was not saved: {error}", stacklevel=3)


def _locked(change: Callable[[dict], dict]) -> dict[str, Progress]:
    """Read, change and write back as the only one who does; write only what differs."""
    path = paths.home() / "progress.json"
    with disk.one_writer(path):
        before = _read(path)
        after = change(before)
        if after != before:
            _write(path, after)
    return after


def _read(path: Path) -> dict[str, Progress]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["exercises"]
        return {exercise_id: _entry(id=exercise_id, **entry) for exercise_id, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kept = _set_aside(path)
        warnings.warn(f"The record of your progress could not be read; it is kept as {kept.name}", stacklevel=5)
        return {}


def _entry(**entry: object) -> Progress:
    result = Progress(**entry)
    kinds_differ = any(type(value) is not type(getattr(Progress, name)) for name, value in entry.items())
    if kinds_differ or result.status not in _ORDER:
        raise ValueError(f"not a progress entry: {entry}")
    return result


def _set_aside(path: Path) -> Path:
    """Move the file to the first free name of progress.broken-1.json, -2, …; return that."""
    number = 1
    while (kept := path.with_name(f"{path.stem}.broken-{number}.json")).exists():
        number += 1
    os.replace(path, kept)
    return kept


def _write(path: Path, entries: dict[str, Progress]) -> None:
    rows = (asdict(entries[exercise_id]) for exercise_id in sorted(entries))
    data = {"exercises": {row.pop("id"): {k: v for k, v in row.items() if k != "title"} for row in rows}}
    with disk.placed(path) as file:
        file.write(json.dumps(data, indent=1).encode())
