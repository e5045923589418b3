"""Find the banks: `lesson_NN.py` beside this file, each with a list `EXERCISES`, imported when it is asked for.

At work in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import difflib
import pkgutil
import re
from importlib import import_module

from labkit.errors import UnknownExercise
from labkit.exercises.core import Exercise

__all__ = ["lessons", "bank", "find"]


def lessons() -> list[str]:
    """Return the two-digit numbers of the lessons that have a bank, in order."""
    folders = import_module(__package__).__path__
    return sorted(m.name.removeprefix("lesson_") for m in pkgutil.iter_modules(folders) if _is_bank(m.name))


def bank(lesson: str) -> list[Exercise]:
    """Return the exercises of a lesson, such as "00", in reading order; raise ModuleNotFoundError without a bank."""
    return import_module(f"{__package__}.lesson_{lesson}").EXERCISES


def find(exercise_id: str) -> Exercise:
    """Return the exercise with this id, or raise UnknownExercise with the nearest one there is."""
    lesson = str(exercise_id).partition(".")[0]
    here = bank(lesson) if lesson in lessons() else []
    found = [exercise for exercise in here if exercise.id == exercise_id]
    if not found:
        raise _unknown(str(exercise_id), [exercise.id for exercise in here])
    return found[0]


def _is_bank(name: str) -> bool:
    return re.fullmatch(r"lesson_\d\d", name) is not None


def _unknown(wanted: str, here: list[str]) -> UnknownExercise:
    known = here or [exercise.id for lesson in lessons() for exercise in bank(lesson)]
    near = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    why = (f"did you mean {near[0]}? " if near else "") + f"There are: {', '.join(known) or 'none yet'}"
    fix = f'exercise("{(near or known)[0]}")' if known else ""
    return UnknownExercise(f"There is no exercise {wanted!r}", why, fix)
