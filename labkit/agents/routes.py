"""A city with a river; a compass that only reacts, and planners that search a map.

Taught in notebook 01, section "Goals".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from labkit.agents.grid import MOVES, Square, direction, neighbours, read_plan
from labkit.agents.loop import known
from labkit.agents.search import Plan, shortest_path
from labkit.errors import CourseError

__all__ = ["CITY", "City", "CityPercept", "Planner", "Replanner", "city_blocks", "compass", "plan_route"]

CITY = """
......~.......
..##..~...##..
..##..=...##..
......~.......
S.....~......G
.#..#.~.#...#.
.#..#.~.#...#.
......~.......
.##.#.~..#.##.
......=.......
"""


class CityPercept(NamedTuple):
    """What a traveller senses: the square it is on, the goal, and which ways are free from here."""

    at: Square
    goal: Square
    free: tuple[str, ...]


@dataclass
class City:
    """A city of squares. Draw one with `City.drawn(plan)`: "#" house, "~" water, "=" bridge, "S" start, "G" goal.

    streets: where one can walk by the map. closed: squares that are on the map but cannot be entered today. at, goal: the
    traveller's square and where it wants to go. moves: tries so far, failed ones too.
    """

    streets: frozenset[Square]
    water: frozenset[Square]
    bridges: frozenset[Square]
    at: Square
    goal: Square
    closed: frozenset[Square] = frozenset()
    moves: int = 0
    visited: frozenset[Square] = frozenset()

    @classmethod
    def drawn(cls, plan: str = CITY, closed: frozenset[Square] | set[Square] = frozenset()) -> City:
        """Return the city that `plan` draws, with some squares `closed` that its map shows as open."""
        squares = dict(read_plan(plan))
        of = {mark: frozenset(s for s, m in squares.items() if m == mark) for mark in "#~=SG"}
        (start,), (goal,) = of["S"], of["G"]
        streets = frozenset(squares) - of["#"] - of["~"]
        return cls(streets, of["~"], of["="], start, goal, frozenset(closed), visited=of["S"])

    @property
    def percept(self) -> CityPercept:
        """Where the traveller is, and which ways are really free from there."""
        free = tuple(name for name, square in neighbours(self.at).items() if self._open(square))
        return CityPercept(self.at, self.goal, free)

    def step(self, action: str) -> None:
        """Go "right", "down", "left" or "up"; where it isn't free, the traveller stays. Raises CourseError for others."""
        there = neighbours(self.at)[known(action, MOVES)]
        self.moves += 1
        self.at = there if self._open(there) else self.at
        self.visited |= {self.at}

    def _open(self, square: Square) -> bool:
        return square in self.streets and square not in self.closed

    @property
    def score(self) -> float:
        """A hundred for arriving, less one for each move."""
        return 100 * self.done - self.moves

    @property
    def done(self) -> bool:
        """Whether the traveller is there."""
        return self.at == self.goal


def city_blocks(square: Square, goal: Square) -> int:
    """Return the moves between two squares if nothing stood in the way (the Manhattan distance)."""
    return abs(square[0] - goal[0]) + abs(square[1] - goal[1])


def compass(percept: CityPercept) -> str:
    """Take the free way that brings the traveller closest to the goal. A reflex: no map, no memory."""
    beside = neighbours(percept.at)
    return min(percept.free, key=lambda way: city_blocks(beside[way], percept.goal))


def plan_route(
    streets: frozenset[Square],
    start: Square,
    goal: Square,
    estimate: Callable[[Square, Square], float] = city_blocks,
) -> Plan:
    """Return a shortest route over `streets`; `estimate(square, goal)` guesses the moves to go (0: breadth-first).

    Taught in notebook 01, section "Goals".
    """

    def beside(square: Square) -> list[Square]:
        return [s for s in neighbours(square).values() if s in streets]

    return shortest_path(start, lambda s: s == goal, beside, lambda s: estimate(s, goal))


class Planner:
    """Plan once on the map, then follow the plan with closed eyes. `thought` is the rest of the plan.

    Raises CourseError when its map shows no way to the goal.
    """

    def __init__(self, streets: frozenset[Square]):
        self.streets, self.thought = streets, ()

    def __call__(self, percept: CityPercept) -> str:
        if not self.thought:
            self.thought = plan_route(self.streets, percept.at, percept.goal).path
        if not self.thought:
            raise CourseError(
                f"The map shows no way from {percept.at} to {percept.goal}", "every way is closed", "open one"
            )
        if percept.at in self.thought[:-1]:
            self.thought = self.thought[self.thought.index(percept.at) :]
        return direction(self.thought[0], self.thought[1])


class Replanner(Planner):
    """Follow a plan with open eyes: what turns out closed is struck off the map, and the plan is made again."""

    def __call__(self, percept: CityPercept) -> str:
        beside = neighbours(percept.at)
        wrong = {square for way, square in beside.items() if square in self.streets and way not in percept.free}
        if wrong:
            self.streets, self.thought = self.streets - wrong, ()
        return super().__call__(percept)
