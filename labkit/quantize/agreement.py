"""How far the answers of one form of a model agree with those of another, counted over tokens.

    agreement(reference, others)        # lists of token ids, one list an answer, in the same order

Answers are greedy: each token is the likeliest after what stands before. So up to the first difference both forms were asked the
same question at every token, and that is what `next_token` counts. After it they speak of different things, and nothing is counted.

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from labkit.quantize.task import Share

__all__ = ["Agreement", "agreement"]


@dataclass(frozen=True)
class Agreement:
    """next_token: places at which both wrote the same, of those with the same beginning. same_answer: whole answers.

    parted_at: the place of the first different token (from 1), one for each answer that parts.
    """

    next_token: Share
    same_answer: Share
    parted_at: tuple[int, ...]

    @property
    def first_difference(self) -> float | None:
        """The median of `parted_at`; None if no answer parts."""
        return median(self.parted_at) if self.parted_at else None

    def to_dict(self) -> dict:
        """Return both shares with their 95 % Wilson intervals, and where answers part, ready for JSON."""
        shares = {"next_token": self.next_token.to_dict(), "same_answer": self.same_answer.to_dict()}
        return {**shares, "parted_at": list(self.parted_at), "first_difference": self.first_difference}


def agreement(reference: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> Agreement:
    """Return how far `others` agree with `reference`. Raises ValueError for lists of different lengths."""
    pairs = [(list(a), list(b)) for a, b in zip(reference, others, strict=True)]
    shared = [_shared(a, b) for a, b in pairs]
    parted = tuple(n + 1 for n, (a, b) in zip(shared, pairs, strict=True) if a != b)
    next_token = Share(sum(shared), sum(shared) + len(parted))
    return Agreement(next_token, Share(len(pairs) - len(parted), len(pairs)), parted)


def _shared(a: list[int], b: list[int]) -> int:
    """How many tokens both begin with."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
