"""The ladder as a figure: what a file's size buys. Size against loss, the speed as the size of the mark, and a twin in words.

    ladder_scene(rungs)                  # KL divergence from the reference, on a log axis
    frontier(rungs)                      # the rungs that no other beats in size, loss and speed at once

Taught in notebook 03, section "The ladder".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    from labkit.quantize import Rung

__all__ = ["frontier", "ladder_scene", "ladder_text"]

SMALLEST, WIDEST = 10, 34  # pixels of a mark, for the slowest and the fastest rung


def frontier(rungs: Sequence[Rung]) -> list[Rung]:
    """Return the rungs that no other beats: none is as small, as close to the reference and as fast, and better in one."""
    return [one for one in rungs if not any(_beats(other, one) for other in rungs)]


def ladder_scene(rungs: Sequence[Rung]) -> Scene:
    """Return the figure and its twin. Rungs without a score (no llama-cpp-python) stand in the text alone.

    The reference itself has no place on a log axis: the text names it.
    """
    import plotly.graph_objects as go

    shown = [one for one in rungs if one.score and one.score["kl"] > 0]
    best = frontier([one for one in rungs if one.score])
    speeds = [one.run.decode_speed.value for one in shown]
    figure = go.Figure()
    for name, symbol, group in (
        ("no other beats it", "circle", [one for one in shown if one in best]),
        ("another is better in every way", "x", [one for one in shown if one not in best]),
    ):
        figure.add_scatter(
            x=[one.size_bytes / 1e6 for one in group],
            y=[one.score["kl"] for one in group],
            error_y={"array": [1.96 * one.score["kl_error"] for one in group], "thickness": 1},
            mode="markers+text",
            text=[one.type for one in group],
            textposition="top center",
            textfont={"color": INK},
            marker={"symbol": symbol, "size": [_width(one, speeds) for one in group], "opacity": 0.75},
            marker_color=COLOURS[0] if symbol == "circle" else COLOURS[1],
            name=name,
        )
    quiet(figure, x="MB of the file", y="KL divergence from the reference, nats a token", height=420)
    figure.update_yaxes(type="log", rangemode="normal", dtick=1)
    figure.update_xaxes(rangemode="normal")
    figure.update_layout(legend={"orientation": "h", "y": 1.12, "itemsizing": "constant"})
    return Scene(plain(figure), ladder_text(rungs))


def ladder_text(rungs: Sequence[Rung]) -> str:
    """Return the rungs as a plain table, and which of them no other beats."""
    head = f"{'type':7} {'MB':>6} {'bits':>6} {'KL':>9} {'same top':>9} {'tokens/s':>9} {'right':>7}"
    lines = [head]
    for one in rungs:
        loss = (f"{one.score['kl']:.4f}", f"{one.score['same_top']:.1%}") if one.score else ("–", "–")
        right = one.run.task.right
        lines.append(
            f"{one.type:7} {one.size_bytes / 1e6:6.1f} {one.bits_per_weight:6.2f} {loss[0]:>9} {loss[1]:>9} "
            f"{one.run.decode_speed.value:9.1f} {f'{right.right}/{right.n}':>7}"
        )
    scored = [one for one in rungs if one.score]
    if scored:
        lines.append(f"No other beats: {', '.join(one.type for one in frontier(scored))}.")
    return "\n".join(lines)


def _beats(one: Rung, other: Rung) -> bool:
    a, b = _costs(one), _costs(other)
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


def _costs(one: Rung) -> tuple[float, float, float]:
    return one.size_bytes, one.score["kl"], -one.run.decode_speed.value


def _width(one: Rung, speeds: Sequence[float]) -> float:
    low, high = min(speeds), max(speeds)
    return SMALLEST + (WIDEST - SMALLEST) * (one.run.decode_speed.value - low) / (high - low or 1)
