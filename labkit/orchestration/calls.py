"""The calls that no checkpoint holds yet: after a crash they may have happened or not, so they are not made again.

    storage = checkpoints("runs")
    team = Team(endpoint, calls=storage.calls)

A checkpoint is written after a step. A step that was cut short runs again when the workflow is resumed, and so would its tools:
the ticket would be opened twice. Each call is noted here before it is made, and forgotten when the step that made it is saved. What
is still noted when a run resumes is refused as UnfinishedCall, in words that the agent sees, unless the tool is `repeatable`.

Taught in notebook 09, section "Handing over".
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from labkit import disk
from labkit.errors import CheckpointError
from labkit.tools import Ledger
from labkit.tools.tool import Tool

__all__ = ["Calls"]

BEGUN, FINISHED = "begun", "finished"


@dataclass
class Calls(Ledger):
    """A ledger that outlives its process, in `file`. Raises CheckpointError if the file is damaged.

    Taught in notebook 09, section "Handing over".
    """

    file: Path = field(default=Path("calls"))

    def __post_init__(self):
        self.begun = dict.fromkeys(self._read(), BEGUN)

    def begin(self, mark: str, tool: Tool) -> None:
        """Note a call on the disk before it is made. Raises UnfinishedCall as a Ledger does, NoSpace for a full disk."""
        super().begin(mark, tool)
        self._write()

    def finish(self, mark: str) -> None:
        """Note that a call has come to its end; it stays noted until its step is `saved`."""
        with self._lock:
            self.begun[mark] = FINISHED

    def saved(self) -> None:
        """Forget what is finished: the step that called it is in a checkpoint now."""
        with self._lock:
            self.begun = {mark: state for mark, state in self.begun.items() if state == BEGUN}
        self._write()

    def resumed(self) -> None:
        """Doubt whatever is noted: a run goes on from a checkpoint that does not know of it."""
        with self._lock:
            self.begun = dict.fromkeys(self.begun, BEGUN)

    def _read(self) -> list[str]:
        if not self.file.exists():
            return []
        try:
            found = json.loads(self.file.read_bytes())
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            why = "it is no list of calls, so nobody knows which were made; removing it allows all of them again"
            raise CheckpointError(f"{self.file} cannot be read.", why, disk.remove_command(self.file))
        return found

    def _write(self) -> None:
        with self._lock, disk.errors(self.file), disk.one_writer(self.file), disk.placed(self.file) as file:
            file.write(json.dumps(list(self.begun)).encode("ascii"))
