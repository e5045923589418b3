"""Watch an agent act: the room, the floor, the city and the desk of `labkit.agents`, each a figure with a twin in words.

    floor_scene({"no memory": run(floor, first_free, 60), "a map": run(floor, Mapper(), 60)})

Every function takes histories by name and returns a `Scene`; it starts nothing and shows nothing by itself. Taught in
notebook 01, sections "Reflex", "Memory" and "Goals".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from labkit.widgets.scene import Scene, animate
from labkit.widgets.theme import COLOURS, INK, quiet

if TYPE_CHECKING:
    from labkit.agents import History

__all__ = ["city_scene", "desk_scene", "floor_scene", "room_scene"]

BLUE, ORANGE, GREEN = COLOURS[0], COLOURS[1], COLOURS[2]
TINT = "rgba(128,128,128,0.18)"
SETTLED = 30  # minutes until a room that starts cold is warm


# -- the room -----------------------------------------------------------------------------------------------------------


def room_scene(histories: Mapping[str, History], every: int = 3) -> Scene:
    """Return the temperature in each room over the minutes, with the heater's times below; a frame is `every` minutes.

    Taught in notebook 01, section "Reflex".
    """
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=len(histories), shared_xaxes=True, vertical_spacing=0.12, subplot_titles=[*histories])
    first = next(iter(histories.values()))
    ends = [*range(every, len(first.worlds), every), len(first.worlds)]
    for row, history in enumerate(histories.values(), start=1):
        figure.add_traces(_room_traces(history, ends[-1]), rows=row, cols=1)
        low, high = history.last.comfort
        figure.add_hrect(low, high, fillcolor=TINT, line_width=0, row=row, col=1)
    frames = [
        go.Frame(name=str(end - 1), data=[t for history in histories.values() for t in _room_traces(history, end)])
        for end in ends
    ]
    quiet(figure, height=190 * len(histories))
    warmest = max(world.temperature for history in histories.values() for world in history.worlds)
    figure.update_yaxes(title="degrees", range=[16.4, max(21.4, warmest + 0.3)], gridcolor=TINT, zeroline=False)
    figure.update_xaxes(range=[0, len(first.worlds) - 1], gridcolor=TINT, title="")
    figure.update_xaxes(title="minutes", row=len(histories))
    figure.update_layout(showlegend=False, margin={"t": 30})
    moving = animate(figure, frames, "minute", start=len(frames) - 1)
    return Scene(moving, "\n".join(_room_text(n, h) for n, h in histories.items()))


def _room_traces(history: History, end: int) -> list:
    import plotly.graph_objects as go

    minutes = list(range(end))
    warmth = [round(world.temperature, 2) for world in history.worlds[:end]]
    heat = [16.7 if world.heating else None for world in history.worlds[:end]]
    return [
        go.Scatter(x=minutes, y=warmth, mode="lines", line={"color": BLUE, "width": 2}, name="room"),
        go.Scatter(x=minutes, y=heat, mode="lines+markers", line={"color": ORANGE, "width": 7},
                   marker={"size": 7, "color": ORANGE, "symbol": "square"}, name="heater on"),
    ]  # fmt: skip


def _room_text(name: str, history: History) -> str:
    room, warmth = history.last, [world.temperature for world in history.worlds]
    if len(warmth) > SETTLED:
        end = f"after the first {SETTLED} it stays between {min(warmth[SETTLED:]):.1f} and {max(warmth[SETTLED:]):.1f} degrees"
    else:
        end = f"it goes from {warmth[0]:.1f} to {warmth[-1]:.1f} degrees"
    comfort = f"{room.minutes} minutes, {room.comfortable} of them comfortable"
    return f"{name}: {comfort}; {end}; the heater is switched {room.switches} times."


# -- floors and cities --------------------------------------------------------------------------------------------------

# What a square can be: a name, its colour, and (for the legend) what it shows. Darker and lighter, for greyscale.
FREE, BEEN, WATER, WALL = range(4)
SQUARES = ["rgba(128,128,128,0.12)", "rgba(59,130,196,0.35)", "rgba(59,130,196,0.9)", "rgba(110,110,110,0.95)"]
SYMBOLS = {  # name: symbol, size, colour
    "dirt": ("x", 11, ORANGE), "vacuum": ("circle", 18, BLUE), "traveller": ("circle", 15, BLUE), "goal": ("star", 16, GREEN),
    "closed": ("x", 11, ORANGE), "its plan": ("circle-open", 8, INK),
}  # fmt: skip


def floor_scene(histories: Mapping[str, History]) -> Scene:
    """Return the floors side by side: where each vacuum is, where it has been, which squares are still dirty.

    Taught in notebook 01, section "Memory".
    """

    def marks(floor, thought) -> dict:
        return {"dirt": floor.dirt, "vacuum": [floor.at]}

    names = {"furniture": WALL, "been there": BEEN}
    text = "\n".join(_floor_text(name, history) for name, history in histories.items())
    return Scene(_grid(histories, marks, names, water=lambda floor: frozenset(), floor=lambda floor: floor.floor), text)


def city_scene(histories: Mapping[str, History]) -> Scene:
    """Return the cities side by side: the traveller, its plan if it has one, the river, the bridges, what is closed.

    Taught in notebook 01, section "Goals".
    """

    def marks(city, plan) -> dict:
        ahead = () if city.done else (plan or ())[1:]
        return {"closed": city.closed, "goal": [city.goal], "its plan": ahead, "traveller": [city.at]}

    names = {"house": WALL, "river": WATER, "been there": BEEN}
    text = "\n".join(_city_text(name, history) for name, history in histories.items())
    return Scene(_grid(histories, marks, names, water=lambda city: city.water, floor=lambda city: city.streets), text)


def _grid(
    histories: Mapping[str, History], marks: Callable, names: Mapping[str, int], water: Callable, floor: Callable
):
    """Return a figure of grids side by side, one frame a step; `marks(world, thought)` says what stands on which squares."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    def panel(history: History, at: int, column: int) -> list:
        at = min(at, len(history.worlds) - 1)
        world, thought = history.worlds[at], history.steps[at - 1].thought if at else None
        symbols = [_symbols(name, squares, column) for name, squares in marks(world, thought).items()]
        return [_squares(floor(world), water(world), world.visited), *symbols]

    columns = list(enumerate(histories.values(), start=1))
    figure = make_subplots(cols=len(columns), horizontal_spacing=0.04, subplot_titles=[*histories])
    for column, history in columns:
        figure.add_traces(panel(history, 0, column), rows=1, cols=column)
    longest = max(len(history.worlds) for history in histories.values())
    frames = [
        go.Frame(name=str(at), data=[trace for column, history in columns for trace in panel(history, at, column)])
        for at in range(longest)
    ]
    for name, kind in names.items():
        figure.add_trace(_legend(name, SQUARES[kind]), row=1, col=1)
    first = next(iter(histories.values())).worlds[0]
    _grid_look(figure, *_extent(floor(first) | water(first)), panels=len(columns))
    return animate(figure, frames, "step")


