"""The floor and its vacuums: what memory buys, proven on random floors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_floors import floors

from labkit.agents import run
from labkit.agents.grid import reachable
from labkit.agents.vacuum import Counter, Floor, Mapper, Wanderer, first_free
from labkit.errors import CourseError


@given(floors(), st.data())
def test_with_a_map_every_reachable_square_is_cleaned_and_then_it_stops(floor_and_start, data):
    floor, start = floor_and_start
    dirt = frozenset(data.draw(st.sets(st.sampled_from(sorted(floor)))))
    last = run(Floor(floor, dirt, start), Mapper(), 2000).last
    assert last.stopped
    assert last.dirt == dirt - reachable(start, floor)


@given(floors())
def test_counting_visits_reaches_every_square_too(floor_and_start):
    floor, start = floor_and_start
    last = run(Floor(floor, floor, start), Counter(), 1000).last
    assert last.dirt == floor - reachable(start, floor)


@given(floors())
def test_without_memory_the_same_percept_gives_the_same_action(floor_and_start):
    history = run(Floor(floor_and_start[0], frozenset(), floor_and_start[1]), first_free, 50)
    actions = {}
    for step in history.steps:
        assert actions.setdefault(step.percept, step.action) == step.action


def test_without_memory_it_dances_for_ever():
    history = run(Floor.drawn(), first_free, 200)
    assert set(history.actions[-20:]) == {"left", "right"}
    assert history.last.dirt
    assert len({world.at for world in history.worlds[-20:]}) == 2


def test_dice_are_the_same_for_the_same_seed():
    same, again, other = (run(Floor.drawn(), Wanderer(seed), 50).actions for seed in (1, 1, 2))
    assert same == again != other


def test_walls_are_walls_and_the_percept_shows_them():
    floor = Floor.drawn("#.\n.@")
    assert floor.percept.free == ("left", "up")
    assert run(floor, lambda percept: "right", 3).last.at == floor.at
    assert run(floor, lambda percept: "right", 3).score == -3


@pytest.mark.parametrize(
    "agent", [first_free, Wanderer(), Counter(), Mapper()], ids=["first", "wanderer", "counter", "mapper"]
)
def test_a_vacuum_that_cannot_move_stops(agent):
    assert run(Floor.drawn("#@#"), agent, 5).actions == ["stop"]


@pytest.mark.parametrize("plan", ["..*", "@.@"])
def test_a_plan_needs_one_vacuum(plan):
    with pytest.raises(CourseError, match="one @"):
        Floor.drawn(plan)
