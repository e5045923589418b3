"""How sure a counted share is: the Wilson score interval, for everything here that counts hits."""

from __future__ import annotations

from math import sqrt

__all__ = ["wilson"]

Z = 1.959964  # standard normal, 95 % between -Z and Z


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of `hits` of `of`, 0 to 1; of nothing, anything is possible: (0, 1)."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / of + spread / (4 * of))
    # At the ends the interval reaches exactly 0 and 1; floats would stop a hair before.
    return middle - half if hits else 0.0, middle + half if hits < of else 1.0
