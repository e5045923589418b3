"""The loop that every agent is: a world gives a percept, the agent answers with an action, the world changes.

Taught in notebook 01, section "Reflex".
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from labkit.errors import CourseError

__all__ = ["Agent", "History", "Step", "World", "known", "run"]

Agent = Callable[[object], object]


class World(Protocol):
    """What `run` needs of a world. `percept` is all that an agent gets to see; `score` is for us, who watch."""

    @property
    def percept(self) -> object:
        """What the agent's sensors say now."""

    def step(self, action: object) -> None:
        """Let the action happen, and one tick of time pass."""

    @property
    def score(self) -> float:
        """How well it has gone so far; more is better."""

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""


@dataclass(frozen=True)
class Step:
    """One turn of the loop.

    percept: what the agent saw. action: what it did. seconds: how long it took to decide. thought: a copy of the agent's
    `thought`, if it has one (a plan, a map, estimates), else None.
    """

    percept: object
    action: object
    seconds: float
    thought: object = None


@dataclass(frozen=True)
class History:
    """What happened: `steps`, and `worlds`, snapshots before the first step and after each (one more than steps)."""

    worlds: list
    steps: list[Step]

    @property
    def last(self):
        """The world as it was in the end."""
        return self.worlds[-1]

    @property
    def score(self) -> float:
        """The world's score in the end."""
        return self.last.score

    @property
    def actions(self) -> list:
        """What the agent did, in order."""
        return [step.action for step in self.steps]

    @property
    def decision_us(self) -> float:
        """The median time that one decision took, in microseconds (0 if there was none)."""
        return 1e6 * median(step.seconds for step in self.steps) if self.steps else 0.0

    def first(self, condition: Callable[[object], bool]) -> int | None:
        """Return after how many steps `condition(world)` first held, or None if it never did."""
        return next((number for number, world in enumerate(self.worlds) if condition(world)), None)


def run(world: World, agent: Agent, steps: int) -> History:
    """Let `agent` act in a copy of `world` for at most `steps` steps, or until the world is done.

    The world that you pass in stays as it is, so that the next agent can start in the same one. Taught in notebook 01,
    section "Reflex".
    """
    world = copy.deepcopy(world)
    worlds, taken = [copy.deepcopy(world)], []
    while len(taken) < steps and not world.done:
        percept = world.percept
        started = time.perf_counter()
        action = agent(percept)
        seconds = time.perf_counter() - started
        taken.append(Step(percept, action, seconds, copy.deepcopy(getattr(agent, "thought", None))))
        world.step(action)
        worlds.append(copy.deepcopy(world))
    return History(worlds, taken)


def known(action: object, actions: Iterable) -> object:
    """Return `action` if it is one of `actions`, else raise CourseError: worlds refuse what they don't understand."""
    choices = list(actions)
    if action not in choices:
        raise CourseError(
            f"This world does not know the action {action!r}",
            f"it knows {', '.join(map(repr, choices))}",
            "return one of these from your agent",
        )
    return action
