"""The scores are what their formulas say, computed here another way: float64, one row at a time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.quantize.tally import Mean, Tally, log_softmax


def rows(seed: int, n: int = 12, vocabulary: int = 50, spread: float = 3.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, spread, (n, vocabulary)).astype(np.float32)


def slowly(row) -> list[float]:
    top = max(row)
    total = math.fsum(math.exp(float(one) - float(top)) for one in row)
    return [float(one) - float(top) - math.log(total) for one in row]


def test_log_softmax_and_perplexity():
    logits, targets = rows(1), np.random.default_rng(2).integers(0, 50, 12)
    tally = Tally()
    own = tally.add(logits, targets)
    losses = [-slowly(row)[target] for row, target in zip(logits, targets, strict=True)]
    assert np.allclose(own, [slowly(row) for row in logits], atol=1e-5)
    found = tally.result()
    mean = math.fsum(losses) / 12
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in losses) / 12 / 11)
    assert found["perplexity"] == pytest.approx(math.exp(mean), rel=1e-5)
    assert found["perplexity_error"] == pytest.approx(math.exp(mean) * spread, rel=1e-3)
    assert found["tokens"] == 12 and "kl" not in found


def test_kl_is_from_the_reference_to_the_model():
    reference, model, targets = rows(3), rows(4), np.zeros(12, int)
    tally = Tally()
    tally.add(model, targets, log_softmax(reference))
    wanted = [
        math.fsum(math.exp(p) * (p - q) for p, q in zip(slowly(a), slowly(b), strict=True))
        for a, b in zip(reference, model, strict=True)
    ]
    assert tally.result()["kl"] == pytest.approx(math.fsum(wanted) / 12, rel=1e-4)
    assert tally.result()["same_top"] == np.mean(reference.argmax(1) == model.argmax(1))


def test_against_itself_it_is_zero_to_the_last_bit():
    logits, tally = rows(5), Tally()
    tally.add(logits, np.zeros(12, int), log_softmax(logits))
    assert tally.result()["kl"] == 0.0 and tally.result()["same_top"] == 1.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(0, 999), st.floats(0.01, 30))
def test_kl_is_never_below_zero(a, b, spread):
    tally = Tally()
    tally.add(rows(a, spread=spread), np.zeros(12, int), log_softmax(rows(b, spread=spread)))
    assert tally.result()["kl"] >= -1e-6


def test_pieces_add_up_to_the_whole():
    logits, reference, targets = rows(6), log_softmax(rows(7)), np.arange(12)
    whole, pieces = Tally(), Tally()
    whole.add(logits, targets, reference)
    for part in (slice(0, 5), slice(5, 12)):
        pieces.add(logits[part], targets[part], reference[part])
    assert pieces.result() == pytest.approx(whole.result())


def test_large_logits_do_not_overflow():
    assert np.isfinite(log_softmax(np.array([[1e4, -1e4, 0]], np.float32))).all()


def test_one_value_has_no_error():
    one = Mean()
    assert math.isnan(one.mean)
    one.add(np.array([2.0]))
    assert one.mean == 2.0 and math.isnan(one.error)
