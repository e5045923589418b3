"""Whether a kit is whole: each file against its checksum, with the functions that the kit's own installer uses.

checked = verify(Path("/media/stick/kit"))
checked.ok, checked.changed, checked.missing, checked.extra

Explained in README.md, section "The command".
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import labkit
from labkit.errors import KitError
from labkit.kit import install
from labkit.progress import Progress, silent

__all__ = ["Checked", "verify"]


@dataclass(frozen=True)
class Checked:
    """What was found. changed, missing, extra: names of files. labkit: the version in the kit. made: when (ISO 8601)."""

    folder: str
    labkit: str
    made: str
    targets: tuple[str, ...]
    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whole: nothing changed, nothing missing. What is extra does no harm: nothing reads it."""
        return not self.changed and not self.missing

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {"ok": self.ok, **asdict(self)}

    def __str__(self) -> str:
        lines = [f"labkit {self.labkit} for {', '.join(self.targets)}, made {self.made}"]
        if self.labkit != labkit.__version__:
            lines.append(f"(labkit {labkit.__version__} is installed here; the kit brings its own)")
        for state, names in (("changed", self.changed), ("missing", self.missing), ("extra", self.extra)):
            lines += [f"  {state:8} {name}" for name in names]
        whole = (
            f"All {self.files} files are whole." if self.ok else f"Not whole. Try: labkit kit build --to {self.folder}"
        )
        return "\n".join([*lines, whole])


def verify(folder: str | Path, progress: Progress = silent) -> Checked:
    """Read every file of a kit and return what was found; progress(label, done, total) counts bytes.

    Raises KitError where there is no kit, or an unfinished one, a damaged kit.json, or one of a newer format.
    """
    place = Path(folder).expanduser().resolve()
    try:
        kit = install.manifest(place)
    except install.Unusable as problem:
        raise KitError(problem.what, problem.why, problem.fix) from None
    found = {state: tuple(names) for state, names in install.check(place, kit, progress).items()}
    targets = tuple(f"{row['platform']} with Python {row['python']}" for row in kit["targets"])
    return Checked(str(place), kit["labkit"], kit["made"], targets, len(kit["files"]), **found)
