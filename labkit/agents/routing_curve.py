"""What a threshold buys: quality, share escalated and cost of a router, from answers that were measured once.

    tried = collect(items("kept"), small, big)
    for point in curve(tried, thresholds(tried)):
        print(point.threshold, point.right, point.escalated, point.seconds)

Every item is asked of both models once. Then the very Router of labkit.agents.hybrid runs over the stored answers at each
threshold, so what is drawn is what would be served; private requests stay here as well.

Taught in notebook 02, section "The curve".
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit.agents.hybrid import Answer, Answerer, Request, Router
from labkit.progress import Progress, silent

__all__ = ["Point", "Tried", "choose_threshold", "collect", "curve", "overhead_us", "thresholds"]

EVERYTHING = float("inf")


@dataclass(frozen=True)
class Tried:
    """One item: the request, its right label, and what each of the two models answered. A private one has no `big`."""

    request: Request
    right: str
    small: Answer
    big: Answer | None


@dataclass(frozen=True)
class Point:
    """A router at one threshold. right and escalated count among `n` items; seconds and cost are means of one item."""

    threshold: float
    right: int
    escalated: int
    n: int
    seconds: float
    cost: float

    @property
    def quality(self) -> float:
        """The share of right answers, 0 to 1."""
        return self.right / self.n

    @property
    def share(self) -> float:
        """The share of the items that the big model answered, 0 to 1."""
        return self.escalated / self.n


def collect(items: Sequence, small: Answerer, big: Answerer, progress: Progress = silent) -> list[Tried]:
    """Return both models' answers to each item (with `request` and `right`); a private request goes to the small one alone.

    progress(what, done, total) hears of each. Raises what the models raise.
    """
    # One model after the other: an engine remembers how the last prompts began, and theirs begin alike.
    asked = [(one, small if who == "small" else big) for who in ("small", "big") for one in items if _may(one, who)]
    answers = []
    for done, (one, ask) in enumerate(asked, 1):
        answers.append(ask(one.request))
        progress("asking", done, len(asked))
    later = iter(answers[len(items) :])
    pairs = zip(items, answers, strict=False)
    return [Tried(one.request, one.right, first, next(later) if _may(one, "big") else None) for one, first in pairs]


def thresholds(tried: Sequence[Tried], count: int = 8) -> list[float]:
    """Return `count` thresholds, from "never" (0) over the quantiles of the small model's confidences to "always" (infinity)."""
    sure = [one.small.confidence for one in tried if one.small.value is not None]
    middle = statistics.quantiles(sure, n=count - 1, method="inclusive") if count > 2 else []
    return sorted([0.0, *middle, EVERYTHING])


def curve(
    tried: Sequence[Tried],
    at: Sequence[float],
    price: Callable[[Answer, Answer | None], float] = lambda small, big: 0.0,
) -> list[Point]:
    """Return a Point for each threshold. price(small, big) is the cost of one item, in your own unit; big is None if not asked."""
    return [_point(tried, threshold, price) for threshold in at]


def choose_threshold(points: Sequence[Point], least_quality: float) -> Point | None:
    """Return the point with the smallest share escalated among those of at least that quality; None if there is none."""
    good = [one for one in points if one.quality >= least_quality]
    return min(good, key=lambda one: one.share, default=None)


def overhead_us(tried: Sequence[Tried], rounds: int = 200) -> float:
    """Return what the router itself takes a decision, in microseconds: the median over `rounds` runs on stored answers."""
    router = _stored(tried, statistics.median(one.small.confidence for one in tried))
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        for one in tried:
            router(one.request)
        times.append((time.perf_counter() - started) / len(tried))
    return statistics.median(times) * 1e6


def _may(one, who: str) -> bool:
    return who == "small" or not one.request.private


def _point(tried: Sequence[Tried], threshold: float, price) -> Point:
    router = _stored(tried, threshold)
    made = [router(one.request) for one in tried]
    right = sum(one.right == decision.value for one, decision in zip(tried, made, strict=True))
    cost = statistics.fmean(price(one.small, one.big) for one in made)
    seconds = statistics.fmean(one.seconds for one in made)
    return Point(threshold, right, sum(one.big is not None for one in made), len(made), seconds, cost)


def _stored(tried: Sequence[Tried], threshold: float) -> Router:
    answers = {one.request: one for one in tried}
    return Router(lambda asked: answers[asked].small, lambda asked: answers[asked].big, threshold)
