"""One exercise from its file, data/exercises/LESSON.NUMBER.toml: texts and answers there, the checker in Python.

read(Path("data/exercises/00.1.toml"))["title"]                     # the row alone loads no checker
made(read(path), import_module("labkit.exercises.lesson_00"))       # the Exercise
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from labkit.errors import CourseError
from labkit.exercises.core import Answers, Exercise, Wrong

__all__ = ["made", "read"]

_PROSE = ("title", "section", "task", "expects", "why")  # may be wrapped in the file: its lines become one
_TEXTS, _LISTS = (*_PROSE, "check", "solution", "setup"), ("hints", "blank", "right", "wrong")
_OPTIONAL = {"seconds", "setup"}
_WRONG = {"code", "expect", "misconception"}


def read(path: Path) -> dict:
    """Return the row in a file, its id among it. Raises CourseError when it is no row of an exercise, and says why."""
    try:
        row = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # no TOML, or no UTF-8
        raise _broken(path.stem, str(error)) from error
    faults = list(_faults(row))
    if faults:
        raise _broken(path.stem, "; ".join(faults))
    return row | {name: _joined(row[name]) for name in _PROSE} | {"id": path.stem}


def made(row: dict, checkers: ModuleType) -> Exercise:
    """Return the Exercise of a row. Raises CourseError when the module has no such checker."""
    check = getattr(checkers, row["check"], None)
    if not callable(check):
        raise _broken(row["id"], f"{checkers.__name__} has no function {row['check']}")
    rest = {name: row[name] for name in (*_PROSE, "id", "solution", "seconds") if name in row}
    hints = [_joined(hint) for hint in row["hints"]]
    return Exercise(check=check, hints=hints, answers=_answers(row), **rest)


def _answers(row: dict) -> Answers:
    wrong = [Wrong(**answer) for answer in row["wrong"]]
    return Answers(blank=row["blank"], wrong=wrong, right=row["right"], setup=row.get("setup", ""))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _faults(row: dict) -> Iterator[str]:
    """Yield what keeps a table from being an exercise."""
    known = {*_TEXTS, *_LISTS, "seconds"}
    yield from (f"{name} is missing" for name in sorted(known - _OPTIONAL - row.keys()))
    yield from (f"{name} means nothing here" for name in sorted(row.keys() - known))
    yield from (f"{name} is no text" for name in _TEXTS if not isinstance(row.get(name, ""), str))
    if not isinstance(row.get("seconds", 5.0), float):
        yield "seconds is no number with a point"
    for name in _LISTS:
        item = _is_wrong if name == "wrong" else _is_text
        if name in row and not (isinstance(row[name], list) and all(map(item, row[name]))):
            yield f"{name} is no list of " + (f"tables of {', '.join(sorted(_WRONG))}" if name == "wrong" else "texts")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_wrong(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == _WRONG and all(map(_is_text, value.values()))


def _broken(exercise_id: str, why: str) -> CourseError:
    return CourseError(
        f"data/exercises/{exercise_id}.toml is no exercise.",
        why,
        f"pytest tests/test_exercise_banks.py -k {exercise_id}",
    )
