"""Two figures of notebook 00: when each piece of an answer came, and what asking at once gains.

Taught in notebook 00, sections "Streaming" and "How fast is it".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labkit.widgets.theme import quiet


def arrivals_figure(started: float, arrivals: Sequence[float]):
    """Return a plotly figure: pieces so far (y) over seconds since `started` (x).

    `started` and `arrivals` are times in seconds on one clock. Taught in notebook 00, section "Streaming".
    """
    import plotly.graph_objects as go

    seconds = [0.0, *(moment - started for moment in arrivals)]
    line = go.Scatter(x=seconds, y=list(range(len(seconds))), mode="lines+markers", line_shape="hv", marker_size=5)
    figure = quiet(go.Figure(line), x="seconds since the question", y="pieces so far")
    if arrivals:
        wait = seconds[1]
        figure.add_vrect(x0=0, x1=wait, opacity=0.15, fillcolor="gray", line_width=0)
        figure.add_annotation(x=wait / 2, y=len(arrivals), text="reading", showarrow=False)
    return figure


def concurrency_figure(rates: Mapping[int, float]):
    """Return a plotly figure: tokens a second in all, and for each person, by how many ask at once (the keys).

    Taught in notebook 00, section "How fast is it".
    """
    import plotly.graph_objects as go

    people = list(rates)
    each = [rates[n] / n for n in people]
    figure = go.Figure(
        [
            go.Scatter(x=people, y=list(rates.values()), mode="lines+markers", name="in all", marker_symbol="circle"),
            go.Scatter(
                x=people, y=each, mode="lines+markers", name="for each", marker_symbol="square", line_dash="dot"
            ),
        ]
    )
    figure.update_xaxes(tickvals=people)
    return quiet(figure, x="people at once", y="tokens a second")
