"""Fit the weights of labkit/operate/injection_score.py, and write them to data/guard_weights.npz.

Learned from data/guard_training.toml, from the development half of the corpus, and from a book, which stands for prose; never from
the kept half. How much a known phrase counts, and where the threshold lies, is read from scores that each text got from weights
which had not seen it; for the phrases the development half says nothing, because they were written after looking at it.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.operate.guard_rates import corpus
from labkit.operate.injection import folded, found
from labkit.operate.injection_score import BUCKETS, LONGEST, features
from labkit.paths import data_dir, read_table

if TYPE_CHECKING:
    import numpy as np

__all__ = ["fit", "training_texts", "write"]

RIDGE, FOLDS, STEPS = 0.001, 10, 15
PASSAGES = 250
FALSE_ALARMS = 0.08  # of harmless texts not seen before, most of them chosen to be hard: where the threshold is set


def training_texts() -> list[tuple[str, bool, str]]:
    """Return (text, whether it is an attack, where it is from: "written" for this, "dev" or "book")."""
    table = read_table("guard_training.toml")
    written = [(text, label == "attack", "written") for label in ("attack", "benign") for text in table[label]]
    seen = [one for one in corpus("dev") if one.place in ("input", "tool result")]
    kinds = ("injection", "ordinary", "hard", "unicode")
    dev = [(one.text, one.label == "attack", "dev") for one in seen if one.kind in kinds]
    return written + dev + [(text, False, "book") for text in _passages()]


def _passages() -> list[str]:
    """Return passages of all lengths from the first half of the book: else whatever is longer would look like an attack."""
    book = folded((data_dir() / "text" / "moby_dick.txt").read_text(encoding="utf-8"))
    chance = random.Random(1851)
    starts = (chance.randrange(len(book) // 2) for _ in range(PASSAGES))
    return [book[start : start + chance.randint(30, LONGEST)] for start in starts]


def fit() -> dict[str, np.ndarray]:
    """Return what data/guard_weights.npz holds: weights (one a bucket, int8), scale, phrase, bias, threshold. Takes seconds."""
    import numpy as np

    texts = training_texts()
    rows = np.zeros((len(texts), BUCKETS))
    for number, (text, _, _) in enumerate(texts):
        here = features(folded(text))
        rows[number, here] = len(here) ** -0.5
    wanted = np.array([attack for _, attack, _ in texts], float)
    known = np.array([bool(found(text)) for text, _, _ in texts], float)
    fresh = np.array([source == "written" for *_, source in texts])
    hard = np.array([source != "book" and not attack for _, attack, source in texts])
    unseen, kernel = np.zeros(len(texts)), rows @ rows.T
    fold = np.array([random.Random(text).randrange(FOLDS) for text, _, _ in texts])
    for part in range(FOLDS):
        out = fold == part
        dual = _dual(kernel[np.ix_(~out, ~out)], wanted[~out])
        unseen[out] = (kernel[np.ix_(out, ~out)] + 1) @ dual
    stretch, phrase, shift = _logistic(np.c_[unseen, known][fresh], wanted[fresh])
    scores = stretch * unseen + phrase * known + shift
    dual = _dual(kernel, wanted)
    weights = stretch * (rows.T @ dual)
    scale = abs(weights).max() / 127
    return {
        "weights": np.round(weights / scale).astype(np.int8),
        "scale": np.float64(scale),
        "phrase": np.float64(phrase),
        "bias": np.float64(stretch * dual.sum() + shift),
        "threshold": np.float64(np.quantile(scores[hard], 1 - FALSE_ALARMS)),
    }


def write(learned: dict[str, np.ndarray], to: Path) -> None:
    """Write what `fit` returned."""
    import numpy as np

    np.savez_compressed(to, **learned)


def _dual(kernel: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return one weight a text: logistic regression with a ridge by Newton's steps; attacks and the rest count the same."""
    import numpy as np

    half = np.where(wanted == 1, 0.5 / wanted.sum(), 0.5 / (1 - wanted).sum())
    dual, kernel = np.zeros(len(wanted)), kernel + 1.0  # the constant is the bias
    for _ in range(STEPS):
        z = kernel @ dual
        p = 1 / (1 + np.exp(-z))
        curve = half * p * (1 - p) + 1e-12
        dual = np.linalg.solve(curve[:, None] * kernel + RIDGE * np.eye(len(z)), curve * z - half * (p - wanted))
    return dual


def _logistic(x: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return a weight for each column of `x`, and the bias."""
    import numpy as np

    a = np.c_[x, np.ones(len(x))]
    b = np.zeros(a.shape[1])
    half = np.where(wanted == 1, 0.5 / wanted.sum(), 0.5 / (1 - wanted).sum())
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-a @ b))
        step = (a * (half * p * (1 - p))[:, None]).T @ a + 1e-6 * np.eye(len(b))
        b = b - np.linalg.solve(step, a.T @ (half * (p - wanted)) + 1e-6 * b)
    return b
