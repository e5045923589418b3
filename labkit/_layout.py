"""The shipped notebooks into a learner's folder, and never over a learner's work."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import labkit
from labkit import disk
from labkit.errors import CourseError

__all__ = ["MANIFEST", "LaidOut", "place_all", "place_page", "untouched"]

MANIFEST = ".labkit-notebooks.json"  # name -> SHA-256 of the file as labkit wrote it


@dataclass(frozen=True)
class LaidOut:
    """What `lay_out` did: files written for the first time, the learner's own left as they are, unedited ones updated."""

    written: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)
    updated: list[Path] = field(default_factory=list)


def place_all(sources: Iterable[Path], dest: Path) -> LaidOut:
    """Copy each source into `dest` (made if missing); see `labkit.course.lay_out`."""
    return _laid_out(dest, ((source.name, source.read_bytes()) for source in sources), spare=True)


def place_page(text: str, path: Path) -> LaidOut:
    """Write a page that labkit makes itself; one that the learner has edited, or wrote first, is kept, with nothing beside it."""
    return _laid_out(path.parent, [(path.name, text.encode())], spare=False)


def untouched(path: Path) -> bool:
    """Whether labkit wrote this file and nobody has changed it since."""
    return path.is_file() and _manifest(path.parent).get(path.name) == _digest(path.read_bytes())


def _laid_out(dest: Path, contents: Iterable[tuple[str, bytes]], spare: bool) -> LaidOut:
    done = LaidOut()
    try:
        dest.mkdir(parents=True, exist_ok=True)
        with disk.one_writer(dest / MANIFEST):  # a notebook's kernel may be writing its page
            before = _manifest(dest)
            manifest = dict(before)
            for name, content in contents:
                _place(content, dest / name, manifest, done, spare)
            if manifest != before:
                with disk.placed(dest / MANIFEST) as file:
                    file.write(json.dumps(manifest, indent=1, sort_keys=True).encode())
    except OSError as error:
        why = f"{error.strerror}: {error.filename}"
        raise CourseError(f"The notebooks cannot be laid out in {dest}", why, "labkit lab another-folder") from error
    return done


def _place(new: bytes, target: Path, manifest: dict[str, str], done: LaidOut, spare: bool) -> None:
    """Write `new` at `target` if that destroys nothing; else beside it, when it is news to the learner."""
    digest, ours = _digest(new), manifest.get(target.name)
    there = _digest(target.read_bytes()) if target.exists() else None
    if there == digest:
        manifest[target.name] = digest
    elif there is None or there == ours:
        with disk.placed(target) as file:
            file.write(new)
        manifest[target.name] = digest
        (done.written if there is None else done.updated).append(target)
    else:
        done.kept.append(target)
        if spare and digest != ours:
            beside = target.with_name(f"{target.stem}.new-{labkit.__version__}{target.suffix}")
            _place(new, beside, manifest, done, spare=False)


def _manifest(dest: Path) -> dict[str, str]:
    """Return what labkit wrote here before; a manifest that cannot be read means that every file is the learner's."""
    try:
        found = json.loads((dest / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
