"""What an engine is asked for, and whether it is here.

Taught in notebook 08, section "Fair".
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """How to start an engine.

    context: tokens of one conversation. parallel: conversations at once (slots). threads: CPU threads of the engine.
    start_timeout: seconds.
    """

    context: int = 2048
    parallel: int = 4
    threads: int = 1
    start_timeout: float = 120


@dataclass(frozen=True)
class Availability:
    """Whether an engine can be started here: `version` if so, else `why` not and one command to `fix` it."""

    ok: bool
    version: str = ""
    why: str = ""
    fix: str = ""

    def __bool__(self) -> bool:
        return self.ok
