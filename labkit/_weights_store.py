"""Where weights lie on this disk, and how labkit knows that they are the right ones: a note beside each file.

The public face is labkit.weights.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from labkit import disk, paths
from labkit.catalog import Model, Source


def folder_of(model: Model) -> Path:
    return paths.weights_dir() / (re.sub(r"[^\w.-]+", "_", model.alias).lstrip(".") or "_")


def path_of(model: Model, source: Source) -> Path:
    ending = "gguf" if source.format.startswith("gguf") else "bin"
    return folder_of(model) / f"{folder_of(model).name}-{source.variant}.{ending}"


def is_here(model: Model, source: Source) -> bool:
    path = path_of(model, source)
    try:
        note = json.loads(note_of(path).read_text("utf-8"))
        right = path.stat().st_size == note["bytes"] and source.sha256 in (None, note["sha256"])
        origin = model.origin(source)
        return right and (origin is None or origin.sha256 in (None, note["made_from"]))
    except (OSError, ValueError, KeyError, TypeError):  # not here, or a note that is none
        return False


def note_of(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def take_note(model: Model, source: Source, sha256: str) -> None:
    """Write beside the file what it was when it was checked, so that the next start need not read it all again."""
    path, origin = path_of(model, source), model.origin(source)
    note = {"bytes": path.stat().st_size, "sha256": sha256, "made_from": origin and origin.sha256}
    with disk.placed(note_of(path)) as file:
        file.write(json.dumps(note).encode())


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.glob("*") if p.is_file())
