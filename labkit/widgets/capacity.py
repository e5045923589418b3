"""The plan on paper as a figure and in words: cost by requests a day, and the wait by how busy the devices are.

    capacity_card(Speed.of(level))          # sliders for every assumption, figure and table under them
    capacity_scene(Assumptions(speed))      # the figure with its text, for a page that is saved

Bands reach from the lowest to the highest that the assumptions allow. All figures come from labkit.deploy.capacity.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labkit.deploy.capacity import Assumptions, Capacity, Speed, capacity, erlang_c, table
from labkit.deploy.span import Span
from labkit.errors import ConfigError
from labkit.widgets.look import Card, escape, page, saved_note
from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, GRID, INK, near_title, quiet

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["CapacityCard", "capacity_card", "capacity_figure", "capacity_html", "capacity_scene", "capacity_text"]

PLOTLY = "application/vnd.plotly.v1+json"
BUSY = [n / 20 for n in range(1, 20)]  # utilisations of the second panel
STEPS = 24  # of a slider
DAYS = [10.0 ** (n / 2) for n in range(6, 17)]  # requests a day, 1e3 to 1e8


def capacity_scene(assumptions: Assumptions) -> Scene:
    """Return the figure of `capacity_figure` with its twin in words. Raises ConfigError as `capacity` does."""
    return Scene(capacity_figure(assumptions), capacity_text(capacity(assumptions)))


def capacity_text(found: Capacity) -> str:
    """Return the plan as tables, and in a sentence what it comes to."""
    return f"{_sentence(found)}\n\n{found.text()}"


def capacity_figure(assumptions: Assumptions) -> go.Figure:
    """Return a plotly figure of two panels: cost of 1,000 requests by requests a day, edge and cloud; mean wait by utilisation.

    The number of devices follows the requests, whatever `assumptions.devices` says: at least one.
    """
    from plotly.subplots import make_subplots

    titles = ("cost of 1,000 requests", "mean wait in line, s")
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.1)
    plans = [capacity(replace(assumptions, requests_per_day=Span.of(day), devices=None)) for day in DAYS]
    for number, (name, label, dash) in enumerate(
        (("edge_per_1000", "edge", "solid"), ("cloud_per_1000", "cloud", "dash"))
    ):
        _band(figure, 1, number, label, dash, DAYS, [one.results[name] for one in plans])
    service = plans[0].results["service_s"]
    _band(figure, 2, 2, "wait", "dot", BUSY, [_wait(assumptions, service, busy) for busy in BUSY])
    quiet(figure, height=380)
    figure.update_xaxes(type="log", title=near_title("requests a day"), dtick=1, **GRID, col=1)
    figure.update_yaxes(
        type="log", title=near_title(plans[0].prices.currency), dtick=1, rangemode="normal", **GRID, col=1
    )
    figure.update_xaxes(title=near_title("utilisation at the busiest time"), range=[0, 1], **GRID, col=2)
    figure.update_yaxes(rangemode="tozero", **GRID, col=2)
    figure.add_vline(x=assumptions.target, line={"dash": "longdash", "color": INK}, col=2, annotation_text="target")
    figure.update_annotations(font={"color": INK, "size": 13})
    figure.update_layout(margin_t=40, margin_b=90, legend={"orientation": "h", "y": -0.25, "yanchor": "top"})
    return plain(figure)


def capacity_html(found: Capacity) -> str:
    """Return the results as an HTML table, escaped, with the formula of each."""
    rows = "".join(
        f'<tr><th scope="row">{escape(name.replace("_", " "))}</th>'
        f"<td>{escape(_range(found.results[name]))} {escape(row['unit'].replace('money', found.prices.currency))}</td>"
        f'<td class="labkit-quiet" title="{escape(row["formula"])}">{escape(row["says"])}</td></tr>'
        for name, row in table()["result"].items()
    )
    return page(f'<p>{escape(_sentence(found))}</p><table class="labkit-wide"><tbody>{rows}</tbody></table>')


def capacity_card(speed: Speed, **assumptions: Any) -> CapacityCard:
    """Return sliders for every assumption, with the figure and the table under them, which follow.

    speed: measured. assumptions: where to begin, as for Assumptions. Raises ConfigError.
    """
    return CapacityCard(Assumptions(speed, **assumptions))


class CapacityCard(Card):
    """A slider with two ends for each assumption. `assumptions` and `found` (None where it is refused) are what holds now.

    Keyboard: Tab goes from slider to slider, arrows move its ends.
    """

    def __init__(self, assumptions: Assumptions):
        import ipywidgets

        self._begin, self.found, self._refusal = assumptions, None, ""
        style = {"layout": {"width": "calc(100% - 4px)", "max_width": "620px"}, "style": {"description_width": "150px"}}
        self._sliders = {
            name: _slider(row, name, getattr(assumptions, name), style) for name, row in table()["assume"].items()
        }
        self._figure, self._table = ipywidgets.Output(), ipywidgets.HTML()
        for slider in self._sliders.values():
            slider.observe(lambda _: self._show(), "value")
        self._show()
        self.view = ipywidgets.VBox([*self._sliders.values(), self._figure, self._table])

    @property
    def assumptions(self) -> Assumptions:
        """What the sliders say now. The middle of a span that was moved is the middle of its ends."""
        return replace(self._begin, **{name: self._span(name) for name in self._sliders})

    @property
    def html(self) -> str:
        """The results, as a page that stands alone."""
        return self._table.value + page(saved_note("to move the sliders"), style=False)

    @property
    def text(self) -> str:
        """The plan in words, or why there is none."""
        return capacity_text(self.found) if self.found else self._refusal

    def _span(self, name: str) -> Span:
        began, (low, high) = getattr(self._begin, name), self._sliders[name].value
        return began if (low, high) == (began.low, began.high) else Span.of((low, high))

    def _show(self) -> None:
        try:
            self.found, self._refusal = capacity(self.assumptions), ""
        except ConfigError as error:
            self.found, self._refusal = None, str(error)
            self._figure.outputs = ()
            self._table.value = page(f'<div class="labkit-failed" role="alert">{escape(str(error))}</div>')
            return
        data = {PLOTLY: json.loads(capacity_figure(self.assumptions).to_json()), "text/plain": self.text}
        self._figure.outputs = ({"output_type": "display_data", "data": data, "metadata": {}},)
        self._table.value = capacity_html(self.found)


def _slider(row: dict[str, Any], name: str, span: Span, style: dict) -> Any:
    """A slider over nice steps between `least` and `most`, and the ends that it begins with."""
    import ipywidgets

    least, most = row["least"], row["most"]
    if row.get("log"):
        steps = [float(f"{least * (most / least) ** (n / STEPS):.2g}") for n in range(STEPS + 1)]
    else:
        steps = [float(f"{least + (most - least) * n / STEPS:.3g}") for n in range(STEPS + 1)]
    values = sorted({*steps, span.low, span.high})
    options = [(f"{value:,.6g}", value) for value in values]
    said = f"{row['says']}, {row['unit']}"
    ends = {"value": (span.low, span.high), "description": name.replace("_", " "), "tooltip": said}
    return ipywidgets.SelectionRangeSlider(options=options, **ends, **style, continuous_update=False)


def _wait(assumptions: Assumptions, service: Span, busy: float) -> Span:
    """The mean wait at a utilisation: the formula of data/capacity.toml, at each end of the service time."""
    places = assumptions.speed.concurrency
    share = erlang_c(places, busy * places) / (places * (1 - busy)) * (1 + assumptions.variation) / 2
    return Span(share * service.low, share * service.middle, share * service.high)


def _band(figure: go.Figure, column: int, number: int, name: str, dash: str, x: list[float], spans: list[Span]) -> None:
    """A line through the middles, and the band from lowest to highest behind it."""
    colour, place = COLOURS[number], {"row": 1, "col": column}
    edges = {"mode": "lines", "line": {"width": 0}, "showlegend": False, "hoverinfo": "skip", **place}
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    figure.add_scatter(x=x, y=[one.high for one in spans], **edges)
    figure.add_scatter(
        x=x, y=[one.low for one in spans], fill="tonexty", fillcolor=f"rgba({red},{green},{blue},0.2)", **edges
    )
    line = {"color": colour, "dash": dash}
    figure.add_scatter(x=x, y=[one.middle for one in spans], mode="lines", name=name, line=line, **place)


def _sentence(found: Capacity) -> str:
    results = found.results
    devices, busy = results["devices"], results["utilisation"]
    pays = results["break_even_per_day"].middle <= found.assumptions.requests_per_day.middle
    cost = f"{results['edge_per_1000'].middle:.3g} {found.prices.currency} for 1,000 requests"
    beside = f"beside {results['cloud_per_1000'].middle:.3g} in the cloud alone"
    return (
        f"{_range(devices)} devices, busy to {busy.middle:.0%} at the busiest time, mean wait {_range(results['wait_s'])} s; "
        f"{cost}, {beside}: {'it pays' if pays else 'it does not pay'} at the middle of the assumptions."
    )


def _range(span: Span) -> str:
    low, middle, high = (
        "never" if one == float("inf") else f"{one:,.4g}" for one in (span.low, span.middle, span.high)
    )
    return middle if low == high else f"{middle} [{low}, {high}]"
