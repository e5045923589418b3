"""What a run of the suite found, and where it is kept: this machine's in labkit's folder, others' in the course's data.

A shipped result carries its engine's version, machine and date. data/conformance/expected.toml explains what is known not to
work: a "no" without a line there is a fault.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import disk, paths
from labkit.backends.capabilities import Capability

__all__ = ["Result", "expected", "latest", "shipped_dir", "store", "stored_dir"]


@dataclass(frozen=True)
class Result:
    """One engine, checked: `checks` maps a check's name to its Capability; `here`: measured on this machine.

    reference: llama.cpp's answers in the same run (Reference.to_dict()). machine: one line. measured_on: the date, YYYY-MM-DD.
    """

    engine: str
    engine_version: str
    model: str
    machine: str
    measured_on: str
    seconds: float
    checks: dict[str, Capability]
    reference: dict
    here: bool = True

    @property
    def cells(self) -> dict[str, bool | None]:
        """The bare answers, without notes: what a stored result and a live one have to agree in."""
        return {name: one.ok for name, one in self.checks.items()}

    def to_dict(self) -> dict:
        """Return a JSON-ready dict; `here` is left out, because it depends on who reads."""
        fields = asdict(self)
        fields.pop("here")
        return fields


def store(result: Result, folder: Path | None = None) -> Path:
    """Write `result` into `folder` (default: this machine's) and return the file."""
    path = (folder or stored_dir()) / f"{result.engine}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.errors(path), disk.placed(path) as file:
        file.write(json.dumps(result.to_dict(), indent=1, ensure_ascii=False).encode() + b"\n")
    return path


def latest(engine: str) -> Result | None:
    """Return the newest result of `engine`: this machine's, else the one that ships with the course, else None."""
    return _read(stored_dir() / f"{engine}.json", here=True) or _read(shipped_dir() / f"{engine}.json", here=False)


def stored_dir() -> Path:
    """Return the folder of this machine's results."""
    return paths.home() / "conformance"


def shipped_dir() -> Path:
    """Return the folder of the results that ship with the course."""
    return paths.data_dir() / "conformance"


def expected(engine: str) -> dict[str, str]:
    """Return the checks that are known to say "no" for `engine`, each with the reason in words."""
    table = tomllib.loads((shipped_dir() / "expected.toml").read_text(encoding="utf-8"))
    return {**table.get("every", {}), **table.get(engine, {})}


def _read(path: Path, here: bool) -> Result | None:
    from labkit.conformance.table import CHECKS

    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        checks = {name: Capability(**one) for name, one in fields.pop("checks").items()}
        found = Result(checks=checks, here=here, **fields)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # absent, damaged, or from another version of labkit
    return found if set(found.checks) == {check.name for check in CHECKS} else None
