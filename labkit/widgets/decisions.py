"""See why an agent decides as it does: outcomes weighed, guesses that grow, a model's choices beside a rule's.

Every function returns a `Scene`: a figure and its twin in words. Taught in notebook 01, sections "Utility", "Learning" and
"A small model inside".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, animate, plain
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    from labkit.agents import History

__all__ = ["choices_scene", "decision_map", "earnings_scene", "guesses_scene", "regret_scene", "worth_scene"]

DASHES = ["solid", "dash", "dot", "dashdot"]
BLUE, ORANGE = COLOURS[0], COLOURS[1]


# -- utility ------------------------------------------------------------------------------------------------------------


def decision_map(utility: Callable[[float, float, float], float], late_fees: Sequence[float]) -> Scene:
    """Return which road has the higher expected utility, by minutes left and chance of a jam; a frame is a late fee.

    utility(minutes, minutes_left, late_fee) is what an outcome is worth. Taught in notebook 01, section "Utility".
    """
    import plotly.graph_objects as go

    left, chance = list(range(10, 61, 2)), [round(0.02 * n, 2) for n in range(36)]
    grids = {fee: _roads(partial(utility, late_fee=fee), left, chance) for fee in late_fees}

    def chart(fee: float) -> go.Heatmap:
        scale = [[0, "rgba(59,130,196,0.25)"], [1, "rgba(217,119,6,0.85)"]]
        return go.Heatmap(x=left, y=chance, z=grids[fee], zmin=0, zmax=1, colorscale=scale, showscale=False)

    frames = [go.Frame(name=f"{fee:g}", data=[chart(fee)]) for fee in late_fees]
    figure = quiet(go.Figure(chart(late_fees[0])), x="minutes left", y="chance of a jam", height=330)
    figure.update_layout(margin={"t": 50})
    figure.update_xaxes(range=[9, 61])
    labels = [(0.98, "side streets", "right", ORANGE), (0.02, "motorway", "left", BLUE)]
    for x, text, anchor, colour in labels:  # the words in ink: those colours are too pale to read on a white page
        mark = f'<span style="color:{colour}">■</span>'
        figure.add_annotation(
            x=x, y=1.14, xref="paper", yref="paper", text=f"{mark} {text}", font_color=INK,
            xanchor=anchor, showarrow=False,
        )  # fmt: skip
    shares = {fee: sum(map(sum, grid)) / (len(left) * len(chance)) for fee, grid in grids.items()}
    text = "\n".join(
        f"late fee {fee:g} euros a minute: side streets in {s:.0%} of the map" for fee, s in shares.items()
    )
    return Scene(animate(figure, frames, "euros for each minute late:", 500), text)


def _roads(utility: Callable[[float, float], float], left: Sequence[float], chance: Sequence[float]) -> list[list[int]]:
    from labkit.agents.delivery import MOTORWAY, SIDE_STREETS, Trip, expected

    return [
        [int(expected(SIDE_STREETS, Trip(m, p), utility) > expected(MOTORWAY, Trip(m, p), utility)) for m in left]
        for p in chance
    ]


def earnings_scene(histories: Mapping[str, History]) -> Scene:
    """Return the euros that each agent has earned, trip by trip. Taught in notebook 01, section "Utility"."""
    sums = {name: [0.0, *accumulate(history.last.earned)] for name, history in histories.items()}
    lines = [
        f"{n}: {sums[n][-1]:.0f} euros, {h.last.late} of {len(h.steps)} parcels late" for n, h in histories.items()
    ]
    return Scene(_growing(sums, "trips", "euros", every=2), "\n".join(lines))


def _growing(curves: Mapping[str, Sequence[float]], x: str, y: str, every: int):
    """Return lines that grow from left to right, a frame each `every` points."""
    import plotly.graph_objects as go

    longest = max(map(len, curves.values()))

    def lines(end: int) -> list:
        return [
            go.Scatter(
                x=list(range(end)), y=[round(v, 2) for v in curve[:end]], name=name, line={"dash": dash, "width": 2}
            )
            for (name, curve), dash in zip(curves.items(), DASHES, strict=False)
        ]

    frames = [go.Frame(name=str(end - 1), data=lines(end)) for end in [*range(2, longest, every), longest]]
    figure = quiet(go.Figure(lines(longest)), x=x, y=y)
    figure.update_xaxes(range=[0, longest - 1])
    figure.update_yaxes(range=[min(0, *map(min, curves.values())), 1.05 * max(map(max, curves.values()))])
    figure.update_layout(legend={"x": 0.02, "y": 0.98})
    return animate(figure, frames, x, start=len(frames) - 1)


# -- learning -----------------------------------------------------------------------------------------------------------


def guesses_scene(history: History, every: int = 3) -> Scene:
    """Return a learner's guess for each choice (bars) beside the hidden truth (lines); a frame is `every` turns.

    Taught in notebook 01, section "Learning".
    """
    import plotly.graph_objects as go

    choices = list(history.last.chances)
    turns = range(1, len(history.steps), every)
    frames = [go.Frame(name=str(n), data=_guesses(history, n, choices), traces=[0]) for n in turns]
    truth = go.Scatter(
        x=choices, y=[history.last.now[c] for c in choices], mode="markers", name="hidden truth",
        marker={"symbol": "line-ew", "size": 46, "line": {"width": 4, "color": ORANGE}},
    )  # fmt: skip
    figure = quiet(go.Figure([*_guesses(history, turns[-1], choices), truth]), y="chance of being liked")
    figure.update_yaxes(range=[0, 1.15], tickvals=[0, 0.25, 0.5, 0.75, 1])
    figure.update_layout(legend={"x": 1, "y": 1.15, "xanchor": "right", "orientation": "h"})
    shown, guess = history.last.shown, history.steps[-1].thought
    lines = [
        f"{c}: shown {shown.count(c)} times, guess {guess.get(c, 0):.2f}, truth {history.last.now[c]:.2f}"
        for c in choices
    ]
    return Scene(animate(figure, frames, "turn", start=len(frames) - 1), "\n".join(lines))


def _guesses(history: History, turn: int, choices: Sequence[str]) -> list:
    import plotly.graph_objects as go

    guess, shown = history.steps[turn].thought, history.last.shown[:turn]
    text = [f"shown {shown.count(choice)}×" for choice in choices]
    heights = [round(guess.get(choice, 0.0), 3) for choice in choices]
    return [go.Bar(x=choices, y=heights, text=text, textposition="outside", name="its guess", marker_color=BLUE)]


def regret_scene(curves: Mapping[str, Sequence[float]]) -> Scene:
    """Return what each agent has missed so far, turn by turn, averaged over runs; lower is better.

    Taught in notebook 01, section "Learning".
    """
    import plotly.graph_objects as go

    lines = [f"{name}: has missed {curve[-1]:.0f} likes after {len(curve)} turns" for name, curve in curves.items()]
    figure = quiet(go.Figure(), x="turns", y="likes missed, on average")
    for (name, curve), dash in zip(curves.items(), DASHES, strict=False):
        turns = list(range(0, len(curve), max(1, len(curve) // 60)))
        y = [round(curve[turn], 2) for turn in turns]
        figure.add_trace(go.Scatter(x=[turn + 1 for turn in turns], y=y, name=name, line={"dash": dash, "width": 2}))
    figure.update_layout(legend={"x": 0.02, "y": 0.98})
    return Scene(plain(figure), "\n".join(lines))


# -- a model inside -----------------------------------------------------------------------------------------------------


def choices_scene(temperatures: Sequence[float], decisions: Mapping[str, Sequence[str]]) -> Scene:
    """Return what each agent chose at each temperature: a filled mark is "on", an empty one "off".

    Taught in notebook 01, section "A small model inside".
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for (name, chosen), colour in zip(decisions.items(), COLOURS, strict=False):
        symbols = ["square" if one == "on" else "square-open" for one in chosen]
        marker = {"symbol": symbols, "size": 20, "color": colour, "line": {"width": 2, "color": colour}}
        figure.add_trace(go.Scatter(
            x=list(temperatures), y=[name] * len(chosen), mode="markers+text", text=list(chosen), marker=marker,
            textposition="bottom center", textfont={"color": INK, "size": 12}, showlegend=False,
        ))  # fmt: skip
    quiet(figure, x="degrees", height=110 + 70 * len(decisions))
    figure.update_xaxes(dtick=1, rangemode="normal")
    figure.update_yaxes(type="category", range=[len(decisions) - 0.3, -0.6], showgrid=False)
    figure.update_layout(margin={"l": 110})
    text = [
        f"{name}: " + ", ".join(f"{t:g} {c}" for t, c in zip(temperatures, d, strict=True))
        for name, d in decisions.items()
    ]
    return Scene(plain(figure), "\n".join(text))


