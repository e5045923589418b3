"""Exercises that check themselves, in the kernel, offline.

In a notebook:

    from labkit import exercise

    ex = exercise("00.1")
    answer = ...                # the stub: the notebook runs as it is
    ex.check(answer)            # not attempted · wrong, because … · right
    ex.hint()                   # a nudge; again for the next one
    ex.solution()

How to write one: texts and answers lie in `data/exercises/NN.M.toml`, one file an exercise; the checker is a plain
function in `labkit/exercises/lesson_NN.py`. Its parameters are named like the learner's variables; it uses the values
as if they were good, says what is `wrong`, and comes to its end when all is right. What the learner's code raises, and
loops that never end, are taken care of. Sentences are plain text; the only markup is `code` between backticks. Put
values into them with `show(value)`.

    def check_switch(switch):
        require_function(switch)
        require(switch(17) == "on", "you compare the wrong way round: 17 is below the setpoint.")
        cases(switch, [(20, "off"), (25, "off")])

And in the file (a text may be wrapped; code stands between three quotes):

    title = "A switch"
    section = "Agents that react"
    task = "Write `switch(temperature)`: `on` below 20 degrees, else `off`."
    expects = "a function of one number that returns `on` or `off`, as a str"
    hints = ["Compare with 20.", "`if temperature < 20:` …"]
    why = "A rule on the current percept is all that a simple reflex agent has."
    check = "check_switch"

    blank = ["def switch(temperature):\\n    ..."]     # the first is the notebook's stub
    solution = "switch = lambda temperature: 'on' if temperature < 20 else 'off'"
    right = ["switch = lambda t: 'off' if t >= 20 else 'on'"]

    [[wrong]]
    misconception = "turns the comparison round"
    expect = "wrong way round"
    code = "switch = lambda t: 'off' if t < 20 else 'on'"

    [[wrong]]
    misconception = "gives a value instead of a function"
    expect = "not a function"
    code = "switch = 42"

Then run `pytest tests/test_exercise_banks.py -k NN`: it proves each verdict and message, that every line of the checker
matters, and that the notebook has the section, the stub and the call. A whole bank to copy is `tests/example_bank.py`
with `tests/example_exercises/`.

Taught in notebook 00, section "How exercises work".
"""

from __future__ import annotations

from functools import cache

from labkit.exercises.banks import find
from labkit.exercises.core import Answers, Exercise, Verdict, Wrong
from labkit.exercises.journal import Progress, progress
from labkit.exercises.message import Message, code, show
from labkit.exercises.requirements import cases, raises, require, require_function, returned, wrong
from labkit.exercises.session import Session

__all__ = [
    "exercise", "progress",
    "wrong", "require", "require_function", "returned", "raises", "cases", "show", "code",
    "Exercise", "Answers", "Wrong", "Session", "Verdict", "Message", "Progress",
]  # fmt: skip


@cache  # one Session a kernel and exercise, so that a cell run again goes on with the next hint
def exercise(exercise_id: str) -> Session:
    """Return the exercise with this id, such as "00.1"; it is quiet until you show, check or ask.

    Raises UnknownExercise, which names the nearest one.
    Taught in notebook 00, sections "What runs here" and "How exercises work".
    """
    return Session(find(exercise_id))
