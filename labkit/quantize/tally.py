"""How far a quantized model's next-token distributions are from the reference's: perplexity, KL divergence, same top token.

    tally = Tally()
    tally.add(logits, targets, reference)        # as often as there are rows; nothing is kept but sums
    tally.result()

numpy alone, so that it also runs in the child process that has no labkit (worker.py). The formulas are those of llama.cpp's
`llama-perplexity`: perplexity is exp of the mean negative log-likelihood, its error that of the mean, carried through exp.

At work in notebook 03, section "The ladder".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log-probabilities of logits, shape (rows, vocabulary), as float32; computed in float32 from the row's maximum."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, dtype=np.float64, keepdims=True)).astype(np.float32)


@dataclass
class Mean:
    """A running mean and the standard error of it."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, values: np.ndarray) -> None:
        """Take in a row of values."""
        values = np.asarray(values, dtype=np.float64)
        self.n += values.size
        self.total += float(values.sum())
        self.squares += float((values**2).sum())

    @property
    def mean(self) -> float:
        """The mean; nan of nothing."""
        return self.total / self.n if self.n else math.nan

    @property
    def error(self) -> float:
        """The standard error of the mean; nan of fewer than two values."""
        if self.n < 2:
            return math.nan
        return math.sqrt(max(self.squares / self.n - self.mean**2, 0.0) / (self.n - 1))


@dataclass
class Tally:
    """Sums over scored tokens. KL is from the reference to the model, in nats; both need the reference's log-probabilities."""

    nll: Mean = field(default_factory=Mean)
    kl: Mean = field(default_factory=Mean)
    same_top: Mean = field(default_factory=Mean)

    def add(self, logits: np.ndarray, targets: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
        """Score rows: logits (rows, vocabulary), the true next tokens (rows,), and the reference's log-probabilities.

        Return the rows' own log-probabilities, for whoever writes a reference.
        """
        own = log_softmax(logits)
        self.nll.add(-own[np.arange(len(targets)), targets])
        if reference is not None:
            self.kl.add((np.exp(reference) * (reference - own)).sum(axis=1, dtype=np.float64))
            self.same_top.add(own.argmax(axis=1) == reference.argmax(axis=1))
        return own

    def result(self) -> dict:
        """Return perplexity, KL divergence and same-top rate with their standard errors, and the count of tokens."""
        perplexity = math.exp(self.nll.mean)
        found = {"tokens": self.nll.n, "perplexity": perplexity, "perplexity_error": perplexity * self.nll.error}
        if self.kl.n:
            found |= {"kl": self.kl.mean, "kl_error": self.kl.error}
            found |= {"same_top": self.same_top.mean, "same_top_error": self.same_top.error}
        return found
