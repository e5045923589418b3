"""Pack a workshop kit: wheels, weights, notebooks and an installer in one folder, for a stick or a shared drive.

    built = build(Path("/media/stick/kit"), [Target.of("linux-x86_64", "3.11")], progress=progress_bar())

What is there and right is kept, so a build that was stopped goes on, and a second one needs no network. `kit.sha256` is written
last: without it the kit is unfinished, and nobody installs from it.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import labkit
from labkit import catalog, disk, paths, weights
from labkit.errors import ConfigError, KitError
from labkit.kit import install
from labkit.kit.targets import Target
from labkit.kit.wheels import PART, bring
from labkit.progress import Progress, silent

__all__ = ["Built", "build"]

OWN_PART = "labkit.part"
README = """Start the installer with a Python that the kit has wheels for; no network is needed.

    python3 install.py          Linux, macOS
    py install.py               Windows

It checks every file first. kit.json says what is in here, and for which machines.
"""


@dataclass(frozen=True)
class Built:
    """A finished kit. files: how many. nbytes: of them all. fingerprint: SHA-256 of kit.json, which holds all the others."""

    folder: Path
    files: int
    nbytes: int
    targets: tuple[Target, ...]
    fingerprint: str

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        rows = [target.to_dict() for target in self.targets]
        about = {"folder": str(self.folder), "files": self.files, "bytes": self.nbytes}
        return {**about, "targets": rows, "fingerprint": self.fingerprint}


def build(to: str | Path, targets: list[Target], progress: Progress = silent, clone: Path | None = None) -> Built:
    """Make the kit in the folder `to`, or bring it up to date. clone: the course's (default: the one that labkit runs from).

    progress(label, done, total) counts bytes or wheels. Raises ConfigError (no clone), KitError (the folder holds something
    else, or a newer kit; a pin without a wheel for a target), OfflineError, DownloadError, NoSpace.
    """
    folder, clone = Path(to).expanduser().resolve(), _clone(clone)
    before = _before(folder)
    (folder / "wheels").mkdir(parents=True, exist_ok=True)
    with disk.errors(folder / "kit"), disk.one_writer(folder / "kit"):
        (folder / install.SEAL).unlink(missing_ok=True)
        for unfinished in (*folder.glob(f"{PART}*"), folder / "wheels" / OWN_PART):  # of a build that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        names = bring(clone / "requirements" / "lab.txt", targets, folder / "wheels", progress)
        wheel = _own_wheel(clone, folder / "wheels")
        names |= {f"wheels/{wheel}"} | _weights(folder, progress) | _small_files(folder, clone)
        for stale in before - names:
            (folder / stale).unlink(missing_ok=True)
        return _seal(folder, names, targets, f"wheels/{wheel}", progress)


def _clone(given: Path | None) -> Path:
    root = given or paths.course_root()
    if not (root / "pyproject.toml").is_file() or not (root / "requirements" / "lab.txt").is_file():
        why = "labkit was installed as a wheel here, and the pins with their hashes are in the clone alone"
        raise ConfigError("A kit is built from a clone of the course", why, "python -m pip install --no-deps -e CLONE")
    return root


def _before(folder: Path) -> set[str]:
    """The names that an earlier build put here. Raises KitError if the folder is not ours to write in."""
    if not folder.exists() or not any(folder.iterdir()):
        return set()
    try:
        kit = json.loads((folder / install.MANIFEST).read_text(encoding="utf-8"))
        newer, names = kit["format"] > install.FORMAT, set(kit["files"])
    except FileNotFoundError:  # a first build that was stopped
        if (folder / "wheels").is_dir():
            return set()
        raise KitError(
            f"{folder} is not empty, and no kit", "nothing of yours is overwritten", "--to another-folder"
        ) from None
    except (ValueError, KeyError, TypeError):  # damaged: what is right of its files is kept all the same
        return set()
    if newer:
        raise KitError(
            f"{folder} holds a kit of a newer labkit", f"its format is {kit['format']}", "--to another-folder"
        )
    return {name for name in names if ".." not in name.split("/") and not name.startswith("/")}


def _own_wheel(clone: Path, wheels: Path) -> str:
    """Build labkit's own wheel, which holds notebooks, tables and recordings; return its file name."""
    place = wheels / OWN_PART
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "-w",
        str(place),
    ]
    command += ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
    done = subprocess.run([*command, str(clone)], capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise KitError("labkit's own wheel could not be built", why, "python -m pip install hatchling")
    (built,) = place.glob("labkit-*.whl")
    built.replace(wheels / built.name)
    place.rmdir()
    return built.name


def _weights(folder: Path, progress: Progress) -> set[str]:
    """Copy the bundled model in every form that is in the cache, each with its note; return the names."""
    model = catalog.default_model()
    weights.ensure(model, progress=progress)
    here = {weights.present(model, one.engine, one.variant) for one in model.sources} - {None}
    files = sorted(path for one in here for path in (one, one.with_name(one.name + ".json")))
    names = {f"weights/{path.parent.name}/{path.name}": path for path in files}
    for name, path in names.items():
        _put(path, folder / name, progress)
    return set(names)


def _put(source: Path, dest: Path, progress: Progress) -> None:
    """Copy a file, unless the same is there already."""
    size = source.stat().st_size
    if dest.is_file() and dest.stat().st_size == size and install.sha256_of(dest) == install.sha256_of(source):
        return
    dest.parent.mkdir(parents=True, exist_ok=True)
    disk.need_room(dest.parent, size)
    with disk.placed(dest) as out, open(source, "rb") as file:
        while block := file.read(install.BLOCK):
            out.write(block)
            progress(f"copying {dest.name}", out.tell(), size)


def _small_files(folder: Path, clone: Path) -> set[str]:
    files = {
        "install.py": Path(install.__file__).read_bytes(),
        "requirements.txt": (clone / "requirements" / "lab.txt").read_bytes(),
        "README.txt": README.encode(),
    }
    for name, content in files.items():
        with disk.placed(folder / name) as file:
            file.write(content)
    return set(files)


def _seal(folder: Path, names: set[str], targets: list[Target], wheel: str, progress: Progress) -> Built:
    """Write kit.json with the checksum of every file, then the checksum of kit.json."""
    files = {name: {"sha256": "", "bytes": (folder / name).stat().st_size} for name in sorted(names)}
    total, done = sum(file["bytes"] for file in files.values()), 0
    for name, file in files.items():
        file["sha256"] = install.sha256_of(folder / name)
        done += file["bytes"]
        progress("checksums", done, total)
    kit = {
        "format": install.FORMAT,
        "labkit": labkit.__version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": catalog.default_model().alias,
        "wheel": wheel,
        "targets": [target.to_dict() for target in targets],
        "files": files,
    }
    content = json.dumps(kit, indent=1).encode()
    fingerprint = hashlib.sha256(content).hexdigest()
    for name, text in ((install.MANIFEST, content), (install.SEAL, install.seal(content))):
        with disk.placed(folder / name) as file:
            file.write(text)
    return Built(folder, len(files), total, tuple(targets), fingerprint)
