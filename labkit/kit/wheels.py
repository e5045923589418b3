"""The wheels of a lock file for several targets in one folder, fetched by pip in handfuls, each checked by its hash.

    names = bring(Path("requirements/lab.txt"), [target], Path("kit/wheels"), progress_bar(unit=" wheels"))[target]
    name = own_wheel(Path("."), Path("kit/wheels"))            # labkit itself

Explained in README.md, section "The command".
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.errors import ConfigError, DownloadError, KitError, LabkitError, NoSpace, OfflineError
from labkit.kit.install import sha256_of
from labkit.kit.targets import Pin, Target, read_pins
from labkit.progress import Progress

__all__ = ["bring", "own_wheel"]

PART = "wheels.part-"
ELSEWHERE = "/a/folder/with/room"
HANDFUL = 12  # wheels that one pip fetches: what a stopped build loses at most
NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Failed to establish|NameResolution|ProxyError|Retrying", re.I
)
NO_ROOM = re.compile(r"No space left on device|Disk quota exceeded|not enough space on the disk", re.I)
NO_WHEEL = re.compile(r"No matching distribution found for ([\w.=-]+)")


def bring(lock: Path, targets: list[Target], folder: Path, progress: Progress) -> dict[Target, set[str]]:
    """Fetch what is not there yet; return the names of the wheels that each target needs, as "wheels/FILE".

    A file whose hash is in no pin is not counted as there. Raises KitError for a pin without a wheel, OfflineError, NoSpace,
    DownloadError, ConfigError (no pip).
    """
    pins, names = read_pins(lock), {}
    here = {sha256_of(path): path.name for path in sorted(folder.glob("*.whl"))}
    for target in targets:
        wanted = [pin for pin in pins if target.wants(pin)]
        missing = [pin for pin in wanted if not _found(pin, target, here)]
        for some in _handfuls(missing):
            progress(f"wheels for {target.platform}, Python {target.python}", len(wanted) - len(missing), len(wanted))
            here |= _download(some, target, folder)
            missing = [pin for pin in missing if pin not in some]
        progress(f"wheels for {target.platform}, Python {target.python}", len(wanted), len(wanted))
        found = {_found(pin, target, here) for pin in wanted}
        if None in found:
            raise KitError(
                "pip brought wheels that do not fit the pins", "an index with other files", "pip config list"
            )
        names[target] = {f"{folder.name}/{name}" for name in found}
    return names


def own_wheel(clone: Path, folder: Path) -> str:
    """Build labkit's own wheel, with notebooks, tables and recordings in it; return its name as `bring` does. Raises KitError."""
    with tempfile.TemporaryDirectory(prefix=PART, dir=folder.parent) as place:
        at_once = ["--no-build-isolation"] if importlib.util.find_spec("hatchling") else []
        done = _pip("wheel", *at_once, "-w", place, str(clone))
        if done.returncode:
            raise KitError("labkit's own wheel could not be built", _last(done), "python -m pip install hatchling")
        (built,) = Path(place).glob("labkit-*.whl")
        return f"{folder.name}/{built.replace(folder / built.name).name}"


def _found(pin: Pin, target: Target, here: dict[str, str]) -> str | None:
    """Return the file that is a pin's wheel for a target, by its hash."""
    return next((here[one] for one in sorted(pin.hashes & here.keys()) if target.takes(here[one])), None)


def _handfuls(pins: list[Pin]) -> list[list[Pin]]:
    """Cut the list into handfuls; of two versions of one package each goes into another, as pip wants it."""
    handfuls: list[list[Pin]] = []
    for pin in pins:
        room = (some for some in handfuls if len(some) < HANDFUL and pin.name not in {one.name for one in some})
        some = next(room, None)
        if some is None:
            handfuls.append([pin])
        else:
            some.append(pin)
    return handfuls


def _download(pins: list[Pin], target: Target, folder: Path) -> dict[str, str]:
    """Let pip fetch the pins beside `folder`, then move them in; return hash -> file name."""
    with tempfile.TemporaryDirectory(prefix=PART, dir=folder.parent) as place:
        lines = Path(place, "requirements.txt")
        lines.write_text("\n".join(pin.line() for pin in pins) + "\n", encoding="utf-8")
        wanted = ["--only-binary", ":all:", "--require-hashes", "-r", str(lines), "-d", place]
        done = _pip("download", *wanted, *target.for_pip())
        if done.returncode:
            raise _failed(done, target)
        new = sorted(Path(place).glob("*.whl"))
        return {sha256_of(path): Path(shutil.move(path, folder / path.name)).name for path in new}


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", *words, "--no-deps", "--quiet", "--disable-pip-version-check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]


def _failed(done: subprocess.CompletedProcess[str], target: Target) -> LabkitError:
    """Say in our words why pip did not bring them."""
    said, last = done.stderr, _last(done)
    if "No module named pip" in said:
        return ConfigError("pip is not in this environment", "an environment made by uv has none", "uv pip install pip")
    if NO_ROOM.search(said):
        return NoSpace("pip ran out of room for the wheels", last, f"labkit kit build --to {ELSEWHERE}")
    if NO_NETWORK.search(said):
        return OfflineError("The package index cannot be reached", last, "labkit doctor")
    if name := NO_WHEEL.search(said):
        what = f"{name[1]} has no wheel for {target.platform} with Python {target.python}"
        return KitError(what, last, f"labkit kit build --platform {target.platform} --python 3.12")
    return DownloadError(f"pip could not fetch the wheels for {target.platform}", last, "python -m pip config list")
