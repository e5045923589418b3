"""What a learner holds: one exercise, with its check, its hints and its solution.

Taught in notebook 00, section "How exercises work".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labkit.exercises import start_page
from labkit.exercises.core import Exercise, Verdict
from labkit.exercises.journal import record
from labkit.exercises.message import Message

__all__ = ["Session"]


@dataclass
class Session:
    """One exercise in one kernel; it remembers how many hints it has given.

    Made by `labkit.exercise`. Taught in notebook 00, section "How exercises work".
    """

    exercise: Exercise
    hints_given: int = 0

    def check(self, *values: object, **named: object) -> Verdict:
        """Return the Verdict on your values: "not attempted", "wrong" (because …) or "right"; it counts as progress.

        Raises CourseError when there are too many values or too few.
        """
        verdict = self.exercise.judge(*values, **named)
        record(self.exercise.id, verdict=verdict.status)
        start_page.renew(Path())  # a notebook runs in the folder where it lies
        return verdict

    def hint(self) -> Message:
        """Return the next hint; after the last one, the last again."""
        hints = self.exercise.hints
        self.hints_given = min(self.hints_given + 1, len(hints))
        record(self.exercise.id, hint=self.hints_given)
        more = "" if self.hints_given < len(hints) else "This was the last one; `solution()` shows an answer."
        return Message(f"Hint {self.hints_given} of {len(hints)}.", f"{hints[self.hints_given - 1]} {more}")

    def solution(self) -> Message:
        """Return one right answer as code; there are others."""
        record(self.exercise.id, solution=True)
        return Message("One solution.", self.exercise.why, code=self.exercise.solution)

    def _message(self) -> Message:
        exercise = self.exercise
        calls = f"`check({', '.join(exercise.names)})`, `hint()` ({len(exercise.hints)}), `solution()`"
        details = (("Expected", exercise.expects), ("When ready", calls))
        return Message(f"Exercise {exercise.id}, {exercise.title}.", exercise.task, details)

    def _repr_markdown_(self) -> str:
        return self._message().markdown()

    def __repr__(self) -> str:
        return self._message().plain()
