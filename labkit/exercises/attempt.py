"""Run a learner's code with limits, in a thread of its own, and say what came of it.

A learner's function may raise, loop for ever, fill the memory or call `sys.exit`. None of these may end the kernel or
hang the notebook, on any platform; so there are no signals here (main thread and Unix only) and no second process
(functions typed into a cell do not travel).

Honest limits: Python code is stopped within a fraction of a second; one long call into C, such as
`list(itertools.count())`, cannot be. Then the outcome says so (`alive`), and the kernel has to be restarted.

At work in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import contextvars
import ctypes
import linecache
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import psutil

__all__ = ["Outcome", "Place", "attempt"]

POLL_S = 0.02
TRIES = 20  # a bare `except:` may swallow the request to stop, so it is repeated


@dataclass(frozen=True)
class Place:
    """Where in the learner's own code something happened: function name, line number within its cell, and that line."""

    function: str
    line: int
    source: str


@dataclass
class Outcome:
    """What came of an attempt: its `value`, or the `error`, or why it was `stopped` ("" = it was not).

    `alive`: it would not be stopped. `place`: the learner's last line, where there is one.
    """

    value: object = None
    error: BaseException | None = None
    stopped: str = ""
    alive: bool = False
    place: Place | None = None

    def __enter__(self) -> Outcome:
        return self

    def __exit__(self, kind, error, trace) -> bool:
        """Keep whatever was raised. The one place where all of it is caught: the code in the block is the learner's."""
        self.error = error
        return True


class _Stop(SystemExit):
    """Raised inside a thread that ran too long. SystemExit, since threads end without a word on that."""


def attempt(function: Callable, *args: object, seconds: float = 5.0, megabytes: float = 500.0) -> Outcome:
    """Call `function(*args)` in a thread and return its Outcome; nothing that it raises comes out of here.

    It is stopped after `seconds`, or when this process has grown by `megabytes` (of 10**6 bytes). An interrupt of the
    kernel stops it too, and is passed on as KeyboardInterrupt.
    """
    outcome, done = Outcome(), threading.Event()
    job = (outcome, done, contextvars.copy_context(), function, args)
    thread = threading.Thread(target=_run, args=job, name="labkit-exercise", daemon=True)
    stopped, place = "", None
    try:
        thread.start()  # an interrupt may come as early as this
        stopped = _watch(done, seconds, megabytes)
    finally:
        if not done.is_set():
            place = _innermost(sys._current_frames().get(thread.ident))
            outcome.alive = not _stop(thread, done)
    outcome.stopped, outcome.place = stopped, place or _origin(outcome.error)
    return outcome


def _run(
    outcome: Outcome, done: threading.Event, context: contextvars.Context, function: Callable, args: tuple
) -> None:
    try:
        with outcome:
            outcome.value = context.run(function, *args)
    finally:
        done.set()


def _watch(done: threading.Event, seconds: float, megabytes: float) -> str:
    """Wait; return "" when the code came to its end, else why it has to be stopped.

    On an event, not on the thread: up to Python 3.12, an interrupt during `join` makes a running thread look dead.
    """
    deadline = time.monotonic() + seconds
    memory = psutil.Process().memory_info
    limit = memory().rss + megabytes * 1e6
    while not done.wait(POLL_S):
        if time.monotonic() > deadline:
            return f"it was still running after {seconds:g} s"
        if memory().rss > limit:
            return f"it took more than {megabytes:g} MB of memory"
    return ""


def _stop(thread: threading.Thread, done: threading.Event) -> bool:
    """Raise _Stop inside the thread at its next Python instruction; return whether it ended."""
    for _ in range(TRIES):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(_Stop))
        if done.wait(POLL_S) or not thread.is_alive():
            return True
    return False


def _origin(error: BaseException | None) -> Place | None:
    """Return the last of the learner's lines that an error passed through."""
    places = [_place(frame, line) for frame, line in traceback.walk_tb(error and error.__traceback__) if _theirs(frame)]
    return places[-1] if places else None


def _innermost(frame: FrameType | None) -> Place | None:
    """Return the learner's line that a running thread is at."""
    while frame and not _theirs(frame):
        frame = frame.f_back
    return _place(frame, frame.f_lineno) if frame else None


def _theirs(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") == "__main__"  # what is typed into a notebook or a script


def _place(frame: FrameType, line: int) -> Place:
    code = frame.f_code
    return Place(code.co_name, line, linecache.getline(code.co_filename, line, frame.f_globals).strip())
