"""The routing curve as a figure: what the share of escalated requests buys in quality, with a twin in words.

    routing_scene(points)                # labkit.agents.routing_curve.Point

Taught in notebook 02, section "The curve".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.intervals import wilson
from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    from labkit.agents.routing_curve import Point

__all__ = ["routing_scene", "routing_text"]

SMALLEST, WIDEST = 9, 30  # pixels of a mark, for the cheapest and the dearest point


def routing_scene(points: Sequence[Point], unit: str = "s") -> Scene:
    """Return the figure and its twin. `unit`: what `cost` is counted in. A mark's size is its cost, its text the threshold."""
    import plotly.graph_objects as go

    low, high = zip(*(wilson(one.right, one.n) for one in points), strict=True)
    bars = {
        "array": [100 * (top - one.quality) for top, one in zip(high, points, strict=True)],
        "arrayminus": [100 * (one.quality - bottom) for bottom, one in zip(low, points, strict=True)],
    }
    figure = go.Figure()
    figure.add_scatter(
        x=[100 * one.share for one in points],
        y=[100 * one.quality for one in points],
        error_y={**bars, "thickness": 1, "color": "rgba(128,128,128,0.6)"},
        mode="lines+markers",
        line={"color": COLOURS[0], "dash": "dot", "width": 1},
        marker={"color": COLOURS[0], "size": _sizes(points), "opacity": 0.8},
        customdata=[[_threshold(one), f"{one.cost:.3g} {unit}"] for one in points],
        hovertemplate="threshold %{customdata[0]}: %{y:.0f} % right, %{x:.0f} % escalated, %{customdata[1]}<extra></extra>",
    )
    for one in (points[0], points[-1]):
        figure.add_annotation(x=100 * one.share, y=4, text=_threshold(one), showarrow=False, font_color=INK)
    quiet(figure, x="% of the requests escalated", y="% right, with 95 % interval", height=380)
    figure.update_yaxes(range=[0, 108])
    figure.update_xaxes(rangemode="normal", range=[-4, 104])
    return Scene(plain(figure), routing_text(points, unit))


def routing_text(points: Sequence[Point], unit: str = "s") -> str:
    """Return the points as a plain table: threshold, share escalated, quality with its interval, seconds and cost of one."""
    lines = [f"{'threshold':>9} {'escalated':>9} {'right':>7} {'95 %':>9} {'s each':>7} {'cost each':>12}"]
    for one in points:
        low, high = wilson(one.right, one.n)
        span = f"{100 * low:.0f}–{100 * high:.0f}"
        shares = f"{_threshold(one):>9} {one.share:>9.0%} {one.quality:>7.0%} {span:>9}"
        lines.append(f"{shares} {one.seconds:>7.2f} {f'{one.cost:.3g} {unit}':>12}")
    return "\n".join(lines)


def _threshold(one: Point) -> str:
    return "never" if one.threshold <= 0 else "always" if one.threshold == float("inf") else f"{one.threshold:.2f}"


def _sizes(points: Sequence[Point]) -> list[float]:
    costs = [one.cost for one in points]
    spread = max(costs) - min(costs) or 1
    return [SMALLEST + (WIDEST - SMALLEST) * (cost - min(costs)) / spread for cost in costs]
