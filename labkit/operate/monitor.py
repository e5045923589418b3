"""Watch an endpoint: one sample of everything a second, kept, judged by the alert rules, and summed up as health.

    with Monitor(labkit.connect()) as monitor:
        monitor.endpoint.chat("hello")         # this endpoint's calls are measured
        monitor.sample().values                # all names of data/metrics.toml that can be had here; None is unknown
        monitor.health()                       # healthy, degraded, unhealthy or unknown, and why
        monitor.start(every=1.0)               # from now on by itself
        monitor.report()                       # availability, response times and the longest line of the last hour

An outage is a sample with `up` 0 and unknown figures. Nothing turns it into zeros.

Taught in notebook 11, section "What an engine tells".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from labkit.backends.base import Endpoint
from labkit.errors import ConfigError, LabkitError
from labkit.operate.alerts import Alerts, Event
from labkit.operate.engine_metrics import Reading, rates, read, table
from labkit.operate.health import Health, judge, report
from labkit.operate.history import History
from labkit.operate.machine_metrics import MachineMetrics
from labkit.operate.rules import Rule
from labkit.operate.rules import rules as course_rules
from labkit.operate.telemetry import Telemetry, Watched

__all__ = ["Monitor", "Sample"]

STALE_SECONDS = 30.0
PROBE_TIMEOUT = 10.0  # seconds, the module's


@dataclass(frozen=True)
class Sample:
    """What was seen at one moment. at: time.monotonic(), for sums; time: seconds since 1970, for people.

    values: by the names of data/metrics.toml; None is unknown. models: what is loaded, None if nobody answered. why: what is wrong.
    Taught in notebook 11, section "What an engine tells".
    """

    at: float
    time: float
    values: dict[str, float | None]
    models: tuple[str, ...] | None = None
    why: str = ""
    events: tuple = field(default=(), repr=False)


class Monitor:
    """Watches one endpoint, which keeps belonging to the caller.

    telemetry: measures calls (one of its own unless given). rules: the course's alert rules unless given. history: a file that
    outlives this process. expected: models that must be loaded. window: seconds over which calls are summed up.
    probe_every: seconds between one-token questions of its own, for an engine that others use; 0 asks none. more: figures from
    elsewhere, asked at each sample, by names of data/metrics.toml (such as CountedResults.window). most: `samples` that are kept,
    the oldest first.
    Taught in notebook 11, section "What an engine tells".
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        telemetry: Telemetry | None = None,
        rules: Mapping[str, Rule] | None = None,
        history: History | None = None,
        expected: tuple[str, ...] = (),
        window: float = 60.0,
        probe_every: float = 0.0,
        more: Callable[[], Mapping[str, float | None]] = dict,
        most: int = 3600,
    ):
        self._source, self.telemetry, self.history = endpoint, telemetry or Telemetry(), history
        self._own_telemetry, self._more = telemetry is None, more
        self.endpoint = Watched.of(endpoint, self.telemetry)
        self.endpoint.on_close = None  # the caller's to close
        self.expected, self.window, self.most = expected, window, most
        self.samples: tuple[Sample, ...] = ()  # never changed, only replaced: whoever reads it may take their time
        self._machine, self._reading = MachineMetrics(endpoint), None
        self._probe = _Probe(self.endpoint, probe_every)
        self.alerts = Alerts(rules or course_rules(), watched=self._watched())
        self.listeners: list[Callable[[Sample], object]] = []  # called after each sample, in the thread that took it
        self._lock, self._stop, self._thread = threading.Lock(), threading.Event(), None

    def sample(self) -> Sample:
        """Look at everything once, keep it, and let the alert rules see it. An engine that hangs takes five seconds a question."""
        with self._lock:
            self._probe.maybe()
            reading, values = self._look()
            changed = self.alerts.step(reading.at, values)
            found = Sample(reading.at, time.time(), values, reading.models, reading.why, tuple(changed))
            self.samples = (*self.samples, found)[-self.most :]
        if self.history:
            self.history.add(found)
        for listen in tuple(self.listeners):
            listen(found)
        return found

    def current(self) -> Sample | None:
        """Return the last sample if it is at most half a minute old: what was true a while ago is not what is."""
        last = self.samples[-1] if self.samples else None
        return last if last and time.monotonic() - last.at <= STALE_SECONDS else None

    def health(self) -> Health:
        """Return the health of the last sample; "unknown" without one that is current."""
        return judge(self.current(), self.alerts.firing, self.expected)

    def on(self, alert: str, action: Callable[[Event], object]) -> None:
        """Call `action(event)` when `alert` begins to fire, in the thread that samples. Raises ConfigError for no such alert."""
        if alert not in self.alerts.names:
            why = f"there are {', '.join(self.alerts.names)}"
            raise ConfigError(f"No alert is called {alert!r}.", why, "labkit monitor --once")
        self.listeners.append(
            lambda sample: [action(e) for e in sample.events if (e.alert, e.state) == (alert, "firing")]
        )

    def report(self, seconds: float = 3600.0) -> dict[str, float | None]:
        """Return the summary of the samples of the last `seconds`."""
        return report(self.samples, seconds)

    def start(self, every: float = 1.0) -> Monitor:
        """Sample every so many seconds in a thread of this process, until `stop()`; return self. Twice is fine."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=(every,), name="labkit monitor", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Stop sampling. Twice is fine."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def close(self) -> None:
        """Stop, and let go of what was opened here and of the history; not of the endpoint, nor of a telemetry that was given."""
        self.stop()
        self._machine.close()
        self.endpoint.close()
        if self._own_telemetry:
            self.telemetry.close()
        if self.history:
            self.history.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def _run(self, every: float) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self.sample()
            due = max(due + every, time.monotonic())  # who was held up does not catch up with a burst
            self._stop.wait(due - time.monotonic())

    def _look(self) -> tuple[Reading, dict[str, float | None]]:
        before, self._reading = self._reading, read(self._source)
        now = self._reading
        state = {
            "up": float(bool(now.up and now.models)),
            "models_loaded": None if now.models is None else float(len(now.models)),
        }
        calls = self.telemetry.calls.window(self.window)
        return now, {**state, **now.values, **rates(before, now), **self._machine.read(), **calls, **self._more()}

    def _watched(self) -> set[str]:
        """The names that can be had here: what nobody can tell is not missed."""
        here = {"up", *self._machine.read(), *table()["calls"], *self._more()}
        self._reading = first = read(self._source)
        return here | {name for name, value in first.values.items() if value is not None}


class _Probe:
    """A one-token question now and then, in a thread of its own: a slow engine must not hold up the samples."""

    def __init__(self, endpoint: Watched, every: float):
        self.endpoint, self.every, self._next, self._thread = endpoint, every, 0.0, None
        if every:
            endpoint.timeout = min(endpoint.timeout, PROBE_TIMEOUT)

    def maybe(self) -> None:
        now = time.monotonic()
        if not self.every or now < self._next or (self._thread and self._thread.is_alive()):
            return
        self._next = now + self.every
        self._thread = threading.Thread(target=self._ask, name="labkit probe", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            self.endpoint.chat("ping", max_tokens=1)
        except LabkitError:
            return  # counted as a failed call, which is the point
