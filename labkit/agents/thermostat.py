"""A room with a heater, and simple reflex agents: rules on what the sensors say now.

Taught in notebook 01, section "Reflex".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from labkit.agents.loop import known

__all__ = ["Room", "RoomPercept", "single_threshold", "two_thresholds"]


class RoomPercept(NamedTuple):
    """What a thermostat senses: degrees Celsius, and whether the heater is on.

    Taught in notebook 01, section "A small model inside".
    """

    temperature: float
    heating: bool


@dataclass
class Room:
    """A room that loses warmth to the outside and gets some from a heater; a step is a minute.

    temperature, outside: degrees Celsius. leak: share of the difference to outside that is lost each minute. power:
    degrees that the heater adds each minute. comfort: where people feel well. switches: how often the heater was switched.
    """

    temperature: float = 17.0
    outside: float = 5.0
    leak: float = 0.01
    power: float = 0.35
    comfort: tuple[float, float] = (19.0, 21.0)
    heating: bool = False
    minutes: int = 0
    comfortable: int = 0
    switches: int = 0
    done = False  # a room is never finished

    @property
    def percept(self) -> RoomPercept:
        """The temperature and the state of the heater."""
        return RoomPercept(self.temperature, self.heating)

    def step(self, action: str) -> None:
        """Turn the heater "on" or "off", and let a minute pass. Raises CourseError for any other action."""
        wanted = known(action, ("on", "off")) == "on"
        self.switches += wanted != self.heating
        self.heating = wanted
        self.temperature += self.leak * (self.outside - self.temperature) + self.power * wanted
        self.minutes += 1
        self.comfortable += self.comfort[0] <= self.temperature <= self.comfort[1]

    @property
    def score(self) -> float:
        """Minutes of comfort, less one for each switch: switching wears a heater out."""
        return self.comfortable - self.switches


def single_threshold(percept: RoomPercept, wanted: float = 20.0) -> str:
    """Return "on" below `wanted` degrees, else "off": it switches all the time."""
    return "on" if percept.temperature < wanted else "off"


def two_thresholds(percept: RoomPercept, low: float = 19.5, high: float = 20.5) -> str:
    """Return "on" up to `low` degrees, "off" from `high`, and between them leave the heater as it is (hysteresis)."""
    if percept.temperature <= low:
        return "on"
    if percept.temperature >= high:
        return "off"
    return "on" if percept.heating else "off"
