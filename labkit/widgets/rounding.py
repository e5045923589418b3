"""What rounding does to a matrix: the errors of all its weights, as a histogram, with a twin in words.

Taught in notebook 03, section "By hand".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, quiet

__all__ = ["rounded", "rounding_scene"]

BLOCK, BINS = 32, 61


def rounded(matrix: np.ndarray, bits: int, block: int = BLOCK) -> np.ndarray:
    """Return `matrix` after rounding to `bits` bits: each block of a row has one scale, its largest weight over 2^(bits-1) - 1.

    matrix: (rows, columns), float; columns must be a multiple of `block`.
    """
    blocks = matrix.reshape(-1, block)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    steps = np.round(np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0))
    return (steps * scales).reshape(matrix.shape)


def rounding_scene(matrix: np.ndarray, bits: Sequence[int] = (8, 4)) -> Scene:
    """Return the figure of the errors of `matrix` at each number of bits, and its twin: root mean square and largest."""
    import plotly.graph_objects as go

    errors = {n: (rounded(matrix, n) - matrix).ravel() for n in bits}
    limit = max(float(np.quantile(np.abs(one), 0.999)) for one in errors.values())
    edges = np.linspace(-limit, limit, BINS + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    figure = go.Figure()
    for colour, dash, (n, error) in zip(COLOURS, ("solid", "dash", "dot", "dashdot"), errors.items(), strict=False):
        share = np.histogram(error, edges)[0] / error.size * 100
        figure.add_scatter(
            x=middle, y=share, mode="lines", name=f"{n} bits", line={"color": colour, "dash": dash, "shape": "hvh"}
        )
    quiet(figure, x="error of a weight", y="% of the weights")
    figure.update_xaxes(rangemode="normal")
    typical = float(np.sqrt((matrix.astype(np.float64) ** 2).mean()))
    lines = [f"A typical weight is {typical:.4f} (root mean square)."]
    lines += [
        f"{n} bits: typical error {float(np.sqrt((error.astype(np.float64) ** 2).mean())):.5f}, largest {np.abs(error).max():.5f}"
        for n, error in errors.items()
    ]
    return Scene(plain(figure), "\n".join(lines))
