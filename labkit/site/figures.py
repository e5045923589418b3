"""Plotly figures as still pictures: drawn by the page itself, without controls, and named for whoever does not see them.

An animation is shown as it ends; the text beside it in the lesson says the same in words.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["described", "still", "still_figures"]

PLOTLY = "application/vnd.plotly.v1+json"
HEIGHT_PX = 320
MARKS = re.compile(r"</?(?:b|i|br|sub|sup|span)[^>]*>")


def still_figures(nb: NotebookNode) -> int:
    """Give each plotly figure in the notebook's outputs an HTML form; return how many there are."""
    outputs = [output.data for cell in nb.cells for output in cell.get("outputs", []) if "data" in output]
    figures = [data for data in outputs if PLOTLY in data]
    for data in figures:
        data["text/html"] = _html(still(data[PLOTLY]))
    return len(figures)


def still(figure: dict) -> dict:
    """Return `data` and `layout` of a figure as its last frame leaves them, without buttons and sliders."""
    data, layout = [dict(trace) for trace in figure["data"]], dict(figure.get("layout", {}))
    if frames := figure.get("frames"):
        last = frames[-1]
        changed = last.get("traces") or range(len(last.get("data", [])))
        for i, trace in zip(changed, last.get("data", []), strict=False):
            data[i] |= trace
        layout |= last.get("layout", {})
    for control in ("updatemenus", "sliders", "width"):
        layout.pop(control, None)
    return {"data": data, "layout": layout}


def described(figure: dict) -> str:
    """Return what a figure shows in one sentence: its title, its axes and the names of its traces, else the words in it."""
    layout, traces = figure["layout"], figure["data"]
    axes = _once(_words(layout[name].get("title")) for name in sorted(layout) if name[1:5] == "axis")
    said = [_words(layout.get("title")), f"axes: {axes}" if axes else "", _once(trace.get("name") for trace in traces)]
    inside = _once(text for trace in traces for text in _texts(trace.get("text")))
    return "; ".join(["Figure", *filter(None, said if any(said) else [inside])])


def _once(texts: Iterable[str | None]) -> str:
    """Return each text that says something once, without the marks that plotly knows."""
    return ", ".join(dict.fromkeys(MARKS.sub("", text) for text in texts if text))


def _texts(text: str | list | None) -> list[str]:
    return [text] if isinstance(text, str) else [one for one in text or [] if isinstance(one, str)]


def _words(title: dict | str | None) -> str:
    return (title or "") if not isinstance(title, dict) else title.get("text") or ""


def _html(figure: dict) -> str:
    height = figure["layout"].get("height", HEIGHT_PX)
    inside = json.dumps(figure).replace("<", "\\u003c")  # a "</script>" in a label must not end ours
    label = escape(described(figure), quote=True)
    return (
        f'<div class="plot" role="img" aria-label="{label}" style="height: {height}px">'
        f'<script type="application/json">{inside}</script><noscript>{label}</noscript></div>'
    )
