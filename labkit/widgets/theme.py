"""One look for every plot: readable on light and dark pages, in greyscale, without a background of its own.

At work in notebook 00, section "Streaming".
"""

from __future__ import annotations

INK = "#808080"  # a grey with contrast on white and on JupyterLab's dark page alike
GRID = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)"}
COLOURS = ["#3b82c4", "#d97706", "#5a9e4b", "#a05195", "#7a7a7a"]  # differ in lightness too, for greyscale
ELSEWHERE = "sendChartToCloud"  # plotly's button that uploads a figure: what is measured here stays here


def quiet(figure, *, x: str = "", y: str = "", height: int = 320):
    """Return `figure` with the course's look; `x` and `y` are axis titles (with units), `height` is in pixels."""
    axis = {**GRID, "rangemode": "tozero"}
    figure.update_layout(
        template="none",
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": INK, "size": 13},
        colorway=COLOURS,
        modebar={"remove": [ELSEWHERE]},
        height=height,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        xaxis={**axis, "title": x},
        yaxis={**axis, "title": y},
    )
    return figure


def near_title(text: str) -> dict:
    """Return an axis title that stands near its axis, away from a legend below it."""
    return {"text": text, "standoff": 6, "font": {"size": 13}}
