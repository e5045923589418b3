"""Timetables add up and can be taught in their order; every lesson has notes for who teaches it."""

from __future__ import annotations

import json
import re

import pytest
from test_cli import run

from labkit import course
from labkit.errors import ConfigError, UnknownLesson
from labkit.exercises import banks
from labkit.kit import syllabus
from labkit.kit.lessons import about, about_text

LESSONS = [row.id for row in course.lessons()]


def test_there_are_plans_of_two_four_and_eight_hours():
    assert {name: syllabus.plan(name).booked for name in syllabus.plans()} == {"2h": 120, "4h": 240, "8h": 480}


@pytest.mark.parametrize("name", syllabus.plans())
def test_a_plan_fits_its_hours_and_leaves_some_for_questions(name):
    plan = syllabus.plan(name)
    assert 0.8 * plan.booked <= plan.minutes <= 0.95 * plan.booked
    assert [step.starts for step in plan.steps] == [
        sum(one.minutes for one in plan.steps[:i]) for i in range(len(plan.steps))
    ]


@pytest.mark.parametrize("name", syllabus.plans())
def test_minutes_follow_from_the_lessons(name):
    for step in syllabus.plan(name).steps:
        if not step.lesson:
            continue
        lesson = course.lesson_by_id(step.lesson)
        share = (len(step.exercises) or lesson.exercises) / lesson.exercises
        assert step.minutes == round(lesson.minutes * share)
        assert {f"{one.id}" for one in banks.bank(lesson.id)} >= set(step.exercises)


@pytest.mark.parametrize("name", syllabus.plans())
def test_nothing_is_taught_before_what_it_needs_and_the_kit_is_enough(name):
    seen: list[str] = []
    for step in syllabus.plan(name).steps:
        if step.lesson:
            lesson = course.lesson_by_id(step.lesson)
            assert set(lesson.needs) <= set(seen) and "llamacpp" in lesson.engines
            assert step.lesson not in seen
            seen.append(step.lesson)
    assert seen == sorted(seen) and seen[0] == "00"


@pytest.mark.parametrize("name", syllabus.plans())
def test_nobody_works_longer_than_two_hours_without_a_break(name):
    since = 0
    for step in syllabus.plan(name).steps:
        since = since + step.minutes if step.lesson else 0
        assert since <= 120


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_lesson_has_notes_on_its_own_exercises(lesson):
    found = syllabus.notes(lesson)
    assert len(found.wrong) >= 3 and len(found.ask) >= 3 and all(one.endswith("?") for one in found.ask)
    known = {one.id for one in banks.bank(lesson)}
    named = set(re.findall(r"\b\d\d\.\d+\b", " ".join(found.wrong)))
    assert named <= known, "notes name exercises that are not there"
    assert not any(re.search(r"[\u2018-\u201d]|\s$|^\s", one) for one in (*found.wrong, *found.ask))


def test_a_lesson_shows_its_exercises_and_notes():
    found = about(course.lesson_by_id("04"))
    assert [one["id"] for one in found["exercises"]] == [one.id for one in banks.bank("04")]
    assert "What goes wrong" in about_text(found) and found["notes"]["ask"][0] in about_text(found)


def test_what_is_not_there_is_said():
    for ask in (lambda: syllabus.plan("3h"), lambda: syllabus.notes("99")):
        with pytest.raises(ConfigError, match=r"There (is|are) no"):
            ask()
    with pytest.raises(UnknownLesson):
        course.lesson_by_id("99")


def test_the_commands():
    assert "Half a day: 4 hours" in syllabus.plan_text(syllabus.plan("4h"))
    plan = json.loads(run("lessons", "--plan", "8h", "--json").stdout)
    assert plan["minutes"] == sum(step["minutes"] for step in plan["steps"])
    done = run("lessons", "--plan", "5h")
    assert done.returncode == 2 and "2h, 4h, 8h" in done.stderr
    rows = json.loads(run("lessons", "--json").stdout)
    assert [row["id"] for row in rows] == LESSONS and {"minutes", "needs", "engines", "exercises", "right"} <= rows[
        0
    ].keys()
