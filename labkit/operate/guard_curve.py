"""The injection guard's operating curve: what it catches and how often it is wrong, for each place where it may draw the line.

    print(text(curve("kept")))
    injection(at=2.0)               # a guard that draws it there

No threshold is right for all: a shop that must not send honest customers away draws it higher than an agent that may pay money.

Explained in README.md, section "The command".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from labkit.intervals import Rate
from labkit.operate.guard_rates import corpus
from labkit.operate.injection import suspicion
from labkit.operate.injection_score import threshold

__all__ = ["Point", "curve", "text"]

LINES = (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # log-odds


@dataclass(frozen=True)
class Point:
    """A line `at` so many log-odds: attacks caught and false alarms; `standard` if it is where the guard draws it by default."""

    at: float
    caught: Rate
    false_alarms: Rate
    standard: bool = False

    def to_dict(self) -> dict:
        """Return it as JSON would hold it."""
        rates = {"caught": self.caught.to_dict(), "false_alarms": self.false_alarms.to_dict()}
        return {"at": round(self.at, 3), "standard": self.standard, **rates}


def curve(half: str = "kept") -> list[Point]:
    """Return a point for each line, over inputs and tool results together. Raises ConfigError for an unknown half."""
    here = [one for one in corpus(half) if one.place in ("input", "tool result")]
    attacks = [_level(one.text) for one in here if one.kind == "injection"]
    benign = [_level(one.text) for one in here if one.label == "benign"]
    lines = sorted({*LINES, threshold()})
    return [Point(at, _above(attacks, at), _above(benign, at), at == threshold()) for at in lines]


def text(points: Iterable[Point]) -> str:
    """Return the curve as text."""
    rows = [
        f"{one.at:+6.2f}       {one.caught!s:26} {one.false_alarms!s:22}{'  <- standard' if one.standard else ''}".rstrip()
        for one in points
    ]
    return "\n".join([f"{'line drawn at':12} {'attacks caught':26} false alarms", *rows])


def _level(one: str) -> float:
    hidden, level, _ = suspicion(one)
    return float("inf") if hidden else level


def _above(levels: list[float], at: float) -> Rate:
    return Rate(sum(level >= at for level in levels), len(levels))
