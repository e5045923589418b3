"""What the checks of lesson 11 share: a learner's alert rule, given as a dict, and what it does while time is told to it."""

from __future__ import annotations

from itertools import count

from labkit.errors import ConfigError
from labkit.exercises import require, show, wrong
from labkit.operate.alerts import NO_DATA, Event, backtest
from labkit.operate.monitor import Sample
from labkit.operate.rules import Rule

NAME = "mine"
LATE = 60  # seconds of silence after which a rule should have said that it hears nothing


def rule_of(row: object) -> Rule:
    """Return the learner's rule; what is missing beside its limits is filled in. Says "wrong" for what is none."""
    require(isinstance(row, dict), f"{show(row)} is no dict such as `{{'metric': …, 'above': …, 'clear': …}}`.")
    try:
        return Rule(**{"name": NAME, "severity": "warning", "says": ""} | row)
    except (ConfigError, TypeError) as error:
        return wrong(f"it is no rule that could work: {error.why if isinstance(error, ConfigError) else error}.")


def played(rule: Rule, *parts: tuple[int, dict] | list[dict]) -> list[Event]:
    """Return what the rule says, one reading a second. A part is (seconds, values), or the values one by one."""
    rows = [row for part in parts for row in (part if isinstance(part, list) else [part[1]] * part[0])]
    return backtest(rule, [Sample(float(at), float(at), row) for at, row in zip(count(), rows)])


def firings(rule: Rule, *parts: tuple[int, dict] | list[dict]) -> list[float]:
    """Return when it began to fire, in seconds after the first reading."""
    return [event.at for event in played(rule, *parts) if (event.alert, event.state) == (rule.name, "firing")]


def ends(rule: Rule, *parts: tuple[int, dict] | list[dict]) -> bool:
    """Return whether nothing is firing at the end."""
    states = {event.alert: event.state for event in played(rule, *parts)}
    return "firing" not in states.values()


def says_no_data(rule: Rule, well: dict, gone: dict) -> bool:
    """Return whether it says within a minute that it hears nothing, when the values become those of `gone`."""
    return any(event.alert == rule.name + NO_DATA for event in played(rule, (60, well), (LATE + 1, gone)))
