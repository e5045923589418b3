"""What every command shares: its common options, how it prints, and the line that shows progress."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Backend = Annotated[str, typer.Option(help="An engine of `labkit doctor`, or auto.")]
Model = Annotated[str, typer.Option(help="An alias of `labkit models`, or auto.")]


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
    from labkit.errors import ConfigError

    if key := os.environ.get(name):
        return key
    why = "without a key, any program of this machine could use the engine"
    raise ConfigError(f"The environment variable {name} is not set.", why, f"export {name}=$(openssl rand -hex 16)")


class ProgressLine:
    """One line on stderr that is rewritten in place; silent when stderr is not a terminal."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def show(self, label: str, done: int, total: int) -> None:
        if self.live:
            print(f"\r\033[K{label}  {done}/{total}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
