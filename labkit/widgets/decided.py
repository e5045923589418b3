"""Who decided a request, and how long it took: one mark a request, those that words settled beside those that the model read.

    decided_scene(scored)                  # what labkit.applications.measures.load returned

Taught in notebook 13, section "A first agent".
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from labkit.applications.measures import Scored
from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import quiet

__all__ = ["decided_scene"]

SIGNS = {True: "circle", False: "x"}
NAMES = {"rule": "words and types", "model": "the model"}


def decided_scene(scored: Sequence[Scored]) -> Scene:
    """Return seconds (logarithmic) by who decided, a cross for what was wrong; the twin has a line a request."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for right in (True, False):
        these = [one for one in scored if one.right is right]
        figure.add_scatter(
            x=[one.answered.seconds for one in these],
            y=[NAMES[one.answered.by] for one in these],
            text=[one.item.text for one in these],
            mode="markers",
            name="right" if right else "wrong",
            marker={"symbol": SIGNS[right], "size": 10, "opacity": 0.7},
        )
    quiet(figure, x="seconds", height=220)
    figure.update_xaxes(type="log")
    figure.update_yaxes(categoryorder="array", categoryarray=list(NAMES.values()), automargin=True)
    return Scene(plain(figure), "\n".join([*_medians(scored), *map(_line, scored)]))


def _medians(scored: Sequence[Scored]) -> list[str]:
    by = {name: [one.answered.seconds for one in scored if one.answered.by == who] for who, name in NAMES.items()}
    return [f"{name}: {len(took)} requests, {median(took):.3f} s in the median" for name, took in by.items() if took]


def _line(one: Scored) -> str:
    mark = "right" if one.right else "WRONG"
    return f"{mark} {one.answered.by:6}{one.answered.outcome:12}{one.answered.seconds:7.3f} s  {one.item.text}"
