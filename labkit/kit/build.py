"""Pack a workshop kit: wheels, weights, notebooks and an installer in one folder, for a stick or a shared drive.

    built = build(Path("/media/stick/kit"), [Target.of("linux-x86_64", "3.11")], progress=progress_bar())

What is there and right is kept, so a build that was stopped goes on, and a second one needs no network. `kit.sha256` is written
last: without it the kit is unfinished, and nobody installs from it. Of the weights it holds the file that was fetched; what
labkit makes from that, each machine makes for itself.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import labkit
from labkit import catalog, disk, paths, weights
from labkit.errors import ConfigError, KitError
from labkit.kit import install
from labkit.kit.targets import Target
from labkit.kit.wheels import ELSEWHERE, PART, bring, own_wheel
from labkit.progress import Progress, silent

__all__ = ["Built", "build"]

OTHER_FOLDER = f"labkit kit build --to {ELSEWHERE}"
README = """The course in one folder: install.py puts it onto a machine that has no network. This kit is for

{targets}

Start the installer with that Python, for example

    python{python} install.py          on Linux and macOS
    py -{python} install.py            on Windows

It checks every file first, and installs into the folder labkit-venv in your own folder (or --venv FOLDER). kit.json says what is
in here.
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
    else, or a newer kit; a pin without a wheel for a target), OfflineError, DownloadError, NoSpace, WeightsError (a folder that
    cannot be written).
    """
    folder, clone = Path(to).expanduser().resolve(), _clone(clone)
    before = _before(folder)
    with disk.errors(folder, OTHER_FOLDER):
        (folder / "wheels").mkdir(parents=True, exist_ok=True)
        with disk.one_writer(folder / "kit"):
            (folder / install.SEAL).unlink(missing_ok=True)
            for unfinished in folder.glob(f"{PART}*"):  # of a build that was killed
                shutil.rmtree(unfinished, ignore_errors=True)
            return _build(folder, clone, targets, before, progress)


def _build(folder: Path, clone: Path, targets: list[Target], before: set[str], progress: Progress) -> Built:
    wheels = bring(clone / "requirements" / "lab.txt", targets, folder / "wheels", progress)
    own = own_wheel(clone, folder / "wheels")
    names = {own, _weights(folder, progress), *_small_files(folder, clone, targets)}.union(*wheels.values())
    for stale in before - names:
        (folder / stale).unlink(missing_ok=True)
    sizes = {one: sum(_unpacked(folder / name) for name in {own, *wheels[one]}) for one in targets}
    rows = [{**one.to_dict(), "unpacked_bytes": size} for one, size in sizes.items()]
    return _seal(folder, names, targets, {"wheel": own, "targets": rows}, progress)


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
        raise KitError(f"{folder} is not empty, and no kit", "nothing of yours is overwritten", OTHER_FOLDER) from None
    except (ValueError, KeyError, TypeError):  # damaged: what is right of its files is kept all the same
        return set()
    if newer:
        raise KitError(f"{folder} holds a kit of a newer labkit", f"its format is {kit['format']}", OTHER_FOLDER)
    return {name for name in names if ".." not in name.split("/") and not name.startswith("/")}


def _weights(folder: Path, progress: Progress) -> str:
    """Copy the file that the bundled model begins with, all the others being made from it; return its name in the kit."""
    model = catalog.default_model()
    *_, first = model.chain(model.main("llamacpp"))
    path = weights.ensure(model, first.engine, first.variant, progress)
    name = f"weights/{path.parent.name}/{path.name}"
    _put(path, folder / name, progress)
    return name


def _put(source: Path, dest: Path, progress: Progress) -> None:
    """Copy a file, unless the same is there already."""
    size = source.stat().st_size
    if dest.is_file() and dest.stat().st_size == size and install.sha256_of(dest) == install.sha256_of(source):
        return
    dest.parent.mkdir(parents=True, exist_ok=True)
    disk.need_room(dest.parent, size, OTHER_FOLDER)
    with disk.placed(dest) as out, open(source, "rb") as file:
        while block := file.read(install.BLOCK):
            out.write(block)
            progress(f"copying {dest.name}", out.tell(), size)


def _small_files(folder: Path, clone: Path, targets: list[Target]) -> set[str]:
    lines = "\n".join(f"    {one.about['what']}: Python {one.python}" for one in targets)
    files = {
        "install.py": Path(install.__file__).read_bytes(),
        "requirements.txt": (clone / "requirements" / "lab.txt").read_bytes(),
        "README.txt": README.format(targets=lines, python=targets[0].python).encode(),
    }
    for name, content in files.items():
        with disk.placed(folder / name) as file:
            file.write(content)
    return set(files)


def _unpacked(wheel: Path) -> int:
    """How many bytes come out of a wheel."""
    with zipfile.ZipFile(wheel) as parts:
        return sum(part.file_size for part in parts.infolist())


def _seal(folder: Path, names: set[str], targets: list[Target], about: dict, progress: Progress) -> Built:
    """Write kit.json, `about` and the checksum of every file, then the checksum of kit.json."""
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
        **about,
        "files": files,
    }
    content = json.dumps(kit, indent=1).encode()
    fingerprint = hashlib.sha256(content).hexdigest()
    for name, text in ((install.MANIFEST, content), (install.SEAL, install.seal(content))):
        with disk.placed(folder / name) as file:
            file.write(text)
    return Built(folder, len(files), total, tuple(targets), fingerprint)
