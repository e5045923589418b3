"""Whatever a learner's code does, the caller gets an Outcome, and the code is no longer running."""

import _thread
import contextvars
import linecache
import sys
import threading
import time

import pytest

from labkit.exercises.attempt import Place, attempt

SPIN = "def spin():\n    while True: pass\n"


def typed(source: str):
    """Return the function `f` that this source defines, as if it had been typed into a cell."""
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(keepends=True), "<cell>")
    space = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), space)
    return space["f"]


def stays_quiet(outcome_of):
    """Run it and prove that it left no thread behind and that no thread ended with an uncaught error."""
    before, loud = set(threading.enumerate()), []
    hook, threading.excepthook = threading.excepthook, loud.append
    outcome = outcome_of()
    for thread in threading.enumerate():
        if thread.name == "labkit-exercise":
            thread.join(10)
    threading.excepthook = hook
    assert not loud
    assert set(threading.enumerate()) <= before
    return outcome


def test_a_value_comes_back():
    outcome = stays_quiet(lambda: attempt(divmod, 7, 2))
    assert (outcome.value, outcome.error, outcome.stopped, outcome.alive) == ((3, 1), None, "", False)


def test_an_error_comes_back_with_the_learners_last_line():
    outcome = stays_quiet(lambda: attempt(typed("def f(x):\n    y = 1\n    return int(x)\n"), "seven"))
    assert isinstance(outcome.error, ValueError)
    assert outcome.place == Place("f", 3, "return int(x)")


def test_the_place_is_where_it_went_wrong_not_who_called():
    source = "def g(x):\n    return 1 / x\ndef f(x):\n    return g(x)\n"
    assert attempt(typed(source), 0).place == Place("g", 2, "return 1 / x")


def test_an_error_in_our_own_code_has_no_place():
    assert attempt(int, "seven").place is None


@pytest.mark.parametrize(
    "raised", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit", "MemoryError", "StopIteration"]
)
def test_not_even_these_end_the_kernel(raised):
    outcome = stays_quiet(lambda: attempt(typed(f"def f():\n    raise {raised}")))
    assert type(outcome.error).__name__ == raised.removesuffix("(0)")


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "while True:\n        try: spin()\n        except Exception: pass",
        "import itertools\n    for i in itertools.count(): i * i",
    ],
)
def test_an_endless_loop_is_stopped_and_located(body):
    outcome = stays_quiet(lambda: attempt(typed(f"{SPIN}def f():\n    {body}"), seconds=0.2))
    assert outcome.stopped == "it was still running after 0.2 s"
    assert not outcome.alive
    assert outcome.place.function in ("f", "spin")
    assert outcome.place.source


def test_a_loop_that_swallows_the_stop_once_is_asked_again():
    source = f"{SPIN}def f():\n    for _ in range(3):\n        try: spin()\n        except: pass\n"
    outcome = stays_quiet(lambda: attempt(typed(source), seconds=0.2))
    assert outcome.stopped
    assert not outcome.alive


def test_memory_is_limited_too():
    source = "def f():\n    kept = []\n    while True:\n        kept.append(bytearray(10**6))\n"
    outcome = stays_quiet(lambda: attempt(typed(source), seconds=60, megabytes=100))
    assert outcome.stopped == "it took more than 100 MB of memory"


def test_what_cannot_be_stopped_is_said_to_be_alive():
    gate = threading.Event()
    outcome = attempt(gate.wait, seconds=0.1)
    assert outcome.stopped
    assert outcome.alive
    gate.set()


def test_an_interrupt_of_the_kernel_ends_the_attempt_and_goes_on():
    def interrupt_then_spin():
        _thread.interrupt_main()
        while True:
            time.sleep(0.001)

    def interrupted():
        with pytest.raises(KeyboardInterrupt):
            attempt(interrupt_then_spin, seconds=60)

    stays_quiet(interrupted)


def test_context_variables_and_output_are_the_callers(capsys):
    name = contextvars.ContextVar("name")
    name.set("here")
    attempt(lambda: print(name.get()))
    assert capsys.readouterr().out == "here\n"


def test_deep_recursion_is_an_error_like_any_other():
    outcome = stays_quiet(lambda: attempt(typed("def f():\n    return f()\n")))
    assert isinstance(outcome.error, RecursionError)
    assert outcome.place.line == 2
    assert sys.getrecursionlimit() < 10_000
