"""The desk: the planner is never beaten by any order, and the rules are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.agents import run
from labkit.agents.jobs import MONDAY, Desk, Job, Scheduler, best_order, earliest_deadline, shortest_first
from labkit.errors import CourseError


@st.composite
def mornings(draw):
    """Up to five jobs, each of which may need some of those before it."""
    jobs = []
    for number in range(draw(st.integers(1, 5))):
        needs = tuple(job.name for job in jobs if draw(st.booleans()))
        jobs.append(Job(str(number), draw(st.integers(1, 4)), draw(st.integers(1, 12)), needs))
    return tuple(draw(st.permutations(jobs)))


def follow(jobs, order) -> Desk | None:
    desk = Desk(jobs)
    for name in order:
        if name not in {job.name for job in desk.percept.ready}:
            return None
        desk.step(name)
    return desk


@given(mornings())
def test_no_order_has_more_jobs_on_time(jobs):
    orders = [follow(jobs, order) for order in itertools.permutations(job.name for job in jobs)]
    best = max(desk.score for desk in orders if desk)
    assert follow(jobs, best_order(jobs)).score == best
    assert run(Desk(jobs), Scheduler(), 9).score == best


@given(mornings())
def test_everything_gets_done_in_a_possible_order(jobs):
    for agent in (shortest_first, earliest_deadline, Scheduler()):
        last = run(Desk(jobs), agent, 9).last
        assert last.done
        assert last.hour == sum(job.hours for job in jobs)


def test_on_monday_the_rules_are_late_and_the_plan_is_not():
    scores = [run(Desk(), agent, 9).score for agent in (shortest_first, earliest_deadline, Scheduler())]
    assert scores == [4, 4, len(MONDAY)]


def test_among_equals_the_least_delay():
    jobs = (Job("a", 2, 1), Job("b", 3, 1))  # both late anyway: by 1 + 4 hours, or by 2 + 4
    assert best_order(jobs) == ("a", "b")


def test_what_is_not_ready_is_refused():
    with pytest.raises(CourseError, match="write the report"):
        Desk().step("write the report")


def test_a_job_that_waits_for_nothing_real_ends_the_day():
    assert Desk((Job("a", 1, 1, ("never",)),)).done
