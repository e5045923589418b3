"""What one process of this user tells the others about a deployment: a file in labkit's folder that only the user can read.

At work in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from labkit import paths
from labkit.backends.loopback import post_json
from labkit.errors import Refused

PREFIX = "labkit-ray-"  # of Ray's folder

__all__ = ["PREFIX", "Note", "end", "is_alive", "mine", "read", "remove", "write"]


@dataclass
class Note:
    """Where a deployment is.

    pid, born: the process that owns it. control: where it takes orders, with a key of its own. folder: what Ray writes in.
    """

    name: str
    pid: int
    born: float
    base_url: str
    keys: dict[str, str] = field(repr=False)
    control: str
    control_key: str = field(repr=False)
    folder: str


def mine(name: str, **facts) -> Note:
    """Return the note of a deployment that this process owns."""
    return Note(name, os.getpid(), psutil.Process().create_time(), **facts)


def write(note: Note) -> None:
    """Keep the note, for this user's eyes: it holds keys."""
    path = _path(note.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(asdict(note), file)
    os.replace(new, path)


def read() -> list[Note]:
    """Return the notes of what runs; the note of what was killed is removed."""
    found = []
    for path in sorted(_folder().glob("*.json")):
        try:
            note = Note(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):  # another version's, or it is being removed
            continue
        if is_alive(note):
            found.append(note)
        else:
            remove(note)
    return found


def remove(note: Note) -> None:
    """Forget a deployment, and remove what Ray wrote. Twice is fine."""
    _path(note.name).unlink(missing_ok=True)
    if Path(note.folder).name.startswith(PREFIX):
        shutil.rmtree(note.folder, ignore_errors=True)


def is_alive(note: Note) -> bool:
    """Return whether the owner runs: the same process, not another one under its old number."""
    try:
        return abs(psutil.Process(note.pid).create_time() - note.born) < 1
    except psutil.NoSuchProcess:
        return False


def end(note: Note, grace_s: float) -> None:
    """End a deployment of another process: politely, then its owner with KILL, whose leash ends the rest."""
    try:
        owner = psutil.Process(note.pid)
        post_json(note.control, "/down", {}, note.control_key)
        owner.wait(grace_s)
    except (OSError, Refused, psutil.TimeoutExpired):
        if is_alive(note):
            owner.kill()
    except psutil.NoSuchProcess:
        pass
    remove(note)


def _folder() -> Path:
    return paths.home() / "deployed"


def _path(name: str) -> Path:
    return _folder() / f"{name}.json"
