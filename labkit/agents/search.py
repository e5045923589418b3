"""Find a shortest path: breadth-first without an estimate, A* with one.

Taught in notebook 01, section "Goals".
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import count

__all__ = ["Plan", "shortest_path"]


@dataclass(frozen=True)
class Plan:
    """A path from start to goal, both included (empty if there is none), and the states `looked_at` to find it."""

    path: tuple
    looked_at: tuple

    def __bool__(self) -> bool:
        return bool(self.path)


def shortest_path(
    start: Hashable,
    is_goal: Callable[[Hashable], bool],
    neighbours: Callable[[Hashable], Iterable[Hashable]],
    estimate: Callable[[Hashable], float] = lambda state: 0,
) -> Plan:
    """Return a shortest path from `start` to a state for which `is_goal` holds; every step costs 1.

    `estimate(state)` guesses the steps that are still to go. If it never says too much, the path is a shortest one; the
    better it guesses, the fewer states are looked at. The default, 0, makes this breadth-first search. Taught in notebook
    01, section "Goals".
    """
    order, came_from, cost, looked_at = count(), {start: None}, {start: 0}, {}
    todo = [(estimate(start), 0, next(order), start)]  # among equals the one furthest along, then the oldest
    while todo:
        state = heapq.heappop(todo)[-1]
        if state in looked_at:
            continue
        looked_at[state] = None
        if is_goal(state):
            return Plan(_walk_back(state, came_from), tuple(looked_at))
        for following in neighbours(state):
            steps = cost[state] + 1
            if steps < cost.get(following, float("inf")):
                came_from[following], cost[following] = state, steps
                looked_at.pop(following, None)  # an estimate that is not consistent may reach a state too late at first
                heapq.heappush(todo, (steps + estimate(following), -steps, next(order), following))
    return Plan((), tuple(looked_at))


def _walk_back(state: Hashable, came_from: dict) -> tuple:
    path = []
    while state is not None:
        path.append(state)
        state = came_from[state]
    return tuple(reversed(path))
