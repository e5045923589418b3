"""Squares, directions and plans of a floor drawn as text: what the worlds on a grid share.

Taught in notebook 01, section "Goals".
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["MOVES", "Square", "direction", "neighbours", "read_plan", "reachable"]

Square = tuple[int, int]  # (column, row), counted from the upper left

MOVES: dict[str, Square] = {"right": (1, 0), "down": (0, 1), "left": (-1, 0), "up": (0, -1)}


def neighbours(square: Square) -> dict[str, Square]:
    """Return direction → square for the four squares beside `square`, on the floor or not."""
    x, y = square
    return {name: (x + dx, y + dy) for name, (dx, dy) in MOVES.items()}


def direction(here: Square, there: Square) -> str:
    """Return the direction from `here` to the square `there` beside it."""
    return next(name for name, square in neighbours(here).items() if square == there)


def read_plan(plan: str) -> Iterator[tuple[Square, str]]:
    """Yield (square, character) for each character of a plan drawn as lines of text."""
    for y, line in enumerate(plan.strip().splitlines()):
        for x, character in enumerate(line.strip()):
            yield (x, y), character


def reachable(start: Square, floor: frozenset[Square]) -> set[Square]:
    """Return the squares of `floor` that can be walked to from `start`."""
    seen, todo = {start}, [start]
    while todo:
        for square in neighbours(todo.pop()).values():
            if square in floor and square not in seen:
                seen.add(square)
                todo.append(square)
    return seen
