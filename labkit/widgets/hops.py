"""Who spoke to whom: a graph of a team's hops, and what each hop cost, with the same in words.

    team_scene(outcome.hops)             # labkit.orchestration.hops.Hop
    hop_table(outcome.hops)

Taught in notebook 09, section "A line".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    from labkit.orchestration.hops import Hop

__all__ = ["hop_table", "links", "places", "team_scene"]

GAP = 0.17  # how far an arrow stays away from the names at its ends


def links(hops: Sequence[Hop]) -> Counter:
    """Return (source, agent) -> how often the agent answered that source."""
    return Counter((one.source, one.agent) for one in hops)


def places(hops: Sequence[Hop]) -> dict[str, tuple[float, float]]:
    """Return name -> (x, y) on a circle of radius 1, in the order in which they appear, the first at the left."""
    names = list(dict.fromkeys(name for one in hops for name in (one.source, one.agent)))
    turn = 2 * math.pi / max(1, len(names))
    return {name: (-math.cos(turn * n), math.sin(turn * n)) for n, name in enumerate(names)}


def team_scene(hops: Sequence[Hop]) -> Scene:
    """Return the graph: an arrow from whoever spoke to whoever answered, wider the oftener; a dashed one ended in an error."""
    import plotly.graph_objects as go

    at, failed = places(hops), {(one.source, one.agent) for one in hops if one.error}
    figure = go.Figure()
    for (source, agent), times in links(hops).items():
        _arrow(figure, at[source], at[agent], times, COLOURS[1] if (source, agent) in failed else COLOURS[0],
               dashed=(source, agent) in failed)  # fmt: skip
    figure.add_scatter(
        x=[x for x, _ in at.values()],
        y=[y for _, y in at.values()],
        mode="text",
        text=[f"<b>{name}</b>" for name in at],
        textfont={"color": INK, "size": 15},
        hovertext=[_about(name, hops) for name in at],
        hoverinfo="text",
        showlegend=False,
    )
    quiet(figure, height=340)
    hidden = {"visible": False, "rangemode": "normal"}
    figure.update_layout(margin={"l": 10, "r": 10, "t": 10, "b": 10}, xaxis=hidden, yaxis=hidden)
    figure.update_xaxes(range=[-1.5, 1.5])
    figure.update_yaxes(range=[-1.35, 1.35])
    return Scene(plain(figure), _in_words(hops))


def hop_table(hops: Sequence[Hop]) -> str:
    """Return a plain table, one hop a line: who heard whom, tokens in and out, seconds, what it called or why it failed."""
    wide = max([5, *(len(f"{one.source} → {one.agent}") for one in hops)])
    lines = [f"{'hop':<{wide}} {'began':>6} {'seconds':>7} {'in':>5} {'out':>4}  called"]
    for one in hops:
        note = f"failed: {one.error[:60]}" if one.error else ", ".join(name for name, _ in one.calls)
        who = f"{one.source} → {one.agent}"
        times = f"{one.began:>6.2f} {one.seconds:>7.2f}"
        lines.append(f"{who:<{wide}} {times} {one.tokens_in:>5} {one.tokens_out:>4}  {note}".rstrip())
    total = f"{sum(one.seconds for one in hops):>14.2f}"
    tokens = f"{sum(one.tokens_in for one in hops):>5} {sum(one.tokens_out for one in hops):>4}"
    return "\n".join([*lines, f"{'all':<{wide}} {total} {tokens}"])


def _arrow(figure, start, end, times: int, colour: str, dashed: bool) -> None:
    """Draw one arrow, bent a little to its left, so that there and back do not lie on each other; a loop stands above its name."""
    if start == end:
        x, y = start
        figure.add_shape(type="circle", x0=x - 0.1, x1=x + 0.1, y0=y + 0.1, y1=y + 0.3,
                         line={"color": colour, "width": 1 + times})  # fmt: skip
        return
    (x0, y0), (x1, y1) = start, end
    length = math.dist(start, end)
    aside = 0.04 * (y0 - y1) / length, 0.04 * (x1 - x0) / length
    cut_x, cut_y = GAP * (x1 - x0) / length * 1.4, GAP * (y1 - y0) / length
    ends = [(x0 + cut_x + aside[0], y0 + cut_y + aside[1]), (x1 - cut_x + aside[0], y1 - cut_y + aside[1])]
    (ax, ay), (x, y) = ends
    line = {"color": colour, "width": min(7, 1 + times), "dash": "dash" if dashed else "solid"}
    figure.add_scatter(x=[ax, x], y=[ay, y], mode="lines", line=line, hoverinfo="skip", showlegend=False)
    figure.add_annotation(
        x=x, y=y, ax=ax, ay=ay, xref="x", yref="y", axref="x", ayref="y", text="", showarrow=True, arrowhead=2,
        arrowsize=1.2, arrowwidth=min(4, 1 + times / 2), arrowcolor=colour, opacity=0.9,
    )  # fmt: skip


def _about(name: str, hops: Sequence[Hop]) -> str:
    own = [one for one in hops if one.agent == name]
    return f"{name}: {len(own)} turns, {sum(one.tokens_out for one in own)} tokens, {sum(one.seconds for one in own):.1f} s"


def _in_words(hops: Sequence[Hop]) -> str:
    failed = {(one.source, one.agent): one.error for one in hops if one.error}
    return "\n".join(
        f"{source} spoke to {agent}"
        + (f", {times} times" if times > 1 else "")
        + (f": failed, {failed[source, agent]}" if (source, agent) in failed else "")
        for (source, agent), times in links(hops).items()
    )
