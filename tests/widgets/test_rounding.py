"""The histogram shows the errors that rounding really makes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.widgets.rounding import rounded, rounding_scene


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 999), st.sampled_from([2, 3, 4, 8]))
def test_no_error_is_larger_than_half_a_step(seed, bits):
    matrix = np.random.default_rng(seed).normal(0, 1, (4, 64)).astype(np.float32)
    step = np.abs(matrix.reshape(-1, 32)).max(1) / (2 ** (bits - 1) - 1)
    error = np.abs(rounded(matrix, bits) - matrix).reshape(-1, 32).max(1)
    assert (error <= step / 2 * 1.0001).all()
    assert len(np.unique(np.round(rounded(matrix, bits)[0, :32] / step[0]))) <= 2**bits - 1


def test_zeros_stay_zeros():
    assert not rounded(np.zeros((2, 32), np.float32), 4).any()


def test_the_figure_and_its_twin():
    matrix = np.random.default_rng(1).normal(0, 0.1, (64, 64)).astype(np.float32)
    scene = rounding_scene(matrix, bits=(8, 4))
    eight, four = scene.figure.data
    assert (eight.name, four.name) == ("8 bits", "4 bits") and eight.line.dash != four.line.dash
    assert sum(eight.y) == pytest.approx(100, abs=0.5) and max(eight.y) > max(four.y)
    assert "8 bits: typical error" in scene.text and "0.1" in scene.text
