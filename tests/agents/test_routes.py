"""The city: a compass dances, a planner trusts its map, a replanner mends it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_floors import floors

from labkit.agents import run
from labkit.agents.grid import reachable
from labkit.agents.routes import City, Planner, Replanner, compass, plan_route
from labkit.errors import CourseError

OPEN, CLOSED = City.drawn(), City.drawn(closed={(6, 2)})


def test_a_planner_takes_a_shortest_way_when_the_map_is_right():
    history = run(OPEN, Planner(OPEN.streets), 100)
    assert history.last.done
    assert history.last.moves == len(plan_route(OPEN.streets, OPEN.at, OPEN.goal).path) - 1
    assert history.score == 100 - history.last.moves


def test_a_compass_never_crosses_the_river():
    assert not run(OPEN, compass, 300).last.done


def test_a_planner_with_a_wrong_map_stands_before_the_closed_bridge():
    last = run(CLOSED, Planner(CLOSED.streets), 100).last
    assert (last.at, last.done) == ((5, 2), False)


def test_a_replanner_goes_round():
    history = run(CLOSED, Replanner(CLOSED.streets), 100)
    assert history.last.done
    assert (6, 9) in history.last.visited


@given(floors(), st.data())
def test_a_replanner_arrives_wherever_there_is_a_way(floor_and_start, data):
    streets, start = floor_and_start
    closed = frozenset(data.draw(st.sets(st.sampled_from(sorted(streets)), max_size=8))) - {start}
    goal = data.draw(st.sampled_from(sorted(reachable(start, streets - closed))))
    city = City(streets, frozenset(), frozenset(), start, goal, closed)
    assert run(city, Replanner(streets), 1000).last.done


def test_no_way_at_all_is_said():
    city = City.drawn("S~G")
    with pytest.raises(CourseError, match="no way"):
        run(city, Planner(city.streets), 5)


def test_closed_squares_cannot_be_entered_and_are_not_on_the_map():
    city = City.drawn("S.G", closed={(1, 0)})
    assert city.percept.free == ()
    assert (1, 0) in city.streets
    assert run(city, lambda percept: "right", 2).last.at == (0, 0)
