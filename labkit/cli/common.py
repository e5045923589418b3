"""What every command shares: its common options, how it prints, and the line that shows progress."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Backend = Annotated[str, typer.Option(help="An engine of `labkit doctor`, or auto.")]
Model = Annotated[str, typer.Option(help="An alias of `labkit models`, or auto.")]
HIGHEST_PORT = 65535


def print_out(what) -> None:
    """Print text as it is, anything else as JSON, which any encoding can hold."""
    utf8 = (sys.stdout.encoding or "").lower().startswith("utf")
    print(what if isinstance(what, str) else json.dumps(what, indent=1, ensure_ascii=not utf8, default=str))


def complain(text: str, status: int = 0) -> int:
    """Print to stderr; return the exit status."""
    print(text, file=sys.stderr)
    return status


def key_of(name: str) -> str:
    """Return the key that the environment variable `name` holds. Raises ConfigError if it is not set."""
    from labkit.disk import set_variable
    from labkit.errors import ConfigError

    if key := os.environ.get(name):
        return key
    why = "without a key, any program of this machine could use the engine"
    fresh = "$(openssl rand -hex 16)" if os.name == "posix" else "A_LONG_RANDOM_WORD"
    raise ConfigError(f"The environment variable {name} is not set.", why, set_variable(name, fresh))


def end_in_order() -> None:
    """Let TERM leave the `with` blocks as Ctrl-C does, servers and engines included, instead of ending the process at once."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def say_starting(what: str, as_json: bool) -> None:
    """Tell a person on stderr what takes some seconds now; a program that reads JSON is told nothing."""
    if not as_json:
        complain(f"Starting {'an engine' if what == 'auto' else what} …")


class ProgressLine:
    """One line on stderr that is rewritten in place, and gone when the block ends; silent when stderr is not a terminal."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exc) -> None:
        self.clear()  # what went wrong begins on a line of its own

    def show(self, label: str, done: int, total: int) -> None:
        if self.live:
            print(f"\r\033[K{label}  {done}/{total}", end="", file=sys.stderr, flush=True)

    def show_cell(self, at) -> None:
        """Show where a run of lessons is: a labkit.course.Progress."""
        self.show(f"{at.lesson}  {at.seconds:.0f} s  cell", at.cell, at.cells)

    def clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