def _squares(floor: frozenset, water: frozenset, visited: frozenset):
    import plotly.graph_objects as go

    columns, rows = _extent(floor | water)
    kinds = dict.fromkeys(floor, FREE) | dict.fromkeys(visited, BEEN) | dict.fromkeys(water, WATER)
    z = [[kinds.get((x, y), WALL) for x in range(columns)] for y in range(rows)]
    scale = [[at, colour] for kind, colour in enumerate(SQUARES) for at in (kind / 4, (kind + 1) / 4)]
    return go.Heatmap(z=z, zmin=-0.5, zmax=3.5, colorscale=scale, showscale=False, xgap=2, ygap=2, hoverinfo="skip")


def _symbols(name: str, squares: Iterable, column: int):
    import plotly.graph_objects as go

    symbol, size, colour = SYMBOLS[name]
    places = list(squares) or [(None, None)]
    x, y = zip(*places, strict=True)
    marker = {"symbol": symbol, "size": size, "color": colour, "line": {"width": 1.5, "color": "white"}}
    if symbol.endswith("open"):
        marker["line"] = {"width": 2, "color": colour}
    return go.Scatter(
        x=list(x), y=list(y), mode="markers", marker=marker, name=name, legendgroup=name, showlegend=column == 1
    )  # fmt: skip


def _legend(name: str, colour: str):
    import plotly.graph_objects as go

    return go.Scatter(
        x=[None], y=[None], mode="markers", marker={"symbol": "square", "size": 14, "color": colour}, name=name
    )


