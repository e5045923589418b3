'''Exercises that check themselves, in the kernel, offline.

In a notebook:

    from labkit import exercise

    ex = exercise("00.1")
    answer = ...                # the stub: the notebook runs as it is
    ex.check(answer)            # not attempted · wrong, because … · right
    ex.hint()                   # a nudge; again for the next one
    ex.solution()

How to write a bank: `labkit/exercises/lesson_NN.py` holds a list `EXERCISES`, in reading order. A checker is a plain
function. Its parameters are named like the learner's variables; it uses the values as if they were good, says what is
`wrong`, and comes to its end when all is right. What the learner's code raises, and loops that never end, are taken
care of. Sentences are plain text; the only markup is `code` between backticks. Put values into them with `show(value)`.

    def check_switch(switch):
        require(callable(switch), f"{show(switch)} is not a function.")
        require(switch(17) == "on", "you compare the wrong way round: 17 is below the setpoint.")
        cases(switch, [(20, "off"), (25, "off")])

    EXERCISES = [
        Exercise(
            id="00.1", title="A switch", section="Agents that react", check=check_switch,
            task="Write `switch(temperature)`: `on` below 20 degrees, else `off`.",
            expects="a function of one number that returns `on` or `off`, as a str",
            hints=["Compare with 20.", "`if temperature < 20:` …"],
            solution="""def switch(temperature):\\n    return "on" if temperature < 20 else "off" """,
            why="A rule on the current percept is all that a simple reflex agent has.",
            answers=Answers(
                blank=["""def switch(temperature):\\n    ..."""],            # the first is the notebook's stub
                wrong=[
                    Wrong("switch = 42", "not a function", "gave a value instead of a function"),
                    Wrong("switch = lambda t: 'off' if t < 20 else 'on'", "wrong way round", "turned it round"),
                    Wrong("switch = lambda t: 'on' if t <= 20 else 'off'", "(20)", "20 is not below 20"),
                ],
                right=["switch = lambda t: 'on' if t < 20 else 'off'"],
            ),
        ),
    ]

Then run `pytest tests/test_exercise_banks.py -k NN`: it proves each verdict and message, that every line of the checker
matters, and that the notebook has the section, the stub and the call. A whole bank to copy is `tests/example_bank.py`.

Taught in notebook 00, section "How exercises work".
'''

from __future__ import annotations

from functools import cache

from labkit.exercises.banks import find
from labkit.exercises.core import Answers, Exercise, Verdict, Wrong, cases, require, wrong
from labkit.exercises.journal import Progress, progress
from labkit.exercises.message import Message, show
from labkit.exercises.session import Session

__all__ = [
    "exercise", "progress",
    "Exercise", "Answers", "Wrong", "wrong", "require", "cases", "show",
    "Session", "Verdict", "Message", "Progress",
]  # fmt: skip


@cache  # one Session a kernel and exercise, so that a cell run again goes on with the next hint
def exercise(exercise_id: str) -> Session:
    """Return the exercise with this id, such as "00.1"; it is quiet until you show, check or ask.

    Raises UnknownExercise, which names the nearest one.
    Taught in notebook 00, sections "What runs here" and "How exercises work".
    """
    return Session(find(exercise_id))
