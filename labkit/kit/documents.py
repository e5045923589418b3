"""The two files that a board is made of: what a machine is, and how far a learner has come. Each is JSON with its kind.

    write(Path("desk-07.json"), "labkit machine", {...})
    kind, found = read(Path("desk-07.json"))

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import labkit
from labkit import disk, paths
from labkit.errors import KitError

__all__ = ["MACHINE", "PROGRESS", "read", "write"]

MACHINE, PROGRESS = "labkit machine", "labkit progress"
COMMANDS = {MACHINE: "labkit doctor --report", PROGRESS: "labkit progress --export"}
FORMAT = 1
LARGEST = 5_000_000  # bytes: these files have a few thousand


def write(path: Path, kind: str, found: dict) -> Path:
    """Write a document of a kind; return its path. Raises WeightsError or NoSpace where the disk will not have it."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {"kind": kind, "format": FORMAT, "labkit": labkit.__version__, "written": now, **found}
    path = Path(path).expanduser()
    with disk.errors(path, f"{COMMANDS[kind]} another-folder/{path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.placed(path) as file:
            file.write(json.dumps(whole, indent=1, ensure_ascii=False).encode())
    return path


def read(path: Path) -> tuple[str, dict]:
    """Return the kind and the content of a document. Raises KitError for a file that is none, or is of a newer labkit."""
    again = "labkit doctor --report FILE.json"
    try:
        if path.stat().st_size > LARGEST:
            raise KitError(f"{path.name} is too large for a report", f"{path.stat().st_size:,} bytes", again)
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise KitError(f"{path.name} cannot be read", f"{error.strerror}", again) from None
    except (ValueError, RecursionError):
        raise KitError(f"{path.name} is no JSON", "a file that was cut short, or of another program", again) from None
    kind = found.get("kind") if isinstance(found, dict) else None
    if kind not in _schemas():
        raise KitError(f"{path.name} is no report of labkit", "neither a machine's nor a learner's", again)
    if not isinstance(found.get("format"), int) or found["format"] > FORMAT:
        why = f"it was written by labkit {found.get('labkit')}, and this is {labkit.__version__}"
        raise KitError(f"{path.name} has a newer format", why, "git pull && python -m pip install --no-deps -e .")
    _check(path, kind, found)
    return kind, found


def _check(path: Path, kind: str, found: dict) -> None:
    from jsonschema import Draft202012Validator

    if problem := next(Draft202012Validator(_schemas()[kind]).iter_errors(found), None):
        why = f"at {problem.json_path}: {problem.message[:120]}"
        raise KitError(f"{path.name} is damaged", why, f"{COMMANDS[kind]} FILE.json")


def _schemas() -> dict[str, dict]:
    return json.loads((paths.data_dir() / "kit_documents.schema.json").read_text(encoding="utf-8"))
