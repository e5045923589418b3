"""A quantity that is known within limits, for plans on paper: the limits are carried through to what comes out.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labkit.errors import ConfigError

__all__ = ["FIX", "Span"]

FIX = "labkit deploy capacity --help"


@dataclass(frozen=True)
class Span:
    """0 <= low <= middle <= high, in any unit; the ends may be infinite. Raises ConfigError for anything else."""

    low: float
    middle: float
    high: float

    def __post_init__(self):
        if not 0 <= self.low <= self.middle <= self.high:
            why = "a span is 0 <= low <= middle <= high"
            raise ConfigError(f"{self.low}, {self.middle}, {self.high} is no span.", why, FIX)

    @classmethod
    def of(cls, value: Span | float | str | Sequence[float]) -> Span:
        """Return the Span of a number, of (low, high), of (low, middle, high), or of a text such as "40:55:60".

        Raises ConfigError.
        """
        if isinstance(value, Span):
            return value
        parts = value.split(":") if isinstance(value, str) else value
        try:
            numbers = [float(one) for one in ([parts] if isinstance(parts, int | float) else parts)]
        except (ValueError, TypeError):
            numbers = []
        if not 1 <= len(numbers) <= 3:
            raise ConfigError(f"{value!r} is no number and no span.", "a span is LOW:MIDDLE:HIGH", FIX)
        low, high = numbers[0], numbers[-1]
        return cls(low, numbers[1] if len(numbers) == 3 else (low + high) / 2, high)
