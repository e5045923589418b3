"""A reader with hidden tastes, and agents that learn them from what was liked.

The same world serves as a personal assistant that learns at which hour a reminder is welcome. Taught in notebook 01,
section "Learning".
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from labkit.agents.loop import known

__all__ = ["GENRES", "HOURS", "Bandit", "Optimist", "Reader", "ReaderPercept", "mean_regret", "new_job"]

# How likely this reader likes a book of each genre. The agents never see these figures.
GENRES = {"crime": 0.45, "romance": 0.30, "history": 0.65, "travel": 0.50, "poetry": 0.20}
HOURS = {"08:00": 0.70, "12:00": 0.40, "18:00": 0.30, "21:00": 0.20}  # the same for reminders


class ReaderPercept(NamedTuple):
    """What a recommender sees: the choices, what it showed last, and whether that was liked (None at first)."""

    choices: tuple[str, ...]
    shown: str | None
    liked: bool | None


@dataclass
class Reader:
    """Somebody who likes each of some choices with a hidden chance; a step is one recommendation.

    chances: choice → chance from 0 to 1. later: the chances from step `changes_at` on, if tastes change.
    """

    chances: Mapping[str, float] = field(default_factory=lambda: dict(GENRES))
    seed: int = 0
    later: Mapping[str, float] | None = None
    changes_at: int = 0
    shown: list[str] = field(default_factory=list)
    liked: list[bool] = field(default_factory=list)
    regret: float = 0.0
    done = False  # one can always recommend one more

    def __post_init__(self):
        self._luck = random.Random(f"reader {self.seed}")  # one draw a step: every agent meets the same moods

    @property
    def percept(self) -> ReaderPercept:
        """The choices, and how the last one was received."""
        return ReaderPercept(tuple(self.chances), *((self.shown[-1], self.liked[-1]) if self.shown else (None, None)))

    def step(self, action: str) -> None:
        """Show one of the choices. Raises CourseError for anything else."""
        now = self.now
        chance = now[known(action, self.chances)]
        self.regret += max(now.values()) - chance
        self.liked.append(self._luck.random() < chance)
        self.shown.append(action)

    @property
    def now(self) -> Mapping[str, float]:
        """The hidden chances at this step."""
        return self.later if self.later and len(self.shown) >= self.changes_at else self.chances

    @property
    def score(self) -> int:
        """How many recommendations were liked."""
        return sum(self.liked)


@dataclass
class Bandit:
    """Guess each choice's chance from what was liked; mostly show the best guess, sometimes (`explore`) any choice.

    explore: share of turns that go to a random choice, 0 to 1. forget: None to average over all that ever happened; else
    how far a guess moves towards the newest result, 0 to 1, so that old results fade. `thought` holds the guesses.
    """

    explore: float = 0.1
    forget: float | None = None
    seed: int = 0
    thought: dict[str, float] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        self._dice = random.Random(f"agent {self.seed}")

    def __call__(self, percept: ReaderPercept) -> str:
        if percept.shown is not None:
            self._learn(percept.shown, percept.liked)
        return self._choose(percept.choices)

    def _learn(self, shown: str, liked: bool) -> None:
        self.tries[shown] = self.tries.get(shown, 0) + 1
        pace = 1 / self.tries[shown] if self.forget is None else self.forget
        guess = self.thought.get(shown, 0.0)
        self.thought[shown] = guess + pace * (liked - guess)

    def _choose(self, choices: Sequence[str]) -> str:
        if self._dice.random() < self.explore:
            return self._dice.choice(choices)
        return max(choices, key=lambda choice: self.thought.get(choice, 0.0))


class Optimist(Bandit):
    """Show the choice that could be best: its guess plus a bonus that shrinks with each try (the rule UCB1). No dice."""

    def _choose(self, choices: Sequence[str]) -> str:
        untried = [choice for choice in choices if choice not in self.tries]
        if untried:
            return untried[0]
        turns = sum(self.tries.values())
        return max(choices, key=lambda c: self.thought[c] + math.sqrt(2 * math.log(turns) / self.tries[c]))


def new_job() -> dict[str, float]:
    """Return the hours' chances after this person began to work early: 08:00 is bad now, 21:00 good."""
    return {"08:00": 0.10, "12:00": 0.35, "18:00": 0.40, "21:00": 0.75}


def mean_regret(
    world: Callable[[int], Reader], agent: Callable[[int], Bandit], steps: int, runs: int
) -> tuple[float, ...]:
    """Return the regret after each step, averaged over `runs` runs; `world` and `agent` make a new one from a seed.

    Regret counts what the best choice would have brought on average, less what the chosen one would; luck is out of it.
    Taught in notebook 01, section "Learning".
    """
    sums = [0.0] * steps
    for seed in range(runs):
        reader, act = world(seed), agent(seed)
        for number in range(steps):
            reader.step(act(reader.percept))
            sums[number] += reader.regret
    return tuple(total / runs for total in sums)
