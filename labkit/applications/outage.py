"""The engine is killed half way through a load, while a monitor watches; a new one is started, and what failed is asked again.

    found = outage(kit, connect=lambda: labkit.connect(shared=False))
    found.lost, found.without_engine, found.seconds, [event.alert for event in found.events]

Only an engine of one's own may be killed: one that was connected with `shared=False`.

Taught in notebook 13, section "An outage".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.applications.agent import Kit
from labkit.applications.measures import Scored
from labkit.errors import ConfigError, EngineError
from labkit.operate.alerts import Event
from labkit.operate.monitor import Monitor, Sample
from labkit.operate.rules import Rule, rules
from labkit.progress import Progress, silent

__all__ = ["Outage", "outage", "quick"]

WAIT_S, EVERY_S = 8.0, 0.2


@dataclass
class Outage:
    """What became of the requests since the kill.

    scored: all of them. without_engine: how many were answered before the new engine was up. lost: how many never were. seconds:
    from the kill to the new engine. events: what the alerts said. samples: what the monitor saw.
    """

    scored: list[Scored] = field(default_factory=list)
    without_engine: int = 0
    lost: int = 0
    seconds: float = 0.0
    events: tuple[Event, ...] = ()
    samples: tuple[Sample, ...] = ()

    def fired(self, alert: str = "engine-down") -> bool:
        """Whether an alert fired."""
        return any((one.alert, one.state) == (alert, "firing") for one in self.events)


def quick(rule: Rule, seconds: float = 0.4) -> Rule:
    """Return the rule with a short wait: a drill is not an hour long."""
    return replace(rule, for_seconds=seconds, window_seconds=min(rule.window_seconds, 5.0))


def outage(
    kit: Kit,
    connect: Callable[[], Any],
    *,
    alerts: tuple[str, ...] = ("engine-down",),
    progress: Progress = silent,
) -> Outage:
    """Kill the kit's engine, ask every item, start another where one fails, and return what became of them.

    connect: starts the new engine; the kit has it afterwards, and the caller closes it. alerts: names of the course's rules. Raises
    ConfigError for an engine that is not the caller's own or an unknown rule, and what `connect` raises.
    """
    if kit.endpoint.process is None:
        raise ConfigError("This engine is not ours to kill.", "labkit did not start it", "labkit.connect(shared=False)")
    found, items = Outage(), kit.items
    with Monitor(kit.endpoint, rules=_chosen(alerts)) as monitor:
        monitor.sample()
        kit.endpoint.process.kill()
        killed = time.monotonic()
        monitor.start(EVERY_S)
        for number, item in enumerate(items, 1):
            one = Scored(item, kit.ask(item.text))
            if isinstance(one.answered.error, EngineError) and not found.seconds:
                found.seconds = _restart(kit, monitor, connect) - killed
                one = Scored(item, kit.ask(item.text))
            found.without_engine += not found.seconds
            found.lost += one.answered.outcome == "failed"
            found.scored.append(one)
            progress("Asking in an outage", number, len(items))
        if not found.seconds:  # nobody missed it
            found.seconds = _restart(kit, monitor, connect) - killed
        monitor.stop()
        found.events, found.samples = monitor.alerts.events, monitor.samples
    return found


def _restart(kit: Kit, monitor: Monitor, connect: Callable[[], Any]) -> float:
    """Give the kit a new engine once an alert has fired (or had its time to); return when, by time.monotonic()."""
    deadline = time.monotonic() + WAIT_S
    while not monitor.alerts.firing and time.monotonic() < deadline:
        time.sleep(EVERY_S / 2)
    kit.endpoint = connect()
    return time.monotonic()


def _chosen(names: tuple[str, ...]) -> dict[str, Rule]:
    known = rules()
    if odd := [name for name in names if name not in known]:
        raise ConfigError(f"No alert is called {odd[0]!r}.", f"there are {', '.join(known)}", "labkit monitor --once")
    return {name: quick(known[name]) for name in names}
