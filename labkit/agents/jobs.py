"""A desk with jobs and deadlines; rules that pick the next job, and a planner that looks at every order.

Taught in notebook 01, section "Goals".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from labkit.agents.loop import known

__all__ = ["MONDAY", "Desk", "DeskPercept", "Job", "Scheduler", "best_order", "earliest_deadline", "shortest_first"]


class Job(NamedTuple):
    """Something to do: it takes `hours`, is due at hour `due`, and can begin when the jobs in `needs` are finished."""

    name: str
    hours: int
    due: int
    needs: tuple[str, ...] = ()


MONDAY = (
    Job("tidy the inbox", 1, 4),
    Job("collect figures", 2, 12),
    Job("order paper", 2, 10),
    Job("write the report", 3, 6, ("collect figures",)),
    Job("call the supplier", 1, 9),
    Job("print the report", 1, 7, ("write the report",)),
)


class DeskPercept(NamedTuple):
    """What a scheduler sees: the hour, the jobs that wait, and those of them that can begin now."""

    hour: int
    waiting: tuple[Job, ...]
    ready: tuple[Job, ...]


@dataclass
class Desk:
    """One desk, one job at a time; a step is a whole job. `finished` maps a job's name to the hour when it was done."""

    jobs: Sequence[Job] = MONDAY
    hour: int = 0
    finished: dict[str, int] = field(default_factory=dict)

    @property
    def percept(self) -> DeskPercept:
        """The hour, and what is left to do."""
        waiting = tuple(job for job in self.jobs if job.name not in self.finished)
        return DeskPercept(self.hour, waiting, tuple(job for job in waiting if self._can_begin(job)))

    def step(self, action: str) -> None:
        """Do the job of this name to its end. Raises CourseError for one that is done, unknown, or can't begin yet."""
        known(action, (job.name for job in self.percept.ready))
        (job,) = (job for job in self.jobs if job.name == action)
        self.hour += job.hours
        self.finished[job.name] = self.hour

    def _can_begin(self, job: Job) -> bool:
        return all(name in self.finished for name in job.needs)

    @property
    def score(self) -> int:
        """How many jobs were finished on time."""
        return sum(self.finished.get(job.name, job.due + 1) <= job.due for job in self.jobs)

    @property
    def done(self) -> bool:
        """Whether all jobs are finished, or none of the rest can ever begin."""
        return not self.percept.ready


def shortest_first(percept: DeskPercept) -> str:
    """Take the shortest job that can begin. A reflex."""
    return min(percept.ready, key=lambda job: job.hours).name


def earliest_deadline(percept: DeskPercept) -> str:
    """Take the job that is due first among those that can begin. A reflex."""
    return min(percept.ready, key=lambda job: job.due).name


class Scheduler:
    """Plan a whole order with the most jobs on time, then follow it. `thought` is what is left of the order."""

    def __init__(self):
        self.thought: tuple[str, ...] = ()

    def __call__(self, percept: DeskPercept) -> str:
        if not self.thought:
            self.thought = best_order(percept.waiting, percept.hour)
        first, *rest = self.thought
        self.thought = tuple(rest)
        return first


def best_order(jobs: Sequence[Job], hour: int = 0) -> tuple[str, ...]:
    """Return an order of the jobs, begun at `hour`, that finishes the most on time (among equals: with the least delay).

    Exact: it looks at every set of jobs once, so the work doubles with each job; fine up to about 15. What a job needs
    and is not in `jobs` counts as finished. Taught in notebook 01, section "Goals".
    """
    by_name = {job.name: job for job in jobs}

    @cache
    def best(left: frozenset[str]) -> tuple[int, int, tuple[str, ...]]:
        """Return (jobs on time, hours of delay as a negative number, order) for the jobs `left`."""
        begun = hour + sum(job.hours for job in jobs) - sum(by_name[name].hours for name in left)
        options = [(0, 0, ())]
        for name in left:
            job = by_name[name]
            if not left.intersection(job.needs):
                on_time, delay, order = best(left - {name})
                late = max(0, begun + job.hours - job.due)
                options.append((on_time + (late == 0), delay - late, (name, *order)))
        return max(options, key=lambda option: (len(option[2]), option))

    return best(frozenset(by_name))[2]