def worth_scene(results: Mapping[str, tuple[float, float]], chance: float) -> Scene:
    """Return name → (seconds for one decision, share that was right) as points; `chance` is what guessing would get.

    Taught in notebook 01, section "A small model inside".
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    looks = [("circle", "top"), ("square", "bottom"), ("diamond", "top"), ("cross", "bottom")]
    for (name, (seconds, share)), (symbol, side) in zip(results.items(), looks, strict=False):
        figure.add_trace(go.Scatter(
            x=[seconds * 1000], y=[share], mode="markers+text", text=[name], name=name, showlegend=False,
            textposition=f"{side} center", textfont={"color": INK}, marker={"size": 14, "symbol": symbol},
        ))  # fmt: skip
    quiet(figure, x="milliseconds for one decision", y="share right")
    figure.add_hline(chance, line_dash="dot", line_color=INK, annotation_text="guessing", annotation_font_color=INK)
    figure.update_xaxes(type="log", range=[-3.5, 4])
    figure.update_yaxes(range=[0, 1.1], tickformat=".0%")
    lines = [
        f"{name}: {share:.0%} right, {1000 * seconds:.3g} ms a decision" for name, (seconds, share) in results.items()
    ]
    return Scene(plain(figure), "\n".join([*lines, f"guessing: {chance:.0%} right"]))
