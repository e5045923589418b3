"""Alerts over time: windows, a time to wait, hysteresis, and silence as an alert of its own.

    alerts = Alerts(rules())
    alerts.step(time.monotonic(), values)      # once a reading; returns what changed
    alerts.firing                              # what is wrong now
    alerts.events                              # what changed so far, for a timeline
    backtest(rule, samples)                    # what a new rule would have said about samples taken before

A value of None is no reading: it neither fires a threshold nor ends one. When a figure that is watched stays away for longer than
its rule allows, `NAME-no-data` fires, so an outage cannot look like an idle engine.

Taught in notebook 11, section "An engine dies".
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labkit.operate.rules import Rule

if TYPE_CHECKING:
    from labkit.operate.monitor import Sample

__all__ = ["Alerts", "Event", "NO_DATA", "backtest"]

NO_DATA = "-no-data"
MOST_EVENTS = 1000
MOST_READINGS = 4000  # of one rule: a window of an hour at one a second


@dataclass(frozen=True)
class Event:
    """One change. at: seconds by time.monotonic(). value: the figure that was judged.

    state: "pending", "lapsed" (pending no more), "firing" or "ended".
    Taught in notebook 11, section "An engine dies".
    """

    at: float
    alert: str
    state: str
    severity: str
    value: float | None
    text: str


class Alerts:
    """The state of every rule. One thread steps, any may look.

    rules: by name, as `rules.rules()` gives them. watched: the metrics that can be had here (None: those of all rules); a rule
    for another is in `unwatched` and does nothing until its metric appears, since a machine without a GPU has no silent one.
    Taught in notebook 11, section "An engine dies".
    """

    def __init__(self, rules: Mapping[str, Rule] | Iterable[Rule], watched: Iterable[str] | None = None):
        listed = list(rules.values() if isinstance(rules, Mapping) else rules)
        here = {rule.metric for rule in listed} if watched is None else set(watched)
        self.events: tuple[
            Event, ...
        ] = ()  # never changed, only replaced: a reader in another thread may take its time
        self._watches = [_Watch(rule, rule.metric in here) for rule in listed]
        self._last = -math.inf

    @property
    def firing(self) -> list[Event]:
        """The alerts that are firing now, each as the event that began it; critical ones first."""
        since = [state.since for watch in self._watches for state in (watch.limit, watch.silence)]
        found = [event for event in since if event]  # read once: another thread may end it meanwhile
        return sorted(found, key=lambda event: (event.severity != "critical", event.at))

    @property
    def names(self) -> list[str]:
        """Every alert that there can be: one a rule, and one for its silence."""
        return [state.name for watch in self._watches for state in (watch.limit, watch.silence)]

    @property
    def unwatched(self) -> list[str]:
        """The rules whose figure cannot be had here."""
        return [watch.rule.name for watch in self._watches if not watch.watched]

    def step(self, at: float, values: Mapping[str, float | None]) -> list[Event]:
        """Take the `values` read `at` seconds (time.monotonic()); return what changed.

        Raises ValueError when time runs backwards: the wall's clock may, which is why it is not asked.
        """
        if at < self._last:
            raise ValueError(f"time went back from {self._last:g} to {at:g}: alerts want time.monotonic()")
        self._last = at
        changed = [event for watch in self._watches for event in watch.step(at, values)]
        self.events = (*self.events, *changed)[-MOST_EVENTS:]
        return changed


def backtest(rules: Rule | Iterable[Rule], samples: Iterable[Sample]) -> list[Event]:
    """Return what would have changed, had `rules` (one or several) watched while the `samples` were taken, the oldest first.

    Taught in notebook 11, section "An engine dies".
    """
    alerts = Alerts([rules] if isinstance(rules, Rule) else rules)
    return [event for sample in samples for event in alerts.step(sample.at, sample.values)]


class _State:
    """inactive, pending since, firing since."""

    def __init__(self, name: str, severity: str):
        self.name, self.severity = name, severity
        self.pending: float | None = None
        self.since: Event | None = None

    @property
    def firing(self) -> bool:
        return self.since is not None

    def lapse(self, at: float, value: float | None, text: str) -> list[Event]:
        """Be pending no more."""
        was, self.pending = self.pending, None
        return (
            [Event(at, self.name, "lapsed", self.severity, value, text)] if was is not None and not self.firing else []
        )

    def move(self, at: float, on: bool, off: bool, wait: float, value: float | None, text: str) -> list[Event]:
        """on: the condition holds. off: it is safely over; neither: between the two, where nothing changes."""

        def event(state: str) -> Event:
            return Event(at, self.name, state, self.severity, value, text)

        if self.firing:
            if off:
                self.since = self.pending = None
                return [event("ended")]
            return []
        if not on:
            return self.lapse(at, value, text)
        begun = [event("pending")] if self.pending is None and wait > 0 else []
        self.pending = at if self.pending is None else self.pending
        if at - self.pending >= wait:
            self.since = event("firing")
            return [*begun, self.since]
        return begun


class _Watch:
    """One rule: its readings, and the two alerts that come of it."""

    def __init__(self, rule: Rule, watched: bool):
        self.rule, self.watched = rule, watched
        self.limit = _State(rule.name, rule.severity)
        self.silence = _State(rule.name + NO_DATA, rule.severity)
        self.readings: deque[tuple[float, float]] = deque(maxlen=MOST_READINGS)
        self.heard: float | None = None

    def step(self, at: float, values: Mapping[str, float | None]) -> list[Event]:
        rule, value = self.rule, values.get(self.rule.metric)
        if isinstance(value, float | int) and math.isfinite(value):
            self.watched = True
            self.readings.append((at, float(value)))
        else:
            value = None
        if not self.watched:
            return []
        if value is not None or self.heard is None or (rule.idle_is_fine and _idle(values)):
            self.heard = at
        return [*self._judge(at, value), *self._listen(at)]

    def _judge(self, at: float, value: float | None) -> list[Event]:
        while self.readings and self.readings[0][0] < at - self.rule.window_seconds:
            self.readings.popleft()
        if value is None:  # silence is neither fine nor bad
            return []
        mean = sum(one for _, one in self.readings) / len(self.readings)
        rule, text = self.rule, self.rule.says.format(value=mean)
        return self.limit.move(at, rule.beyond(mean), rule.cleared(mean), rule.for_seconds, mean, text)

    def _listen(self, at: float) -> list[Event]:
        quiet = at - self.heard
        missing = quiet >= self.rule.absent_seconds
        text = f"no reading of {self.rule.metric} for {quiet:.0f} s"
        # What was seen before the silence is no reason to fire after it.
        lapsed = self.limit.lapse(at, None, text) if missing and not self.limit.firing else []
        return [*lapsed, *self.silence.move(at, missing, not missing, 0.0, None, text)]


def _idle(values: Mapping[str, float | None]) -> bool:
    """Whether the engine says itself that it is up and has nothing to do, and nobody here is known to have asked it."""
    busy = [values.get(name) for name in ("requests_running", "requests_waiting", "calls", "calls_in_flight")]
    return values.get("up") == 1 and values.get("calls") == 0 and not any(busy)
