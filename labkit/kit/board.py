"""Thirty machines and learners at a glance, from the files they wrote; no server, nothing installed on the way.

    found = board([Path("reports")])          # files, or folders of them
    found.to_dict(); str(found); page(found)

Explained in README.md, section "The command".
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from labkit import course
from labkit.errors import KitError
from labkit.kit.documents import MACHINE, read
from labkit.kit.install import numbers

__all__ = ["Board", "Learner", "Machine", "board", "spans"]

GB = 1e9
SYSTEMS = {"Darwin": "macOS"}
THIS_MOMENT = re.compile(r", [\d.]+ GB are free")  # would keep equal problems of two machines apart


@dataclass(frozen=True)
class Machine:
    """One machine: lessons are ids that run live, `replayed` those that run on a recording; memory in GB (10**9 bytes)."""

    name: str
    system: str
    cores: int | None
    ram_gb: float | None
    free_gb: float | None
    labkit: str
    engines: tuple[str, ...]
    model: bool
    lessons: tuple[str, ...]
    replayed: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def state(self) -> str:
        """In a word or two: "ready", or how many problems it has."""
        return f"{len(self.problems)} problem{'s' * (len(self.problems) > 1)}" if self.problems else "ready"

    def how(self, lesson: str) -> str:
        """Return how a lesson runs here: "live", "replayed" or "no"."""
        return "live" if lesson in self.lessons else "replayed" if lesson in self.replayed else "no"


@dataclass(frozen=True)
class Learner:
    """One learner: `right` counts exercises by lesson id; `last` is when anything changed (ISO 8601)."""

    name: str
    right: dict[str, int]
    hints: int
    solutions: int
    last: str
    answers: int

    @property
    def exercises_right(self) -> int:
        """How many, over all lessons."""
        return sum(self.right.values())


@dataclass(frozen=True)
class Board:
    """All of them. lessons: (id, title, exercises, on how many machines it runs, how many learners have it all right)."""

    machines: tuple[Machine, ...]
    learners: tuple[Learner, ...]
    lessons: tuple[tuple[str, str, int, int, int], ...]
    problems: tuple[tuple[str, tuple[str, ...]], ...]
    unread: tuple[str, ...]

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        keys = ("id", "title", "exercises", "machines", "learners")
        return {
            "machines": [asdict(one) for one in self.machines],
            "learners": [asdict(one) for one in self.learners],
            "lessons": [dict(zip(keys, row, strict=True)) for row in self.lessons],
            "problems": [{"problem": problem, "machines": list(names)} for problem, names in self.problems],
            "unread": list(self.unread),
        }


def board(files: Iterable[Path]) -> Board:
    """Read reports and exports, and return them together; what cannot be read is told in `unread` and stops nothing.

    Raises KitError when none of them can be read.
    """
    machines, learners, unread = [], [], []
    for name, file in _named(files):
        try:
            kind, found = read(file)
        except KitError as error:
            unread.append(f"{error.what}: {error.why}")
            continue
        (machines if kind == MACHINE else learners).append(
            _machine(name, found) if kind == MACHINE else _learner(name, found)
        )
    if not machines and not learners:
        raise KitError(
            "There is nothing for a board",
            "; ".join(unread[:3]) or "no file was named",
            "labkit doctor --report desk-01.json",
        )
    machines = _with_old_labkits(machines)
    return Board(tuple(machines), tuple(learners), _lessons(machines, learners), _problems(machines), tuple(unread))


def spans(ids: Iterable[str]) -> str:
    """Return lesson ids as spans of their reading order: ["00", "01", "02", "06"] → "00-02 06"."""
    order = [row.id for row in course.lessons()]
    places, parts = sorted(order.index(one) for one in set(ids) if one in order), []
    for place in places:
        if parts and parts[-1][1] == place - 1:
            parts[-1][1] = place
        else:
            parts.append([place, place])
    return " ".join(order[a] if a == b else f"{order[a]}-{order[b]}" for a, b in parts)


def _named(files: Iterable[Path]) -> list[tuple[str, Path]]:
    """Name each file by its stem; where two have the same, by their folder too."""
    found = [
        one for file in files for one in (sorted(Path(file).glob("*.json")) if Path(file).is_dir() else [Path(file)])
    ]
    often = Counter(file.stem for file in found)
    return [(file.stem if often[file.stem] == 1 else f"{file.parent.name}/{file.stem}", file) for file in found]


def _machine(name: str, found: dict) -> Machine:
    facts, lessons = found["machine"], found["lessons"]
    system = (facts["os"] or "unknown").split()[0]
    ram = facts.get("ram_limit_bytes") or facts["ram_total_bytes"]
    return Machine(
        name,
        " ".join(filter(None, (SYSTEMS.get(system, system), facts["architecture"]))),
        facts["cores_usable"],
        ram and round(ram / GB, 1),
        facts["ram_free_bytes"] and round(facts["ram_free_bytes"] / GB, 1),
        found["labkit"],
        tuple(engine for engine, here in found["engines"].items() if here["ok"]),
        any(one["here"] for one in found["models"]),
        tuple(one["id"] for one in lessons if one["live"]),
        tuple(one["id"] for one in lessons if one["runs"] and not one["live"]),
        tuple(THIS_MOMENT.sub("", one) for one in found["problems"]),
    )


def _with_old_labkits(machines: list[Machine]) -> list[Machine]:
    """A machine whose labkit is older than another's has a problem that it cannot know of."""
    newest = max((one.labkit for one in machines), key=numbers, default="")
    problem = f"labkit is older than {newest}, which others have"
    old = [numbers(one.labkit) < numbers(newest) for one in machines]
    return [
        replace(one, problems=(*one.problems, problem)) if is_old else one
        for one, is_old in zip(machines, old, strict=True)
    ]


def _learner(name: str, found: dict) -> Learner:
    entries = found["exercises"]
    right = Counter(one.partition(".")[0] for one, row in entries.items() if row["status"] == "right")
    last = max((row["updated"] for row in entries.values()), default="")
    hints, solutions = (sum(int(row[key]) for row in entries.values()) for key in ("hints", "solution"))
    return Learner(name, dict(sorted(right.items())), hints, solutions, last, len(found.get("answers", {})))


def _lessons(machines: list[Machine], learners: list[Learner]) -> tuple[tuple[str, str, int, int, int], ...]:
    rows = []
    for row in course.lessons():
        run = sum(row.id in (*one.lessons, *one.replayed) for one in machines)
        done = sum(one.right.get(row.id, 0) >= row.exercises for one in learners)
        rows.append((row.id, row.title, row.exercises, run, done))
    return tuple(rows)


def _problems(machines: list[Machine]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each problem with the machines that have it, the commonest first."""
    who: dict[str, list[str]] = defaultdict(list)
    for one in machines:
        for problem in one.problems:
            who[problem].append(one.name)
    return tuple((problem, tuple(names)) for problem, names in sorted(who.items(), key=lambda row: -len(row[1])))
