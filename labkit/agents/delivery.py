"""A van, two ways to each customer, and traffic that is only known as a chance; agents that weigh outcomes.

Taught in notebook 01, sections "Utility" and "A small model inside".
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from labkit.agents.loop import known

__all__ = [
    "MOTORWAY", "SIDE_STREETS", "ROUTES", "Deliveries", "Road", "Trip", "UtilityAgent",
    "break_even", "euros", "expected", "fastest_by_plan", "never_risk", "trips",
]  # fmt: skip


class Road(NamedTuple):
    """A way to the customer: minutes when the traffic flows, and when it is jammed."""

    name: str
    minutes: float
    jam_minutes: float


MOTORWAY = Road("motorway", 12, 45)
SIDE_STREETS = Road("side streets", 24, 24)
ROUTES = {road.name: road for road in (MOTORWAY, SIDE_STREETS)}


class Trip(NamedTuple):
    """What the driver knows before a trip: minutes until the parcel is due, and the chance of a jam (0 to 1)."""

    minutes_left: float
    jam_chance: float


def trips(number: int, seed: int = 0) -> tuple[Trip, ...]:
    """Return a number of trips, drawn by chance: 14 to 60 minutes to go, a chance of a jam from 0 to 0.6."""
    dice = random.Random(seed)
    return tuple(Trip(dice.randint(14, 60), round(dice.uniform(0, 0.6), 2)) for _ in range(number))


def euros(minutes: float, minutes_left: float, late_fee: float = 1.0) -> float:
    """Return what a trip earns: 12 euros, less 0.20 for each minute on the road, less `late_fee` for each minute late."""
    return 12 - 0.2 * minutes - late_fee * max(0, minutes - minutes_left)


def expected(road: Road, trip: Trip, utility: Callable[[float, float], float] = euros) -> float:
    """Return the mean utility of taking `road`: each outcome's utility, weighed by its chance.

    Taught in notebook 01, section "Utility".
    """
    flows, jams = utility(road.minutes, trip.minutes_left), utility(road.jam_minutes, trip.minutes_left)
    return (1 - trip.jam_chance) * flows + trip.jam_chance * jams


def break_even(minutes_left: float, late_fee: float = 1.0) -> float:
    """Return the chance of a jam at which both roads are worth the same; below it the motorway is better.

    Taught in notebook 01, section "Utility".
    """
    flows, jams, sure = (
        euros(minutes, minutes_left, late_fee)
        for minutes in (MOTORWAY.minutes, MOTORWAY.jam_minutes, SIDE_STREETS.minutes)
    )
    return (flows - sure) / (flows - jams)


@dataclass
class Deliveries:
    """A day of trips, one a step. Jams are drawn from `seed`, so every agent meets the same ones.

    earned: euros of each trip so far. late: how many parcels came late.
    """

    trips: tuple[Trip, ...]
    seed: int = 0
    late_fee: float = 1.0
    earned: list[float] = field(default_factory=list)
    late: int = 0

    @property
    def percept(self) -> Trip:
        """The next trip, as far as it is known."""
        return self.trips[len(self.earned)]

    def step(self, action: str) -> None:
        """Take the "motorway" or the "side streets". Raises CourseError for any other road."""
        road, trip = ROUTES[known(action, ROUTES)], self.percept
        minutes = road.jam_minutes if self._jammed() else road.minutes
        self.earned.append(euros(minutes, trip.minutes_left, self.late_fee))
        self.late += minutes > trip.minutes_left

    def _jammed(self) -> bool:
        number = len(self.earned)
        return random.Random(f"{self.seed} {number}").random() < self.trips[number].jam_chance

    @property
    def score(self) -> float:
        """Euros earned so far."""
        return sum(self.earned)

    @property
    def done(self) -> bool:
        """Whether all parcels are delivered."""
        return len(self.earned) == len(self.trips)


def fastest_by_plan(trip: Trip) -> str:
    """Goal-based: take the road that is shortest by the map. Jams are not on the map."""
    return min(ROUTES.values(), key=lambda road: road.minutes).name


def never_risk(trip: Trip) -> str:
    """Take the road whose worst case is best."""
    return min(ROUTES.values(), key=lambda road: road.jam_minutes).name


@dataclass
class UtilityAgent:
    """Take the road with the highest expected utility. `utility(minutes, minutes_left)` says what an outcome is worth."""

    utility: Callable[[float, float], float] = euros

    def __call__(self, trip: Trip) -> str:
        return max(ROUTES.values(), key=lambda road: expected(road, trip, self.utility)).name
