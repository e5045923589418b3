"""Figures one can watch: what they show is what happened, and their twins in words say the same."""

import json

import pytest

from labkit.agents import run
from labkit.agents.delivery import Deliveries, UtilityAgent, euros, fastest_by_plan, never_risk, trips
from labkit.agents.jobs import Desk, Scheduler, earliest_deadline
from labkit.agents.recommender import Bandit, Reader
from labkit.agents.routes import City, Planner, Replanner
from labkit.agents.thermostat import Room, single_threshold, two_thresholds
from labkit.agents.vacuum import Floor, Mapper, first_free
from labkit.widgets import decisions, worlds

FLOOR, CITY, DAY = Floor.drawn(), City.drawn(closed={(6, 2)}), Deliveries(trips(20))
FLOORS = {"no memory": run(FLOOR, first_free, 30), "a map": run(FLOOR, Mapper(), 60)}
CITIES = {"once": run(CITY, Planner(CITY.streets), 30), "again": run(CITY, Replanner(CITY.streets), 40)}
ROOMS = {"one": run(Room(), single_threshold, 60), "two": run(Room(), two_thresholds, 60)}
DESKS = {"due first": run(Desk(), earliest_deadline, 9), "planner": run(Desk(), Scheduler(), 9)}
AGENTS = {"by plan": fastest_by_plan, "careful": never_risk, "utility": UtilityAgent()}
DAYS = {name: run(DAY, agent, 20) for name, agent in AGENTS.items()}
READER = run(Reader(), Bandit(0.2), 40)

SCENES = {
    "room": lambda: worlds.room_scene(ROOMS),
    "floor": lambda: worlds.floor_scene(FLOORS),
    "city": lambda: worlds.city_scene(CITIES),
    "desk": lambda: worlds.desk_scene(DESKS),
    "map": lambda: decisions.decision_map(euros, [0.5, 1, 4]),
    "earnings": lambda: decisions.earnings_scene(DAYS),
    "guesses": lambda: decisions.guesses_scene(READER),
    "regret": lambda: decisions.regret_scene({"never": [0.2, 0.4, 0.6], "often": [0.3, 0.3, 0.3]}),
    "choices": lambda: decisions.choices_scene([19, 20], {"rule": ["on", "off"], "model": ["on", "on"]}),
    "worth": lambda: decisions.worth_scene({"rule": (2e-6, 0.25), "model": (0.3, 0.8)}, 1 / 3),
}
MOVING = ["room", "floor", "city", "desk", "map", "earnings", "guesses"]


@pytest.fixture(params=SCENES)
def scene(request):
    return SCENES[request.param]()


def test_figures_are_small_and_without_a_background(scene):
    as_json = scene.figure.to_json()
    assert len(as_json) < 250_000
    layout = json.loads(as_json)["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"


def test_the_twin_is_what_text_front_ends_show(scene):
    assert repr(scene) == str(scene) == scene.text
    assert len(scene.text.splitlines()) >= 2


@pytest.mark.parametrize("name", MOVING)
def test_every_frame_redraws_the_same_traces_and_the_slider_reaches_it(name):
    figure = SCENES[name]().figure
    assert len(figure.frames) >= 3
    for frame in figure.frames:
        redrawn = [figure.data[n] for n in frame.traces or range(len(frame.data))]
        assert [trace.type for trace in frame.data] == [trace.type for trace in redrawn]
        assert [trace.xaxis for trace in frame.data if trace.xaxis] in ([], [t.xaxis for t in redrawn if t.xaxis])
    steps = figure.layout.sliders[0].steps
    assert [step.args[0][0] for step in steps] == [frame.name for frame in figure.frames]
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["Play", "Pause"]


def traces(figure, frame, name):
    """The traces of this name in a frame, one a panel."""
    return [trace for trace in figure.frames[frame].data if trace.name == name]


def test_the_floor_shows_where_each_vacuum_is_and_what_is_dirty():
    figure = SCENES["floor"]().figure
    for at in (0, 7, len(figure.frames) - 1):
        vacuums, dirt = traces(figure, at, "vacuum"), traces(figure, at, "dirt")
        for panel, history in enumerate(FLOORS.values()):
            world = history.worlds[min(at, len(history.worlds) - 1)]
            assert (vacuums[panel].x[0], vacuums[panel].y[0]) == world.at
            assert set(zip(dirt[panel].x, dirt[panel].y, strict=True)) - {(None, None)} == world.dirt


def test_the_city_shows_the_plan_until_the_traveller_arrives():
    figure = SCENES["city"]().figure
    stuck, mended = traces(figure, 5, "its plan")
    assert (stuck.x[-1], stuck.y[-1]) == (mended.x[-1], mended.y[-1]) == CITY.goal
    assert list(traces(figure, len(figure.frames) - 1, "its plan")[1].x) == [None]


def test_the_room_grows_minute_by_minute_to_what_was_measured():
    figure = SCENES["room"]().figure
    for frame in figure.frames:
        assert frame.data[0].x[-1] == int(frame.name)
    last = ROOMS["one"].last
    assert figure.frames[-1].data[0].y[-1] == pytest.approx(last.temperature, abs=0.01)
    assert f"switched {last.switches} times" in SCENES["room"]().text


def test_the_desk_marks_what_is_late():
    scene = SCENES["desk"]()
    labels = [
        text for trace in scene.figure.data for row, text in zip(trace.y, trace.text, strict=True) if row == "due first"
    ]
    assert sum("LATE" in label for label in labels) == 6 - DESKS["due first"].score == scene.text.count("LATE")


def test_the_map_gives_more_to_the_sure_road_when_lateness_costs_more():
    shares = [sum(map(sum, frame.data[0].z)) for frame in SCENES["map"]().figure.frames]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_earnings_end_where_the_day_did():
    scene = SCENES["earnings"]()
    for trace, history in zip(scene.figure.data, DAYS.values(), strict=True):
        assert trace.y[-1] == pytest.approx(history.score, abs=0.01)
    assert "parcels late" in scene.text


def test_guesses_are_those_of_their_turn():
    figure = SCENES["guesses"]().figure
    for frame in figure.frames:
        guess = READER.steps[int(frame.name)].thought
        bars = dict(zip(frame.data[0].x, frame.data[0].y, strict=True))
        assert all(bars[choice] == pytest.approx(value, abs=1e-3) for choice, value in guess.items())


def test_a_notebook_gets_the_figure_and_the_words(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    scene = SCENES["worth"]()
    scene._ipython_display_()
    figure, words = shown
    assert figure is scene.figure
    assert "<details>" in words.data and "80% right" in words.data
    assert ("<script>" in words.data) == bool(scene.figure.frames), "only buttons that plotly draws need the script"
