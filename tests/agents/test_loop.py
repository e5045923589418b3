"""The loop: copies, snapshots, its ends; and worlds that refuse what they don't understand."""

import pytest

from labkit.agents import run
from labkit.agents.delivery import Deliveries, trips
from labkit.agents.jobs import Desk
from labkit.agents.recommender import Reader
from labkit.agents.routes import City
from labkit.agents.thermostat import Room, two_thresholds
from labkit.agents.vacuum import Counter, Floor, Mapper
from labkit.errors import CourseError

WORLDS = [Room(), Floor.drawn(), City.drawn(), Desk(), Deliveries(trips(3)), Reader()]


def test_the_world_that_was_passed_in_stays_as_it_was():
    room = Room()
    history = run(room, two_thresholds, 30)
    assert room == Room()
    assert history.last.minutes == 30


def test_snapshots_are_one_more_than_steps_and_differ():
    history = run(Room(), two_thresholds, 5)
    assert [world.minutes for world in history.worlds] == [0, 1, 2, 3, 4, 5]
    assert history.actions == ["on"] * 5
    assert history.decision_us > 0


def test_it_ends_when_the_world_is_done():
    history = run(Floor.drawn("@*"), Mapper(), 1000)
    assert history.actions == ["right", "suck", "stop"]
    assert history.first(lambda floor: not floor.dirt) == 2
    assert history.first(lambda floor: floor.cleaned > 9) is None


def test_no_steps_make_an_empty_history():
    history = run(Room(), two_thresholds, 0)
    assert (history.steps, history.decision_us, len(history.worlds)) == ([], 0.0, 1)


def test_thoughts_are_copies_of_their_moment():
    thoughts = [step.thought for step in run(Floor.drawn("@.."), Mapper(), 9).steps]
    assert thoughts == [{(1, 0)}, {(2, 0)}, set()]
    counts = [sum(step.thought.values()) for step in run(Floor.drawn("@.."), Counter(), 4).steps]
    assert counts == [2, 3, 4, 5]  # one dict, grown in place


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_worlds_refuse_unknown_actions(world):
    with pytest.raises(CourseError, match="does not know the action 'dance'"):
        run(world, lambda percept: "dance", 1)


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: type(world).__name__)
def test_worlds_are_whole(world):
    assert isinstance(world.score, int | float)
    assert not world.done
    assert world.percept is not None
