"""The wheels of a lock file for several targets in one folder, fetched by pip in handfuls, each checked by its hash.

names = bring(Path("requirements/lab.txt"), [target], Path("kit/wheels"), progress_bar(unit=" wheels"))

Explained in README.md, section "The command".
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from labkit.errors import ConfigError, DownloadError, KitError, OfflineError
from labkit.kit.install import sha256_of
from labkit.kit.targets import Pin, Target, read_pins
from labkit.progress import Progress

__all__ = ["bring"]

PART = "wheels.part-"
HANDFUL = 12  # wheels that one pip fetches: what a stopped build loses at most
NO_NETWORK = re.compile(
    r"Temporary failure in name resolution|Failed to establish|NameResolution|ProxyError|Retrying", re.I
)
NO_WHEEL = re.compile(r"No matching distribution found for ([\w.=-]+)")


def bring(lock: Path, targets: list[Target], folder: Path, progress: Progress) -> set[str]:
    """Fetch what is not there yet; return the names of all wheels that the targets need, as "wheels/FILE".

    A file whose hash is in no pin is not counted as there. Raises KitError for a pin without a wheel, OfflineError,
    DownloadError, ConfigError (no pip).
    """
    pins, names = read_pins(lock), set()
    here = {sha256_of(path): path.name for path in sorted(folder.glob("*.whl"))}
    for target in targets:
        wanted = [pin for pin in pins if target.wants(pin)]
        missing = [pin for pin in wanted if not _found(pin, target, here)]
        for some in _handfuls(missing):
            progress(f"wheels for {target.platform}, Python {target.python}", len(wanted) - len(missing), len(wanted))
            here |= _download(some, target, folder)
            missing = [pin for pin in missing if pin not in some]
        progress(f"wheels for {target.platform}, Python {target.python}", len(wanted), len(wanted))
        names |= {_found(pin, target, here) for pin in wanted}
    if None in names:
        raise KitError("pip brought wheels that do not fit the pins", "an index with other files", "pip config list")
    return {f"{folder.name}/{name}" for name in names}


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
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--only-binary", ":all:", "--require-hashes", "-r", str(lines), "-d", place, *target.for_pip()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise _failed(done.stderr, target)
        new = sorted(Path(place).glob("*.whl"))
        return {sha256_of(path): Path(shutil.move(path, folder / path.name)).name for path in new}


def _failed(said: str, target: Target) -> Exception:
    """Say in our words why pip did not bring them."""
    last = (said.strip().splitlines() or ["pip said nothing"])[-1]
    if "No module named pip" in said:
        return ConfigError("pip is not in this environment", "an environment made by uv has none", "uv pip install pip")
    if NO_NETWORK.search(said):
        return OfflineError("The package index cannot be reached", last, "labkit doctor")
    if name := NO_WHEEL.search(said):
        what = f"{name[1]} has no wheel for {target.platform} with Python {target.python}"
        return KitError(what, last, f"labkit kit build --platform {target.platform} --python 3.12")
    return DownloadError(f"pip could not fetch the wheels for {target.platform}", last, "python -m pip config list")
