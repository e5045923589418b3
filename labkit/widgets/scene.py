"""A figure that one can watch, with the same content in words; and the play button and slider of all that move.

Taught in notebook 01, section "Reflex".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from labkit import paths
from labkit.widgets.theme import ELSEWHERE, INK

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["Scene", "animate", "plain"]

PANEL = "rgba(128,128,128,0.25)"
BUTTONS = ("zoom", "pan", "select", "lasso", "zoomIn", "zoomOut", "autoScale", "resetScale")


@dataclass(frozen=True)
class Scene:
    """A plotly `figure` and its twin in words, `text`; a notebook shows both, everything else the text."""

    figure: go.Figure
    text: str

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(self.figure)
        display(HTML(f"<details><summary>In words</summary><pre>{escape(self.text)}</pre></details>{self._keys()}"))

    def _keys(self) -> str:
        """Return what makes the buttons of a figure that moves work by keyboard."""
        return (paths.data_dir() / "figure_keys.html").read_text(encoding="utf-8") if self.figure.frames else ""

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def animate(
    figure: go.Figure, frames: Sequence[go.Frame], what: str, milliseconds: int = 200, start: int = 0
) -> go.Figure:
    """Return `figure` with `frames`, a slider that says "`what` 7", and buttons to play and to pause.

    Each frame's `name` is what the slider shows. milliseconds: how long a frame stays. start: which frame
    `figure` shows before anybody plays.
    """
    still = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"frame": {"duration": milliseconds, "redraw": True}, "transition": {"duration": 0}, "fromcurrent": True}
    figure.frames = list(frames)
    steps = [{"label": f.name, "method": "animate", "args": [[f.name], still]} for f in frames]
    slider = {
        "steps": steps, "active": start, "x": 0, "y": 0, "len": 1, "pad": {"t": 62, "l": 150, "r": 10},
        "bgcolor": PANEL, "bordercolor": PANEL, "activebgcolor": INK, "tickcolor": "rgba(0,0,0,0)", "ticklen": 0,
        "font": {"color": "rgba(0,0,0,0)", "size": 1},
        "currentvalue": {"prefix": f"{what} ", "xanchor": "right", "font": {"size": 14, "color": INK}},
    }  # fmt: skip
    both = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Pause", "method": "animate", "args": [[None], still]},
    ]
    menu = {
        "type": "buttons", "direction": "right", "buttons": both, "showactive": False, "x": 0, "y": 0, "pad": {"t": 70},
        "xanchor": "left", "yanchor": "top", "bgcolor": PANEL, "bordercolor": INK, "font": {"color": INK},
    }  # fmt: skip
    figure.update_layout(sliders=[slider], updatemenus=[menu])
    figure.update_layout(margin_b=figure.layout.margin.b + 80, height=figure.layout.height + 80)
    return plain(figure)


def plain(figure: go.Figure) -> go.Figure:
    """Return `figure` without zoom and its buttons, which would lie over the titles: here one looks and plays."""
    figure.update_layout(
        dragmode=False, modebar={"remove": [*BUTTONS, ELSEWHERE], "bgcolor": "rgba(0,0,0,0)", "color": INK}
    )
    figure.update_xaxes(fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return figure
