"""Timetables of a workshop, made from the lessons' own minutes, and what an instructor should know about each lesson.

    table = plan("4h")
    for step in table.steps:
        print(step.starts, step.minutes, step.title)
    notes("04").wrong, notes("04").ask

Explained in README.md, section "The command".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache

from labkit import course, paths
from labkit.errors import ConfigError

__all__ = ["Notes", "Plan", "Step", "notes", "plan", "plans", "plan_text"]


@dataclass(frozen=True)
class Step:
    """One line of a timetable. starts and minutes: from the beginning, predicted. lesson: its id, "" for a break.

    exercises: ids of those to be done; none of the others are planned. sections: the headings that teach them.
    """

    starts: int
    minutes: int
    lesson: str
    title: str
    exercises: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A syllabus: its name, for whom it is, how long the room is booked (minutes), and its steps in order."""

    name: str
    title: str
    audience: str
    booked: int
    steps: tuple[Step, ...]

    @property
    def minutes(self) -> int:
        """Predicted, breaks included; the rest of `booked` is for questions."""
        return sum(step.minutes for step in self.steps)

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {**asdict(self), "minutes": self.minutes}


@dataclass(frozen=True)
class Notes:
    """For the instructor: what goes `wrong` and what helps, what to `ask` the room, and what to have ready before (`ready`)."""

    wrong: tuple[str, ...]
    ask: tuple[str, ...]
    ready: tuple[str, ...] = ()


def plans() -> list[str]:
    """Return the names of the syllabi, the shortest first."""
    return list(_table("syllabi")["plan"])


def plan(name: str) -> Plan:
    """Return a syllabus of data/syllabi.toml with its minutes predicted. Raises ConfigError for a name that is none.

    A lesson's minutes are those of data/lessons.toml; of one that is taught in part, the share of its exercises that are planned.
    """
    if name not in plans():
        raise ConfigError(
            f"There is no plan {name!r}", f"there are {', '.join(plans())}", f"labkit lessons --plan {plans()[0]}"
        )
    row = _table("syllabi")["plan"][name]
    steps, now = [], 0
    for entry in row["steps"]:
        steps.append(_step(entry, now))
        now += steps[-1].minutes
    return Plan(name, row["title"], row["audience"], row["booked"], tuple(steps))


def plan_text(table: Plan) -> str:
    """Return a timetable for a terminal."""
    lines = [f"{table.title}: {table.booked // 60} hours, for {table.audience}", ""]
    for step in table.steps:
        lines.append(f"  {_clock(step.starts)}  {step.minutes:>3} min  {step.lesson:2}  {step.title}")
        if step.sections:
            lines.append(f"                      {' · '.join(step.sections)}  (exercises {', '.join(step.exercises)})")
    spare = table.booked - table.minutes
    return "\n".join(
        [*lines, "", f"  {table.minutes} minutes as predicted from data/lessons.toml, {spare} for questions."]
    )


def notes(lesson: str) -> Notes:
    """Return the instructor's notes on a lesson, by its id. Raises ConfigError where there are none."""
    table = _table("instructor_notes")
    if lesson not in table:
        raise ConfigError(
            f"There are no notes on lesson {lesson}", f"there are for {', '.join(table)}", "labkit lessons"
        )
    return Notes(**{key: tuple(lines) for key, lines in table[lesson].items()})


def _step(entry: dict, starts: int) -> Step:
    from labkit.exercises.banks import rows

    if "rest" in entry:
        return Step(starts, entry["rest"], "", "Break")
    lesson = course.lesson_by_id(entry["lesson"])
    if "exercises" not in entry:
        return Step(starts, lesson.minutes, lesson.id, lesson.title)
    exercises = rows(lesson.id)
    chosen = [one for one in exercises if int(one["id"].partition(".")[2]) in entry["exercises"]]
    minutes = round(lesson.minutes * len(chosen) / len(exercises))
    sections = tuple(dict.fromkeys(one["section"] for one in chosen))
    return Step(starts, minutes, lesson.id, f"{lesson.title}, in part", tuple(one["id"] for one in chosen), sections)


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


@cache
def _table(name: str) -> dict:
    return paths.read_table(f"{name}.toml")
