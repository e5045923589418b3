"""One machine in one file, for the instructor's board: what runs here and what is wrong, and nobody's name or folder.

    write_report(Path("desk-07.json"))       # the board calls the machine by the file's name

What is kept is chosen field by field. Texts lose every folder and this user's and this machine's name.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import re
import sys
import tempfile
from pathlib import Path

from labkit import doctor, paths
from labkit.kit.documents import MACHINE, write

__all__ = ["machine_report", "without_names", "write_report"]

FACTS = (
    "os", "architecture", "cpu_model", "cores_usable", "ram_total_bytes", "ram_limit_bytes", "ram_free_bytes",
    "disk_free_bytes",
)  # fmt: skip
ORDINARY = {
    "root", "user", "admin", "localhost", "linux", "ubuntu", "windows", "macos", "python", "labkit", "ollama",
}  # fmt: skip
A_PATH = re.compile(r"(?<![\w:/.])(?:[A-Za-z]:\\|\\\\|~?/)(?:[^\s/\\'\"]+[/\\])+[^\s'\",;)]*")


def write_report(path: Path, found: dict | None = None) -> Path:
    """Write what `machine_report` returns; return the path. Raises WeightsError or NoSpace."""
    return write(path, MACHINE, machine_report(found))


def machine_report(found: dict | None = None) -> dict:
    """Return `doctor.report()` (or `found`, which has its shape) without names, paths and where each fact came from."""
    found = found or doctor.report()
    facts = found["machine"]
    stuck = [f"lesson {one['id']} does not run: {one['reason']}" for one in found["lessons"] if not one["runs"]]
    kept = {
        "python": found["python"],
        "machine": {
            **{name: facts[name]["value"] for name in FACTS},
            "gpus": [gpu["name"] for gpu in facts["gpus"]["value"]],
        },
        "engines": {name: {"ok": one["ok"], "version": one["version"]} for name, one in found["engines"].items()},
        "models": [{key: one[key] for key in ("alias", "fits", "here")} for one in found["models"]],
        "lessons": [
            {"id": one["id"], "runs": one["runs"], "live": one["runs"] and not one["replayed"]}
            for one in found["lessons"]
        ],
        "listening": [{key: one[key] for key in ("engine", "port", "open_to_network")} for one in found["listening"]],
        "problems": [*found["advice"], *stuck],
    }
    return _clean(kept)


def without_names(text: str) -> str:
    """Return a text in which every folder is "(a folder)", and this user and machine are nobody's."""
    for place in _places():
        text = text.replace(place, "(a folder)")
    text = A_PATH.sub("(a folder)", text)
    for name in _names():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "(a name)", text, flags=re.I)
    return re.sub(r"\(a folder\)[^\s'\",;)]+", "(a folder)", text)


def _clean(thing):
    if isinstance(thing, str):
        return without_names(thing)
    if isinstance(thing, dict):
        return {key: _clean(value) for key, value in thing.items()}
    return [_clean(value) for value in thing] if isinstance(thing, list) else thing


def _places() -> list[str]:
    """Folders that may hold blanks, so that no pattern finds where they end; the longest first."""
    known = {Path.home(), Path.cwd(), paths.home(), Path(sys.prefix), Path(tempfile.gettempdir())}
    return sorted({str(one) for one in known if len(one.parts) > 1}, key=len, reverse=True)


def _names() -> list[str]:
    """What this user and this machine are called, if it is long enough to be a name."""
    asked = [os.environ.get("USER"), os.environ.get("USERNAME"), platform.node(), platform.node().split(".")[0]]
    with contextlib.suppress(OSError, KeyError, ImportError):  # a container whose user has no name
        asked += [getpass.getuser()]
    return sorted({name for name in asked if name and len(name) > 2 and name.lower() not in ORDINARY})
