"""A floor with furniture and dirt; vacuum cleaners without memory and with one.

Taught in notebook 01, section "Memory".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from labkit.agents.grid import MOVES, Square, direction, neighbours, read_plan
from labkit.agents.loop import known
from labkit.agents.search import shortest_path
from labkit.errors import CourseError

__all__ = ["FLAT", "Counter", "Floor", "FloorPercept", "Mapper", "Wanderer", "first_free", "least_visited"]

FLAT = """
*..#..*.
.#....#.
.##.@..*
*..*.#..
...#..*.
"""


class FloorPercept(NamedTuple):
    """What a vacuum senses: whether its square is dirty, and which directions are free. Not where it is."""

    dirty: bool
    free: tuple[str, ...]


@dataclass
class Floor:
    """A floor of squares. Draw one with `Floor.drawn(plan)`: "." clean, "*" dirty, "#" furniture, "@" the vacuum's place.

    at: where the vacuum is. moves, cleaned: what it has done so far. visited: where it has been. stopped: it switched
    itself off.
    """

    floor: frozenset[Square]
    dirt: frozenset[Square]
    at: Square
    moves: int = 0
    cleaned: int = 0
    visited: frozenset[Square] = frozenset()
    stopped: bool = False

    @classmethod
    def drawn(cls, plan: str = FLAT) -> Floor:
        """Return the floor that `plan` draws. Raises CourseError unless it has exactly one "@"."""
        squares = dict(read_plan(plan))
        places = [square for square, mark in squares.items() if mark == "@"]
        if len(places) != 1:
            raise CourseError("A plan needs one @, the vacuum's place", f"this one has {len(places)}", "draw one @")
        floor = frozenset(square for square, mark in squares.items() if mark != "#")
        dirt = frozenset(square for square, mark in squares.items() if mark == "*")
        return cls(floor, dirt, places[0], visited=frozenset(places))

    @property
    def percept(self) -> FloorPercept:
        """What is under the vacuum and beside it."""
        free = tuple(name for name, square in neighbours(self.at).items() if square in self.floor)
        return FloorPercept(self.at in self.dirt, free)

    def step(self, action: str) -> None:
        """ "suck", move "right", "down", "left" or "up" (into furniture: nothing happens), or "stop" for good."""
        known(action, ("suck", "stop", *MOVES))
        if action == "suck":
            self.cleaned += self.at in self.dirt
            self.dirt -= {self.at}
        elif action == "stop":
            self.stopped = True
        else:
            self.moves += 1
            there = neighbours(self.at)[action]
            self.at = there if there in self.floor else self.at
            self.visited |= {self.at}

    @property
    def score(self) -> float:
        """Ten for each square cleaned, less one for each move."""
        return 10 * self.cleaned - self.moves

    @property
    def done(self) -> bool:
        """True once the vacuum has switched itself off; a clean floor alone ends nothing, for the vacuum can't see it."""
        return self.stopped


def first_free(percept: FloorPercept) -> str:
    """Suck if it is dirty, else go the first way that is free: right, down, left, up. Remembers nothing."""
    return "suck" if percept.dirty else next(iter(percept.free), "stop")


class Wanderer:
    """Suck if it is dirty, else go any free way, by chance. Remembers nothing but its dice."""

    def __init__(self, seed: int = 0):
        self._dice = random.Random(seed)

    def __call__(self, percept: FloorPercept) -> str:
        return "suck" if percept.dirty else self._dice.choice(percept.free or ("stop",))


def least_visited(free: Mapping[str, Square], visits: Mapping[Square, int]) -> str:
    """Return the way to the square visited least. `free` maps a way to its square, `visits` a square to its count."""
    return min(free, key=lambda way: visits.get(free[way], 0))


class Counter:
    """Remember how often each square was visited, and let `choose` pick the way. It never knows when to stop.

    choose(free, visits) is as `least_visited`. `thought` is its memory: square → visits, counted from its start (0, 0).
    """

    def __init__(self, choose: Callable[[dict, dict], str] = least_visited):
        self.choose, self.at, self.thought = choose, (0, 0), {(0, 0): 1}

    def __call__(self, percept: FloorPercept) -> str:
        if percept.dirty or not percept.free:
            return "suck" if percept.dirty else "stop"
        beside = neighbours(self.at)
        way = self.choose({name: beside[name] for name in percept.free}, self.thought)
        self.at = beside[way]
        self.thought[self.at] = self.thought.get(self.at, 0) + 1
        return way


class Mapper:
    """Keep a map: squares visited, squares seen; go to the nearest one not visited yet, and stop when there is none.

    It counts its own steps from where it started, (0, 0): its sensors don't tell where it is. `thought` is the set of
    squares that it knows of and has not visited.
    """

    def __init__(self):
        self.at, self.visited, self.seen = (0, 0), set(), set()

    @property
    def thought(self) -> set[Square]:
        """Squares it knows of and still has to visit."""
        return self.seen - self.visited

    def __call__(self, percept: FloorPercept) -> str:
        self._remember(percept)
        if percept.dirty:
            return "suck"
        plan = shortest_path(self.at, lambda square: square not in self.visited, self._known_neighbours)
        if not plan:
            return "stop"
        way = direction(self.at, plan.path[1])
        self.at = plan.path[1]
        return way

    def _remember(self, percept: FloorPercept) -> None:
        self.visited.add(self.at)
        self.seen |= {self.at} | {neighbours(self.at)[way] for way in percept.free}

    def _known_neighbours(self, square: Square) -> list[Square]:
        return [s for s in neighbours(square).values() if s in self.seen]
