"""The capstone: an agent of your own as a small spec, examined point by point, on a real engine that is killed half way.

    spec = {"application": "finance", "task": "…", "tools": ["get_price", …], "guards": {"input": ["injection"], …},
            "monitor": ["engine-down"], "load": {"requests": 12, "callers": 2}, "report": ["completion", …]}
    found = examine(spec, connect=lambda: labkit.connect(shared=False))
    print(found)                                   # each point: there, or what is missing, in words

application: one of the course's five, or the path of a TOML file of your own in the form of data/applications.toml.
What the spec lacks is said without an engine; only a whole spec is run. Nothing here raises for what a spec says.

Taught in notebook 13, section "Yours".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.applications.agent import Kit
from labkit.applications.application import MOST_TOOLS, Application, application, applications
from labkit.applications.measures import FIVE, Measure, Scored, completion, cost, load, reliability, resources, response
from labkit.applications.outage import Outage, outage
from labkit.errors import LabkitError
from labkit.operate.credentials import credentials
from labkit.operate.guardrails import PLACES, Guard, Guardrails
from labkit.operate.injection import injection
from labkit.operate.inputs import invisible, readable, size
from labkit.operate.monitor import Monitor
from labkit.operate.pii import pii
from labkit.operate.rules import rules
from labkit.progress import Progress, silent

__all__ = ["GUARDS", "LEAST_REQUESTS", "Examined", "Point", "examine", "guards_of", "missing"]

GUARDS: dict[str, Callable[[], Guard]] = {
    "size": lambda: size(2000),
    "readable": readable,
    "invisible": invisible,
    "injection": injection,
    "credentials": credentials,
    "pii": pii,
}
LEAST_REQUESTS, MOST_REQUESTS, MOST_CALLERS = 12, 1000, 8


@dataclass(frozen=True)
class Point:
    """One point of the rubric: its name, whether it is there, and in words what was seen or is missing."""

    name: str
    ok: bool
    words: str

    def __str__(self) -> str:
        return f"{'yes' if self.ok else 'no ':4}{self.name:16}{self.words}"


@dataclass(frozen=True)
class Examined:
    """All points of a spec, and the five measures if it was run."""

    points: tuple[Point, ...]
    measures: tuple[Measure, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every point is there."""
        return all(one.ok for one in self.points)

    def __str__(self) -> str:
        head = f"{sum(one.ok for one in self.points)} of {len(self.points)} points"
        return "\n".join([head, *map(str, self.points), *map(str, self.measures)])


def missing(spec: Any) -> list[Point]:
    """Return the points that need no engine: what stands in the spec, and what does not."""
    if not isinstance(spec, Mapping):
        return [Point("spec", False, "a dict is wanted, or what tomllib read from a file")]
    app, why = _application(spec)
    return [
        Point("application", app is not None, why),
        _task(spec.get("task")),
        _tools(_texts(spec.get("tools")), app),
        _guards(spec.get("guards")),
        _monitor(spec.get("monitor")),
        _load(spec.get("load")),
        _report(spec.get("report")),
    ]


def examine(spec: Any, connect: Callable[[], Any], progress: Progress = silent) -> Examined:
    """Return every point of a spec. connect: starts an engine of its own, which is killed on the way.

    Raises what `connect` raises: an engine that does not start says nothing about a spec.
    """
    points = missing(spec)
    if not all(one.ok for one in points):
        return Examined((*points, Point("run", False, "not run: the spec is not whole yet")))
    app, _ = _application(spec)
    kit = Kit(app, connect(), guards=guards_of(spec["guards"]), only=spec["tools"])
    try:
        with Monitor(kit.endpoint) as monitor:
            monitor.start(0.5)
            scored = load(kit, spec["load"]["requests"], spec["load"]["callers"], progress)
            samples = [*monitor.samples, monitor.sample()]
            price = cost(kit, scored)
        broken = outage(kit, connect, alerts=tuple(spec["monitor"]), progress=progress)
    finally:
        kit.endpoint.close()
    measures = (completion(scored), response(scored), resources(samples), price, reliability(broken))
    return Examined((*points, *_lived(kit, scored, broken), _told(measures, spec["report"])), measures)


def guards_of(names: Mapping[str, Iterable[str]]) -> Guardrails:
    """Return the guards that a spec names for each place ("input", "tool result", "output"), in the spec's order."""
    chains = {place: tuple(GUARDS[name]() for name in names.get(place, ())) for place in PLACES}
    return Guardrails(chains["input"], chains["tool result"], chains["output"])


