"""How sure a counted share is: the Wilson score interval, for everything here that counts hits.

Taught in notebook 03, section "The ladder".
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

__all__ = ["Rate", "wilson"]

Z = 1.959964  # standard normal, 95 % between -Z and Z


@dataclass(frozen=True)
class Rate:
    """`hits` of `of`, with their share and its 95 % Wilson interval.

    Taught in notebook 04, section "Five rates".
    """

    hits: int
    of: int

    @property
    def share(self) -> float:
        """The share, 0 to 1; of nothing 0."""
        return self.hits / self.of if self.of else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The interval's two ends, 0 to 1."""
        return wilson(self.hits, self.of)

    @property
    def low(self) -> float:
        """The interval's lower end, 0 to 1."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """The interval's upper end, 0 to 1."""
        return self.interval[1]

    def __str__(self) -> str:
        share = f"{100 * self.share:.0f} %" if self.of else "-"
        return f"{self.hits}/{self.of} = {share} ({100 * self.low:.0f}-{100 * self.high:.0f})"

    def to_dict(self) -> dict:
        """Return it as JSON would hold it; the share of nothing is None there."""
        return {
            "hits": self.hits,
            "of": self.of,
            "share": self.share if self.of else None,
            "low": self.low,
            "high": self.high,
        }


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of `hits` of `of`, 0 to 1; of nothing, anything is possible: (0, 1)."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    # At the ends the interval reaches exactly 0 and 1; floats would stop a hair before.
    return middle - half if hits else 0.0, middle + half if hits < of else 1.0
