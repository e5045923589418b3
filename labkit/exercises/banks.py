"""Find the exercises: their texts and answers in data/exercises/LESSON.NUMBER.toml, their checkers in `lesson_NN.py`
beside this file. Both are loaded when they are asked for, one lesson at a time.

At work in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import difflib
import re
from importlib import import_module
from pathlib import Path

from labkit import paths
from labkit.errors import UnknownExercise
from labkit.exercises.core import Exercise
from labkit.exercises.rows import made, read

__all__ = ["lessons", "rows", "bank", "find"]

_NAME = re.compile(r"(\d\d)\.(\d+)\.toml")


def lessons() -> list[str]:
    """Return the two-digit numbers of the lessons that have exercises, in order."""
    return sorted({path.name[:2] for path in _files()})


def rows(lesson: str) -> list[dict]:
    """Return the rows (id, title, section, task, …) of a lesson, such as "00", in reading order; no checker is loaded."""
    return [read(path) for path in _files(lesson)]


def bank(lesson: str) -> list[Exercise]:
    """Return the exercises of a lesson, such as "00", in reading order.

    Raises ModuleNotFoundError without checkers for the lesson, CourseError for a file that is no exercise.
    """
    checkers = import_module(f"{__package__}.lesson_{lesson}")
    return [made(row, checkers) for row in rows(lesson)]


def find(exercise_id: str) -> Exercise:
    """Return the exercise with this id, or raise UnknownExercise with the nearest one there is."""
    known = {path.stem: path for path in _files()}
    if exercise_id not in known:
        raise _unknown(str(exercise_id), list(known))
    lesson = exercise_id.partition(".")[0]
    return made(read(known[exercise_id]), import_module(f"{__package__}.lesson_{lesson}"))


def _files(lesson: str = "") -> list[Path]:
    """Return the files of one lesson or of all, in reading order: 05.10 comes after 05.9."""
    named = [
        (match, path) for path in (paths.data_dir() / "exercises").iterdir() if (match := _NAME.fullmatch(path.name))
    ]
    ordered = sorted((match[1], int(match[2]), path) for match, path in named)
    return [path for number, _, path in ordered if lesson in ("", number)]


def _unknown(wanted: str, known: list[str]) -> UnknownExercise:
    here = [one for one in known if one.partition(".")[0] == wanted.partition(".")[0]] or known
    near = difflib.get_close_matches(wanted, here, n=1, cutoff=0.5)
    why = (f"did you mean {near[0]}? " if near else "") + f"There are: {', '.join(here) or 'none yet'}"
    fix = f'exercise("{(near or here)[0]}")' if here else ""
    return UnknownExercise(f"There is no exercise {wanted!r}", why, fix)
