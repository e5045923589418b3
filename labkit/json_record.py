"""Named entries in one JSON file in labkit's folder: read and changed by one process at a time, never lost.

    notes = JsonRecord("claims.json", root="claims", decode=Note.from_dict, encode=asdict, what="your measurements")
    notes.read()                                     # {name: entry}
    notes.change(lambda entries: entries | {"a": entry})

The file is replaced as a whole. One that cannot be read is set aside under another name beside it, with a warning.

At work in notebook 02, section "What is small?".
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import disk, paths

__all__ = ["JsonRecord"]

Entries = dict[str, Any]


@dataclass(frozen=True)
class JsonRecord:
    """A file of entries by name.

    file: its name in labkit's folder. root: the key under which the entries stand. decode(name, dict) → entry, raises ValueError,
    TypeError or KeyError for what is none. encode(entry) → dict. what: the file in words, for the warning.
    """

    file: str
    root: str
    decode: Callable[[str, dict], Any]
    encode: Callable[[Any], dict]
    what: str

    @property
    def path(self) -> Path:
        """Where the file is now: labkit's folder may be another one in another test."""
        return paths.home() / self.file

    def read(self) -> Entries:
        """Return the entries by name. Raises OSError where the folder cannot be read."""
        return self.change(lambda entries: entries)

    def change(self, edit: Callable[[Entries], Entries]) -> Entries:
        """Read, edit and write back as the only one who does; write only what differs; return the entries."""
        path = self.path
        with disk.one_writer(path):
            before = self._load(path)
            after = edit(before)
            if after != before:
                self._write(path, after)
        return after

    def _load(self, path: Path) -> Entries:
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))[self.root]
            return {name: self.decode(name, entry) for name, entry in entries.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            kept = _set_aside(path)
            warnings.warn(f"The record of {self.what} could not be read; it is kept as {kept.name}", stacklevel=5)
            return {}

    def _write(self, path: Path, entries: Entries) -> None:
        data = {self.root: {name: self.encode(entries[name]) for name in sorted(entries)}}
        with disk.placed(path) as file:
            file.write(json.dumps(data, indent=1).encode())


def _set_aside(path: Path) -> Path:
    """Move the file to the first free name of NAME.broken-1.json, -2, …; return that."""
    number = 1
    while (kept := path.with_name(f"{path.stem}.broken-{number}.json")).exists():
        number += 1
    os.replace(path, kept)
    return kept
