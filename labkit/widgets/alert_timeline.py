"""Alerts over time: when each was pending, when it fired, and when it ended.

    timeline_scene(monitor.alerts.events, until=time.monotonic())    # the figure with its text, for a notebook

Takes labkit.operate.alerts.Event; the row of an alert whose figure was merely not heard of ends in "no-data".

Taught in notebook 11, section "An engine dies".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from labkit.operate.alerts import Event

__all__ = ["Stretch", "stretches", "timeline_figure", "timeline_scene", "timeline_text"]

# Told by colour and by pattern, so greyscale will do.
LOOKS = {
    ("pending", "warning"): (COLOURS[0], "."), ("pending", "critical"): (COLOURS[1], "|"),
    ("firing", "warning"): (COLOURS[0], ""), ("firing", "critical"): (COLOURS[1], "/"),
}  # fmt: skip


@dataclass(frozen=True)
class Stretch:
    """One alert in one state: `begin` and `end` in seconds after the first event; `over` is False if it lasts.

    Taught in notebook 11, section "An engine dies".
    """

    alert: str
    state: str
    severity: str
    begin: float
    end: float
    over: bool
    text: str


def stretches(events: Iterable[Event], until: float | None = None) -> list[Stretch]:
    """Return how long each alert was pending and firing. until: now, on the events' clock; else the last event.

    Taught in notebook 11, section "An engine dies".
    """
    listed = list(events)
    if not listed:
        return []
    origin, last = listed[0].at, max(listed[-1].at, until if until is not None else listed[-1].at)
    found = []
    for number, event in enumerate(listed):
        if event.state not in ("pending", "firing"):
            continue
        following = next((one for one in listed[number + 1 :] if one.alert == event.alert), None)
        end = following.at if following else last
        found.append(
            Stretch(
                event.alert, event.state, event.severity, event.at - origin, end - origin, bool(following), event.text
            )
        )
    return found


def timeline_scene(events: Iterable[Event], until: float | None = None) -> Scene:
    """Return the figure of `timeline_figure` with its twin in words.

    Taught in notebook 11, section "An engine dies".
    """
    listed = list(events)
    return Scene(timeline_figure(listed, until), timeline_text(listed, until))


def timeline_text(events: Iterable[Event], until: float | None = None) -> str:
    """Return a line for each stretch of time: alert, state, from when to when, and what was seen.

    Taught in notebook 11, section "An engine dies".
    """
    lines = []
    for one in stretches(events, until):
        end = f"{one.end:8.1f} s" if one.over else "     now  "
        lines.append(f"{one.begin:8.1f} s to {end}  {one.severity:8}  {one.state:7}  {one.alert}: {one.text}")
    return "\n".join(lines) or "No alert was pending or firing."


def timeline_figure(events: Iterable[Event], until: float | None = None) -> go.Figure:
    """Return a plotly figure: a row an alert, in the order in which they were first heard of, and a bar a stretch.

    Taught in notebook 11, section "An engine dies".
    """
    import plotly.graph_objects as go

    figure, found = go.Figure(), stretches(events, until)
    rows = list(dict.fromkeys(one.alert for one in found))
    for (state, severity), (colour, pattern) in LOOKS.items():
        mine = [one for one in found if (one.state, one.severity) == (state, severity)]
        if mine:
            figure.add_bar(
                orientation="h",
                name=f"{state}, {severity}",
                y=[one.alert for one in mine],
                base=[one.begin for one in mine],
                x=[one.end - one.begin for one in mine],
                customdata=[one.text for one in mine],
                opacity=0.5 if state == "pending" else 1.0,
                marker={"color": colour, "pattern": {"shape": pattern}, "line": {"color": INK, "width": 1}},
                hovertemplate="%{y}: %{customdata}<extra></extra>",
            )
    quiet(figure, x="seconds since the first alert", height=150 + 30 * len(rows))
    figure.update_layout(
        barmode="overlay", showlegend=True, legend={"orientation": "h", "y": 1.0, "yanchor": "bottom"}, margin_t=40
    )
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1], automargin=True, showgrid=False, title="")
    return plain(figure)
