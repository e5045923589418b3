"""The room and its reflex agents."""

from hypothesis import given
from hypothesis import strategies as st

from labkit.agents import run
from labkit.agents.thermostat import Room, RoomPercept, single_threshold, two_thresholds

rooms = st.builds(
    Room,
    temperature=st.floats(10, 30),
    outside=st.floats(-10, 10),
    leak=st.floats(0.005, 0.012),
    power=st.floats(0.4, 0.6),
    heating=st.booleans(),
)


@given(rooms)
def test_once_in_its_band_the_room_never_leaves_it(room):
    """One minute may carry it past a threshold, never further: that is what the sensor's pace allows."""
    temperatures = [world.temperature for world in run(room, two_thresholds, 400).worlds]
    inside = next(n for n, degrees in enumerate(temperatures) if 19.5 <= degrees <= 20.5)
    minute = max(room.power, room.leak * (20.5 - room.outside))
    assert all(19.5 - minute <= degrees <= 20.5 + minute for degrees in temperatures[inside:])


@given(rooms)
def test_two_thresholds_never_switch_more_often_than_one(room):
    assert run(room, two_thresholds, 300).last.switches <= run(room, single_threshold, 300).last.switches


@given(st.floats(19.51, 20.49), st.booleans())
def test_between_the_thresholds_the_heater_stays_as_it_is(temperature, heating):
    assert two_thresholds(RoomPercept(temperature, heating)) == ("on" if heating else "off")


def test_a_heater_that_stays_on_warms_towards_what_its_power_holds():
    room = run(Room(outside=5, leak=0.01, power=0.35), lambda percept: "on", 3000).last
    assert abs(room.temperature - (5 + 0.35 / 0.01)) < 0.01
    assert room.switches == 1


def test_the_score_counts_comfort_less_switches():
    room = run(Room(temperature=20.0, leak=0.0), lambda percept: "off", 10).last
    assert (room.comfortable, room.switches, room.score) == (10, 0, 10)
