"""Checkpoints as JSON files: what a workflow was at after each step, to go on from after a crash. No pickle.

    storage = checkpoints("runs")
    workflow = SequentialBuilder(name="two", participants=[…], checkpoint_storage=storage).build()
    saved = await storage.get_latest(workflow_name="two")
    await team.run(workflow, checkpoint_id=saved.checkpoint_id)

The framework's FileCheckpointStorage pickles what isn't plain JSON. Here everything is JSON (labkit/orchestration/encoding.py),
and a file appears whole or not at all. It carries a checksum, and one that is damaged or somebody else's is an error, never
skipped: to go on from an older one would do the last step again, and that step may have had an effect.

Taught in notebook 09, section "Handing over".
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

from agent_framework import WorkflowCheckpoint

from labkit import disk
from labkit.errors import CheckpointError
from labkit.orchestration.calls import Calls
from labkit.orchestration.encoding import decode, encode

__all__ = ["Checkpoints", "checkpoints"]

FORMAT = "labkit checkpoint 1"
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


class Checkpoints:
    """The framework's CheckpointStorage over JSON files in `folder`, which it makes readable for you alone.

    calls: the ledger for a Team whose tools have effects; one workflow at a time in a folder then.

    Taught in notebook 09, section "Handing over".
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.calls = Calls(file=self.folder / "calls.list")
        self._unsaved: dict[str, CheckpointError] = {}  # workflow -> why its newest step is not here

    async def save(self, checkpoint: WorkflowCheckpoint) -> str:
        """Write a checkpoint and return its id. Raises CheckpointError for a state that is no JSON, NoSpace for a full disk.

        The framework only logs that and runs on, so it is a warning as well, and `get_latest` raises it again.
        """
        try:
            await asyncio.to_thread(self._write, checkpoint)
        except CheckpointError as error:
            self._unsaved[checkpoint.workflow_name] = error
            warnings.warn(f"{error.what} {error.why}", stacklevel=2)
            raise
        self._unsaved.pop(checkpoint.workflow_name, None)
        await asyncio.to_thread(self.calls.saved)
        return checkpoint.checkpoint_id

    async def load(self, checkpoint_id: str) -> WorkflowCheckpoint:
        """Read one. Raises CheckpointError if there is none of that id, or its file is damaged or not ours."""
        return await asyncio.to_thread(self._read, self._file(checkpoint_id))

    async def list_checkpoints(self, *, workflow_name: str) -> list[WorkflowCheckpoint]:
        """Read all of a workflow, oldest first. Raises CheckpointError as `load` does, for any file of the folder."""
        every = await asyncio.to_thread(lambda: [self._read(one) for one in sorted(self.folder.glob("*.json"))])
        return sorted((one for one in every if one.workflow_name == workflow_name), key=_when)

    async def list_checkpoint_ids(self, *, workflow_name: str) -> list[str]:
        """Return the ids of a workflow's checkpoints, oldest first. Raises as `list_checkpoints` does."""
        return [one.checkpoint_id for one in await self.list_checkpoints(workflow_name=workflow_name)]

    async def get_latest(self, *, workflow_name: str) -> WorkflowCheckpoint | None:
        """Return the newest, or None if there is none. Raises CheckpointError if the newest step could not be saved."""
        if workflow_name in self._unsaved:
            raise self._unsaved[workflow_name]
        return next(reversed(await self.list_checkpoints(workflow_name=workflow_name)), None)

    async def delete(self, checkpoint_id: str) -> bool:
        """Remove one; return whether there was one."""
        file = self._file(checkpoint_id)
        there = file.exists()
        file.unlink(missing_ok=True)
        return there

    def _file(self, checkpoint_id: str) -> Path:
        if not NAME.fullmatch(checkpoint_id):
            raise CheckpointError(
                f"{checkpoint_id!r} is no checkpoint's id.", "", "await storage.list_checkpoint_ids(…)"
            )
        return self.folder / f"{checkpoint_id}.json"

    def _write(self, checkpoint: WorkflowCheckpoint) -> None:
        dest = self._file(checkpoint.checkpoint_id)
        try:
            text = _text(encode(checkpoint))
        except RecursionError:
            raise CheckpointError("This step cannot be saved.", "its state holds itself", "break the circle") from None
        kept = f'{{"format": "{FORMAT}", "sha256": "{_digest(text)}", "checkpoint": {text}}}\n'
        with disk.errors(dest), disk.one_writer(dest), disk.placed(dest) as file:
            file.write(kept.encode("ascii"))

    def _read(self, file: Path) -> WorkflowCheckpoint:
        if not file.exists():
            raise CheckpointError(f"There is no checkpoint {file.stem}.", "", "await storage.list_checkpoint_ids(…)")
        try:
            kept = json.loads(file.read_bytes())
        except (ValueError, RecursionError):
            raise _damaged(file, "it is no JSON, or only the first part of it") from None
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            raise _damaged(file, f"its format is not {FORMAT!r}: something else wrote it")
        if _digest(_text(kept.get("checkpoint"))) != kept.get("sha256"):
            raise _damaged(file, "its checksum does not fit: it was changed after it was written")
        try:
            found = decode(kept["checkpoint"])
        except UNREADABLE as error:
            raise _damaged(file, f"it holds what this version does not know ({error})") from None
        if not isinstance(found, WorkflowCheckpoint) or found.checkpoint_id != file.stem:
            raise _damaged(file, "what it holds is not the checkpoint of its name")
        return found


def checkpoints(folder: Path | str) -> Checkpoints:
    """Return the storage of checkpoints in `folder`.

    Taught in notebook 09, section "Handing over".
    """
    return Checkpoints(folder)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _when(one: WorkflowCheckpoint) -> datetime:
    return datetime.fromisoformat(one.timestamp)


def _damaged(file: Path, why: str) -> CheckpointError:
    return CheckpointError(f"{file} is no checkpoint that can be read.", why, disk.remove_command(file))
