"""Every bank of the course is sound; and the proof itself is: a checker that always says the same does not pass it."""

import functools
from dataclasses import replace

import example_bank
import pytest
from bank_audit import bank_faults, exercise_faults, idle_lines, notebook_faults

from labkit import paths
from labkit.exercises import wrong
from labkit.exercises.banks import bank, lessons

BANKS = {"99": example_bank.EXERCISES} | {lesson: bank(lesson) for lesson in lessons()}
EXERCISES = [pytest.param(exercise, id=exercise.id) for exercises in BANKS.values() for exercise in exercises]


@pytest.mark.parametrize("lesson", BANKS)
def test_ids_are_the_lessons_own(lesson):
    assert bank_faults(lesson, BANKS[lesson]) == []


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_answer_gets_its_verdict(exercise):
    assert exercise_faults(exercise) == []


@pytest.mark.parametrize("exercise", EXERCISES)
def test_every_line_of_the_checker_matters(exercise):
    assert idle_lines(exercise) == []


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_checker_that_always_says_right_is_found_out(exercise):
    always_right = functools.wraps(exercise.check)(lambda **values: None)
    assert exercise_faults(replace(exercise, check=always_right))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_checker_that_always_says_wrong_is_found_out(exercise):
    always_wrong = functools.wraps(exercise.check)(lambda **values: wrong("no."))
    assert exercise_faults(replace(exercise, check=always_wrong))


@pytest.mark.parametrize("exercise", EXERCISES)
def test_the_notebook_teaches_offers_and_ships_it(exercise):
    notebooks = sorted(paths.notebooks_dir().glob(f"{exercise.lesson}_*.ipynb"))
    if not notebooks:
        pytest.skip(f"no notebook {exercise.lesson} yet")
    assert notebook_faults(exercise, notebooks[0]) == []
