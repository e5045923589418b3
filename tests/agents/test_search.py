"""Shortest paths: as short as any, whatever the estimate, as long as it never says too much."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from random_floors import SQUARES, floors

from labkit.agents.grid import neighbours, reachable
from labkit.agents.routes import city_blocks, plan_route
from labkit.agents.search import shortest_path


def distances(floor, start):
    """Steps from `start` to every square, by spreading like water: slow, and too simple to be wrong."""
    found, edge = {start: 0}, {start}
    for steps in itertools.count(1):
        edge = {s for square in edge for s in neighbours(square).values() if s in floor and s not in found}
        if not edge:
            return found
        found |= dict.fromkeys(edge, steps)


@given(floors(), st.sampled_from(SQUARES), st.floats(0, 1))
def test_no_path_is_shorter(floor_and_start, goal, trust):
    floor, start = floor_and_start
    plan = plan_route(floor, start, goal, lambda here, there: trust * city_blocks(here, there))
    truth = distances(floor, start)
    assert bool(plan) == (goal in truth)
    if plan:
        assert len(plan.path) - 1 == truth[goal]


def test_not_even_when_the_estimate_is_inconsistent():
    """A large estimate at one state, 0 elsewhere: "a" is reached by the long way first and must be looked at again."""
    detour = ["start", *"pqrtuvw", "goal"]
    ways = {a: [b] for a, b in itertools.pairwise(detour)} | {
        a: [b] for a, b in itertools.pairwise([*"xyabcde", "goal"])
    }
    ways |= {"start": ["p", "x", "hill"], "hill": ["a"]}
    plan = shortest_path("start", lambda state: state == "goal", ways.__getitem__, lambda state: 6 * (state == "hill"))
    assert plan.path == ("start", "hill", *"abcde", "goal")


@given(floors(), st.sampled_from(SQUARES))
def test_a_path_is_a_walk_over_the_floor(floor_and_start, goal):
    floor, start = floor_and_start
    path = plan_route(floor, start, goal).path
    if path:
        assert (path[0], path[-1]) == (start, goal)
        assert set(path) <= floor
        assert all(city_blocks(a, b) == 1 for a, b in itertools.pairwise(path))


@given(floors())
def test_a_search_in_vain_looks_at_all_that_can_be_reached_and_nothing_twice(floor_and_start):
    floor, start = floor_and_start
    looked_at = plan_route(floor, start, (99, 99)).looked_at
    assert sorted(looked_at) == sorted(reachable(start, floor))


def test_a_good_estimate_looks_at_less():
    field = frozenset((x, y) for x in range(30) for y in range(30))
    blind = plan_route(field, (15, 15), (25, 15), lambda here, there: 0)
    seeing = plan_route(field, (15, 15), (25, 15))
    assert len(seeing.looked_at) == 11 < len(blind.looked_at) / 10


def test_states_may_be_anything():
    plan = shortest_path("a", lambda state: state == "aaaa", lambda state: [state + "a"])
    assert plan.path == ("a", "aa", "aaa", "aaaa")
