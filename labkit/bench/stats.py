"""Summaries of a measurement: percentiles, how sure the median is, and the range over rounds.

Percentiles interpolate between the two neighbours, as numpy does by default, and so vLLM's `bench serve` and aiperf.

Taught in notebook 08, section "One engine after the other".
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["CURVE", "Range", "Spread", "median_interval", "over_rounds", "percentile", "spread"]

CURVE = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)  # the percentiles that a plot of a distribution needs


@dataclass(frozen=True)
class Spread:
    """How `n` values lie: mean, percentiles, and the 95 % interval of the median; nan where there are none.

    curve: the values at the percentiles of CURVE. All in the unit of the values.
    """

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    p50_low: float
    p50_high: float
    curve: tuple[float, ...]


@dataclass(frozen=True)
class Range:
    """One figure measured in several rounds: the median of the rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` (0 to 100) of `values` lie, interpolated; nan if there are none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    below, above = ordered[math.floor(at)], ordered[math.ceil(at)]
    return below + (above - below) * (at - math.floor(at))


def spread(values: Sequence[float]) -> Spread:
    """Return the Spread of `values`."""
    low, high = median_interval(values) if values else (math.nan, math.nan)
    return Spread(
        n=len(values),
        mean=statistics.fmean(values) if values else math.nan,
        p50=percentile(values, 50),
        p90=percentile(values, 90),
        p99=percentile(values, 99),
        p50_low=low,
        p50_high=high,
        curve=tuple(percentile(values, one) for one in CURVE),
    )


def over_rounds(values: Sequence[float]) -> Range:
    """Return median and range of one figure a round; rounds in which it could not be measured (nan) are left out."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return Range(math.nan, math.nan, math.nan)
    return Range(statistics.median(known), min(known), max(known))


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median by order statistics (no assumption on the distribution)."""
    ordered, n = sorted(values), len(values)
    half = 0.98 * n**0.5  # 1.96 * sqrt(n) / 2
    return ordered[max(0, int(n / 2 - half))], ordered[min(n - 1, int(n / 2 + half))]