def _grid_look(figure, columns: int, rows: int, panels: int) -> None:
    cell = min(40, 820 / (panels * (columns + 1)))  # pixels, in a notebook of usual width
    quiet(figure, height=round(cell * rows) + 70)
    figure.update_xaxes(range=[-0.5, columns - 0.5], visible=False, constrain="domain")
    figure.update_yaxes(range=[rows - 0.5, -0.5], visible=False, constrain="domain")
    for panel in range(1, panels + 1):
        figure.update_yaxes(scaleanchor=f"x{panel if panel > 1 else ''}", col=panel)
    figure.update_layout(
        margin={"l": 10, "r": 10, "t": 30, "b": 40}, legend={"orientation": "h", "y": -0.02, "yanchor": "top"}
    )


def _extent(squares: frozenset) -> tuple[int, int]:
    return 1 + max(x for x, _ in squares), 1 + max(y for _, y in squares)


def _floor_text(name: str, history: History) -> str:
    floor, clean = history.last, history.first(lambda world: not world.dirt)
    end = f"clean after {clean} steps" if clean is not None else f"{len(floor.dirt)} squares still dirty"
    stopped = "then it switched itself off" if floor.stopped else "it never stopped by itself"
    been = f"it visited {len(floor.visited)} of {len(floor.floor)} squares"
    return f"{name}: {len(history.steps)} steps; {been}; {end}; {stopped}."


def _city_text(name: str, history: History) -> str:
    city = history.last
    end = (
        f"arrived after {city.moves} moves"
        if city.done
        else f"not there after {city.moves} moves, stuck near {city.at}"
    )
    return f"{name}: {end}; it visited {len(city.visited)} squares."


# -- the desk -----------------------------------------------------------------------------------------------------------


def desk_scene(histories: Mapping[str, History]) -> Scene:
    """Return each agent's order of jobs as bars over the hours; late ones say so. A frame is a job.

    Taught in notebook 01, section "Goals".
    """
    import plotly.graph_objects as go

    jobs = {job.name: job for job in next(iter(histories.values())).last.jobs}
    longest = max(len(history.steps) for history in histories.values())
    frames = [go.Frame(name=str(n), data=_desk_bars(histories, jobs, n)) for n in range(1, longest + 1)]
    figure = quiet(go.Figure(frames[-1].data), x="hours", height=90 + 75 * len(histories))
    hours = max(history.last.hour for history in histories.values())
    figure.update_xaxes(range=[0, hours], dtick=1)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_layout(barmode="overlay", margin={"l": 130}, showlegend=False, bargap=0.25)
    text = "\n".join(_desk_text(name, history, jobs) for name, history in histories.items())
    return Scene(animate(figure, frames, "job", milliseconds=700, start=len(frames) - 1), text)


def _desk_bars(histories: Mapping[str, History], jobs: Mapping, number: int) -> list:
    """One trace a job place (first, second, …), so that every frame has the same traces."""
    import plotly.graph_objects as go

    bars = []
    for place in range(len(jobs)):
        rows = [
            (n, h.actions[place], h.last.finished) for n, h in histories.items() if place < min(number, len(h.steps))
        ]
        late = [finished[job] > jobs[job].due for _, job, finished in rows]
        bars.append(go.Bar(
            orientation="h", y=[name for name, _, _ in rows], x=[jobs[job].hours for _, job, _ in rows],
            base=[finished[job] - jobs[job].hours for _, job, finished in rows],
            text=[_job_label(job, jobs[job].due, one) for (_, job, _), one in zip(rows, late, strict=True)],
            textposition="inside", insidetextanchor="middle", textangle=0, textfont={"color": "white", "size": 11},
            constraintext="none", hoverinfo="text",
            marker={"color": ["#a34400" if one else "#2b6398" for one in late], "line": {"color": INK, "width": 1}},
        ))  # fmt: skip
    return bars


def _job_label(job: str, due: int, late: bool) -> str:
    return f"{job.replace(' the ', ' ').replace(' ', '<br>')}<br>due {due}{' <b>LATE</b>' if late else ''}"


def _desk_text(name: str, history: History, jobs: Mapping) -> str:
    done = history.last.finished
    lines = [f"{job} ready at {done[job]}{', LATE' if done[job] > jobs[job].due else ''}" for job in history.actions]
    return f"{name}: {history.score} of {len(jobs)} on time. " + "; ".join(lines) + "."