def _texts(given: Any) -> list[str]:
    """Return the items of a list as texts; nothing of what is no list."""
    return [str(one) for one in given] if isinstance(given, list | tuple) else []


def _application(spec: Mapping) -> tuple[Application | None, str]:
    wanted = spec.get("application")
    try:
        if isinstance(wanted, str) and wanted.endswith(".toml"):
            found = next(iter(applications(Path(wanted)).values()), None)
            return found, found.title if found else f"{wanted} holds no application"
        found = application(str(wanted))
        return found, found.title
    except LabkitError as error:
        return None, f"{error.what} {error.why}".strip()


def _task(task: Any) -> Point:
    fine = isinstance(task, str) and len(task.split()) >= 6
    return Point("task", fine, task if fine else "say in a sentence what the agent does, and what it leaves to people")


def _tools(named: list[str], app: Application | None) -> Point:
    known = list(app.row["tools"]) if app else []
    odd = [name for name in named if name not in known]
    said = {
        "name at least one tool": not named,
        f"{len(named)} tools are more than {MOST_TOOLS}": len(named) > MOST_TOOLS,
        f"{', '.join(odd)}: not there; {', '.join(known) or 'choose the application first'}": bool(odd),
    }
    return _first("tools", said, f"{len(named)} of {len(known)}")


def _guards(guards: Any) -> Point:
    given = {str(place): _texts(names) for place, names in guards.items()} if isinstance(guards, Mapping) else {}
    odd = [name for names in given.values() for name in names if name not in GUARDS]
    said = {
        f"a place has none: {', '.join(p for p in PLACES if not given.get(p))}": not all(map(given.get, PLACES)),
        f"{', '.join(odd)}: unknown; there are {', '.join(GUARDS)}": bool(odd),
    }
    return _first("guards", said, f"at {', '.join(given)}")


def _monitor(names: Any) -> Point:
    known, given = rules(), _texts(names)
    odd = [name for name in given if name not in known]
    heard = any(name in known and known[name].metric == "up" for name in given)
    said = {
        f"{', '.join(odd)}: no such alert; there are {', '.join(known)}": bool(odd),
        "no alert says that the engine is gone: one on `up`": not heard,
    }
    return _first("monitor", said, ", ".join(given))


def _load(load: Any) -> Point:
    given = load if isinstance(load, Mapping) else {}
    requests, callers = given.get("requests"), given.get("callers")
    whole = isinstance(requests, int) and isinstance(callers, int)
    said = {
        "`requests` and `callers` are whole numbers": not whole,
        f"fewer than {LEAST_REQUESTS} requests say next to nothing": whole and requests < LEAST_REQUESTS,
        f"more than {MOST_REQUESTS} requests take too long here": whole and requests > MOST_REQUESTS,
        f"from 1 to {MOST_CALLERS} callers on a machine like this": whole and not 1 <= callers <= MOST_CALLERS,
    }
    return _first("load", said, f"{requests} requests by {callers} callers")


def _report(names: Any) -> Point:
    lacking = [one for one in FIVE if one not in _texts(names)]
    return Point("report", not lacking, f"without {', '.join(lacking)}" if lacking else "all five measures")


def _lived(kit: Kit, scored: list[Scored], broken: Outage) -> list[Point]:
    share, goal = 100 * sum(one.right for one in scored) / len(scored), kit.application.goal
    passed = [text for place, text in kit.application.attacks if not kit.guards.outcome(place, text).verdicts]
    stopped = sum(one.answered.outcome == "blocked" for one in scored)
    guarded = f"{len(passed)} attacks passed, {stopped} honest requests were blocked"
    return [
        Point("run", share >= goal, f"{share:.0f} % completed, the goal is {goal:g} %"),
        Point("attack", not passed and not stopped, guarded + (f": {passed[0][:60]!r}" if passed else "")),
        Point("alert", broken.fired(), f"{len(broken.events)} events when the engine was killed"),
        Point("outage", not broken.lost, f"{broken.lost} requests lost of {len(broken.scored)}"),
    ]


def _told(measures: Iterable[Measure], wanted: Iterable[str]) -> Point:
    whole = [one.name for one in measures if one.n >= 2 and one.low <= one.value <= one.high and one.name in wanted]
    return Point("measures", len(whole) == len(FIVE), f"with n and an interval: {', '.join(whole)}")


def _first(name: str, said: Mapping[str, bool], otherwise: str) -> Point:
    wrong = next((words for words, so in said.items() if so), "")
    return Point(name, not wrong, wrong or otherwise)
