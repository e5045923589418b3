"""The van: expected utility, and what it buys over many days."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.agents import run
from labkit.agents.delivery import (
    MOTORWAY,
    ROUTES,
    SIDE_STREETS,
    Deliveries,
    Trip,
    UtilityAgent,
    break_even,
    euros,
    expected,
    fastest_by_plan,
    never_risk,
    trips,
)  # fmt: skip

some_trips = st.builds(Trip, st.floats(5, 90), st.floats(0, 1))


@given(some_trips)
def test_it_never_takes_the_road_that_is_expected_to_earn_less(trip):
    chosen = ROUTES[UtilityAgent()(trip)]
    assert expected(chosen, trip) == max(expected(road, trip) for road in ROUTES.values())


@given(some_trips)
def test_utility_of_the_mean_flatters_the_risky_road(trip):
    """Being late hurts more than being early helps, so the worth of the mean time is never less than the mean worth."""
    mean_minutes = (1 - trip.jam_chance) * MOTORWAY.minutes + trip.jam_chance * MOTORWAY.jam_minutes
    assert expected(MOTORWAY, trip) <= euros(mean_minutes, trip.minutes_left) + 1e-9


@given(st.floats(5, 90))
def test_the_choice_turns_where_both_roads_are_worth_the_same(minutes_left):
    chance = break_even(minutes_left)
    trip = Trip(minutes_left, chance)
    assert expected(MOTORWAY, trip) == pytest.approx(expected(SIDE_STREETS, trip))
    assert UtilityAgent()(Trip(minutes_left, chance - 0.01)) == "motorway"
    assert UtilityAgent()(Trip(minutes_left, chance + 0.01)) == "side streets"


def test_the_mean_time_can_favour_the_worse_road():
    trip = Trip(30, 0.2)
    mean_minutes = 0.8 * MOTORWAY.minutes + 0.2 * MOTORWAY.jam_minutes
    assert mean_minutes < SIDE_STREETS.minutes
    assert UtilityAgent()(trip) == "side streets"


def test_over_many_days_it_earns_most():
    days = [Deliveries(trips(60, seed), seed=seed) for seed in range(40)]
    planned, careful, utility = (
        mean(run(d, a, 60).score for d in days) for a in (fastest_by_plan, never_risk, UtilityAgent())
    )
    assert utility > careful > planned


def test_all_agents_meet_the_same_jams():
    day = Deliveries(trips(50), seed=3)
    both = [run(day, lambda trip, road=road: road, 50).last for road in ("motorway", "motorway")]
    assert both[0].earned == both[1].earned


@pytest.mark.parametrize("minutes, left, worth", [(20, 30, 8.0), (30, 30, 6.0), (40, 30, -6.0)])
def test_euros(minutes, left, worth):
    assert euros(minutes, left) == pytest.approx(worth)


def test_the_fee_is_the_worlds_own():
    late = Trip(10, 0.0)
    cheap, dear = (run(Deliveries((late,), late_fee=fee), lambda trip: "side streets", 1).score for fee in (0, 2))
    assert cheap - dear == pytest.approx(28)  # 14 minutes late, 2 euros each
