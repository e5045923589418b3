"""The capstone's rubric: examine a spec, say point by point what is there and what is missing, and keep what was reached.

    found = capstone(spec)               # runs it on an engine of its own, if the spec is whole
    found.ok, found.examined.measures

What was reached stays in capstone.json in labkit's folder; a later, emptier spec takes nothing away.

Taught in notebook 13, section "Yours".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import labkit
from labkit.applications.capstone import Examined, examine
from labkit.exercises.message import Message
from labkit.json_record import JsonRecord
from labkit.progress import Progress, progress_bar

__all__ = ["Rubric", "capstone"]


@dataclass(frozen=True)
class Rubric:
    """What the examination found (`examined`), and `kept`: point -> when it was reached first, this time or before.

    Jupyter shows its message as Markdown, everything else as plain text.
    """

    examined: Examined
    kept: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every point is there now."""
        return self.examined.ok

    @property
    def message(self) -> Message:
        """The rubric in words."""
        points = self.examined.points
        details = [(f"{one.name}, {self._state(one.name, one.ok)}", one.words) for one in points]
        figures = "\n".join(map(str, self.examined.measures))
        return Message(f"{sum(one.ok for one in points)} of {len(points)} points.", "", tuple(details), figures)

    def _state(self, name: str, ok: bool) -> str:
        return "there" if ok else "reached before, missing now" if name in self.kept else "missing"

    def _repr_markdown_(self) -> str:
        return self.message.markdown()

    def __str__(self) -> str:
        return self.message.plain()

    __repr__ = __str__


def capstone(spec: Any, connect: Callable[[], Any] | None = None, progress: Progress | None = None) -> Rubric:
    """Return the rubric of a spec. connect: starts an engine of one's own, by default `labkit.connect(shared=False)`.

    Only a whole spec is run, which takes about half a minute and kills that engine. Raises what `connect` raises.
    """
    own = connect or (lambda: labkit.connect(shared=False))
    examined = examine(spec, own, progress or progress_bar(unit="requests"))
    return Rubric(examined, _keep([one.name for one in examined.points if one.ok]))


def _keep(reached: list[str]) -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return _KEPT.change(lambda before: {**dict.fromkeys(reached, now), **before})
    except OSError as error:
        warnings.warn(f"What you reached was not saved: {error}", stacklevel=3)
        return dict.fromkeys(reached, now)


def _when(name: str, row: dict) -> str:
    if not isinstance(row["reached"], str):
        raise ValueError(f"not a point of the capstone: {row}")
    return row["reached"]


_KEPT = JsonRecord("capstone.json", "points", decode=_when, encode=lambda when: {"reached": when}, what="your capstone")
