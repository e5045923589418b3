"""What an exercise is, what its answers are, and how an answer gets its verdict.

`labkit.exercises` shows how to write one; `requirements.py` holds what a checker says.

Taught in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from labkit.errors import CourseError, LabkitError
from labkit.exercises.attempt import Outcome, attempt
from labkit.exercises.blank import blanks
from labkit.exercises.message import Message, code
from labkit.exercises.requirements import WrongAnswer

__all__ = ["Exercise", "Answers", "Wrong", "Verdict", "NOT_ATTEMPTED", "WRONG", "RIGHT"]

NOT_ATTEMPTED, WRONG, RIGHT = "not attempted", "wrong", "right"


@dataclass(frozen=True)
class Wrong:
    """A wrong answer in a bank: its source `code`, a part of the message to `expect`, the `misconception` behind it."""

    code: str
    expect: str
    misconception: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers that prove a checker, as source code that defines the names the checker asks for.

    `blank[0]` is the stub that the notebook ships. `setup` runs first: what earlier cells of the notebook have defined.
    """

    blank: Sequence[str]
    wrong: Sequence[Wrong]
    right: Sequence[str]
    setup: str = ""


@dataclass(frozen=True)
class Verdict:
    """What `check` says: `status` is "not attempted", "wrong" or "right"; true only when right.

    Jupyter shows its message as Markdown, everything else as plain text.
    Taught in notebook 00, section "How exercises work".
    """

    status: str
    message: Message

    def __bool__(self) -> bool:
        return self.status == RIGHT

    def _repr_markdown_(self) -> str:
        return self.message.markdown()

    def __str__(self) -> str:
        return self.message.plain()

    __repr__ = __str__


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """One exercise of a bank.

    id: "LESSON.NUMBER", such as "00.1".          title, task: what to do, in a few words and in full.
    section: the heading, in the notebook, of the section that teaches it.
    expects: what shape a good answer has ("a function of one number that returns a str").
    check: called with the learner's values; its parameters are named like the learner's variables. It calls `wrong` or
      `require`, or comes to its end: right. It may use them freely: what they raise becomes a "wrong" verdict.
    hints: from a nudge to nearly the answer.     solution: code; proven right by the tests.
    why: one sentence on why it matters, shown when right.
    answers: what proves the checker.
    blank: replaces the rules of `labkit.exercises.blank`; called like `check`, true for an untouched stub.
    seconds: how long one check may take.
    """

    id: str
    title: str
    task: str
    section: str
    expects: str
    check: Callable[..., None]
    hints: Sequence[str]
    solution: str
    why: str
    answers: Answers
    blank: Callable[..., bool] | None = None
    seconds: float = 5.0
    lesson: str = field(init=False, default="")

    def __post_init__(self):
        object.__setattr__(self, "lesson", self.id.partition(".")[0])

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values that `check` wants, in order."""
        return tuple(inspect.signature(self.check).parameters)

    def judge(self, *values: object, **named: object) -> Verdict:
        """Return the Verdict on a learner's values; nothing is recorded.

        Raises CourseError when the number of values is not the checker's, and any LabkitError that the check ran into
        (an engine that died says nothing about the answer).
        """
        given = self._bind(values, named)
        outcome = attempt(self._decide, given, seconds=self.seconds)
        if outcome.stopped:
            return self._stopped(outcome)
        if isinstance(outcome.error, LabkitError):
            raise outcome.error
        return self._raised(outcome) if outcome.error else outcome.value

    def _bind(self, values: tuple, named: dict) -> dict[str, object]:
        surplus = len(values) > len(self.names) or named.keys() - set(self.names[len(values) :])
        given = dict(zip(self.names, values, strict=False)) | named
        if surplus or len(given) < len(self.names):
            call = f"ex.check({', '.join(self.names)})"
            what = f"Exercise {self.id} checks {len(self.names)} value(s): {', '.join(self.names)}"
            raise CourseError(what, f"{len(values) + len(named)} came, or one under another name", call)
        return {name: given[name] for name in self.names}

    def _decide(self, given: dict[str, object]) -> Verdict:
        untouched = self._untouched(given)
        if untouched:
            return self._not_attempted(untouched)
        try:
            self.check(**given)
        except WrongAnswer as answer:
            return self._wrong(*answer.args)
        return Verdict(RIGHT, Message("Right.", self.why))

    def _untouched(self, given: dict[str, object]) -> list[str]:
        if self.blank is not None:
            return list(given) if self.blank(**given) else []
        return blanks(given, self.answers.blank)

    def _not_attempted(self, names: list[str]) -> Verdict:
        what = " and ".join(f"`{name}`" for name in names)
        text = f"{what} {'is' if len(names) == 1 else 'are'} still blank."
        return Verdict(NOT_ATTEMPTED, Message("Not attempted yet.", text, (("Task", self.task),)))

    def _wrong(self, because: str, expected: str = "", look: str = "") -> Verdict:
        details = (("Expected", expected or self.expects), ("Look at", look or f"the section “{self.section}”"))
        return Verdict(WRONG, Message("Wrong", f", because {because}", details))

    def _stopped(self, outcome: Outcome) -> Verdict:
        at = f" at line {outcome.place.line} of `{outcome.place.function}`" if outcome.place else ""
        alive = " It does not react and still runs: restart the kernel to end it." if outcome.alive else ""
        return self._wrong(f"{outcome.stopped}{at}.{alive}", look=_line(outcome))

    def _raised(self, outcome: Outcome) -> Verdict:
        problem = code(traceback.format_exception_only(outcome.error)[-1][:300])
        if outcome.place is None:
            return self._wrong(f"the check could not use your answer and met {problem}.")
        where = f"at line {outcome.place.line} of its cell"
        return self._wrong(f"{code(outcome.place.function)} raised {problem} {where}.", look=_line(outcome))


def _line(outcome: Outcome) -> str:
    """Quote the learner's line, if it is known."""
    place = outcome.place
    return f"line {place.line}: {code(place.source)}" if place and place.source else ""
