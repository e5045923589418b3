"""Install the course from this kit, with no network: python install.py

    python install.py                      a virtual environment in your own folder, called labkit-venv
    python install.py --venv FOLDER        somewhere else
    python install.py --check              only look whether the kit is whole

Every file of the kit is compared with its checksum first; if one byte differs, nothing is installed. An environment that could
not be finished is taken away again. This file needs Python alone: it lies in the kit as a copy of labkit/kit/install.py, and
`labkit kit verify` calls the same functions. The checksums find damage, and no malice: who can change a file can change its
checksum too.

Explained in README.md, section "The command".
"""

from __future__ import annotations  # if Python stops at this line, it is too old: README.txt says which one to take

import argparse
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

FORMAT = 1  # of kit.json; a higher one is newer than this file
MANIFEST, SEAL = "kit.json", "kit.sha256"
NOT_OURS = re.compile(r"(^|/)(\.|System Volume Information/|desktop\.ini$|Thumbs\.db$|__pycache__/)")
BLOCK = 1 << 20
UNFINISHED = "labkit-unfinished"  # lies in a virtual environment of ours until all wheels are in it
ON_DISK = 1.5  # bytes on a disk for each that comes out of a wheel: Python keeps modules compiled as well


class Unusable(Exception):
    """This kit cannot be used here: what happened, why, and one command to try (each a str)."""

    def __init__(self, what, why="", fix=""):
        self.what, self.why, self.fix = what, why, fix
        super().__init__("\n".join([what] + ([f"Likely why: {why}"] if why else []) + ([f"Try: {fix}"] if fix else [])))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 2 when the kit cannot be used, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description="Install the course from this kit, with no network.")
    venv = Path.home() / "labkit-venv"
    parser.add_argument("--venv", type=Path, default=venv, help=f"the folder of the virtual environment ({venv})")
    parser.add_argument("--check", action="store_true", help="only look whether the kit is whole")
    asked, folder = parser.parse_args(arguments), Path(__file__).resolve().parent
    try:
        _main(folder, None if asked.check else asked.venv.expanduser().resolve())
    except Unusable as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as error:
        why = "a disk that is full, or a stick that was pulled out or is worn out"
        print(Unusable(str(error), why, "python install.py --check"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nStopped. A new environment that was begun is taken away again; start it once more when you like.",
            file=sys.stderr,
        )
        return 130
    return 0


def _main(folder: Path, venv: Path | None) -> None:
    kit = manifest(folder)
    if venv:
        fits(folder, kit, venv)
    whole(folder, check(folder, kit, show))
    print(f"The kit is whole: {len(kit['files'])} files, labkit {kit['labkit']}.", flush=True)
    if venv:
        install(folder, kit, venv)


def manifest(folder: Path) -> dict:
    """Return what kit.json says. Raises Unusable: no kit, an unfinished or damaged one, or one of a newer format."""
    again = f"labkit kit build --to {folder}"
    if not (folder / MANIFEST).is_file():
        raise Unusable(f"There is no kit in {folder}", f"it has no {MANIFEST}", again)
    if not (folder / SEAL).is_file():
        raise Unusable(f"The kit in {folder} is not finished", f"{SEAL} is written last, and is not there", again)
    content = (folder / MANIFEST).read_bytes()
    if (folder / SEAL).read_bytes() != seal(content):
        raise Unusable(f"{MANIFEST} or {SEAL} was changed", "a damaged copy, or an edit by hand", again)
    kit = json.loads(content)
    if kit["format"] > FORMAT:
        what = f"This kit has format {kit['format']}, and this program reads {FORMAT}"
        raise Unusable(
            what, f"it was made by labkit {kit['labkit']}, which is newer", f"python {folder / 'install.py'}"
        )
    if any(name.startswith("/") or ":" in name or "\\" in name or ".." in name.split("/") for name in kit["files"]):
        raise Unusable(f"{MANIFEST} names a file outside the kit", "labkit writes no such name", again)
    return kit


def seal(content: bytes) -> bytes:
    """Return what kit.sha256 holds for this kit.json: a line that `sha256sum -c` reads too."""
    return f"{hashlib.sha256(content).hexdigest()}  {MANIFEST}\n".encode()


def check(folder: Path, kit: dict, tell=lambda label, done, total: None) -> dict[str, list[str]]:
    """Read every file; return the names of those `changed`, `missing` and `extra`. tell(label, done, total) counts bytes."""
    found: dict[str, list[str]] = {"changed": [], "missing": [], "extra": []}
    total, done = sum(file["bytes"] for file in kit["files"].values()), 0
    for name, file in sorted(kit["files"].items()):
        if not (folder / name).is_file():
            found["missing"].append(name)
        elif not _same(folder / name, file):
            found["changed"].append(name)
        done += file["bytes"]
        tell("checking", done, total)
    here = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    known = {*kit["files"], MANIFEST, SEAL}
    found["extra"] = [name for name in here if name not in known and not NOT_OURS.search(name)]
    return found


def whole(folder: Path, found: dict[str, list[str]]) -> None:
    """Raise Unusable if a file is changed or missing. Extra files are in nobody's way: nothing reads them."""
    bad = [f"{name} is {state}" for state in ("changed", "missing") for name in found[state]]
    if bad:
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        why = "a copy that was cut short, a worn-out stick, or an edit; nothing was installed"
        fix = f"python {folder / 'install.py'} --check  (after copying the kit anew)"
        raise Unusable(f"This kit is damaged: {', '.join(bad[:3])}{more}", why, fix)


def fits(folder: Path, kit: dict, venv: Path) -> None:
    """Raise Unusable if the kit is not for this machine and this Python, or the environment cannot be where it is wanted."""
    row, there = target(kit), _version(venv)
    place = next(one for one in (venv, *venv.parents) if one.exists())
    other = f"python {folder / 'install.py'} --venv /a/folder/with/room"
    if folder in (venv, *venv.parents):
        raise Unusable(f"{venv} lies in the kit", "a kit stays as it was packed, for the next machine", other)
    if place == venv and not _ours(venv) and (venv.is_file() or any(venv.iterdir())):
        raise Unusable(f"{venv} is no virtual environment", "nothing of yours is written over", other)
    if not os.access(place, os.W_OK):
        raise Unusable(f"{venv} cannot be made", f"nothing can be written in {place}", other)
    if numbers(there) > numbers(kit["labkit"]):
        what = f"labkit {there} is in {venv}, and this kit holds the older {kit['labkit']}"
        raise Unusable(what, "a newer labkit is not replaced by an older one", other)
    needed, free = int(row["unpacked_bytes"] * ON_DISK), shutil.disk_usage(place).free
    if not there and free < needed:
        why = f"the environment takes about {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
        raise Unusable(f"Not enough room on the disk that holds {place}", why, other)


def target(kit: dict) -> dict:
    """Return the row of kit.json that is for this machine and this Python. Raises Unusable if there is none."""
    here = (sys.platform, platform.machine().lower(), "{}.{}".format(*sys.version_info[:2]))
    for row in kit["targets"]:
        if (row["sys_platform"], row["machine"].lower(), row["python"]) == here:
            return row
    rows = ", ".join(f"{row['platform']} with Python {row['python']}" for row in kit["targets"])
    fitting = [row["python"] for row in kit["targets"] if (row["sys_platform"], row["machine"].lower()) == here[:2]]
    starts = "py -" if sys.platform == "win32" else "python"
    fix = f"{starts}{fitting[0]} install.py" if fitting else f"labkit kit build --python {here[2]}  (on such a machine)"
    raise Unusable(f"This is {here[0]} on {here[1]} with Python {here[2]}", f"the kit is for {rows}", fix)


def install(folder: Path, kit: dict, venv: Path) -> None:
    """Make the virtual environment, install all wheels into it, let labkit take in the weights. Raises Unusable."""
    python = _python(venv)
    with _whole_or_not_at_all(venv):
        if not python.exists():
            _run([sys.executable, "-m", "venv", "--without-pip", str(venv)])
        wheels = len([name for name in kit["files"] if name.endswith(".whl")])
        print(f"Installing {wheels} wheels or fewer into {venv}: a minute or two.", flush=True)
        command = _pip(folder, kit, python)
        _run([*command, "-r", str(folder / "requirements.txt")])
        _run([*command, "--force-reinstall", str(folder / kit["wheel"])])
    for name in sorted(name for name in kit["files"] if name.startswith("weights/")):
        _run([str(python), "-I", "-m", "labkit.cli", "pull", kit["model"], "--from", str(folder / name)])
    labkit = python.with_name("labkit.exe" if os.name == "nt" else "labkit")
    print(f"\nInstalled without a network. Next:\n\n    {labkit} doctor\n    {labkit} lab")


def _python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _ours(venv: Path) -> bool:
    return (venv / "pyvenv.cfg").is_file() or (venv / UNFINISHED).is_file()


def _version(venv: Path) -> str:
    """Which labkit is in a virtual environment; "" for none, and for one that was never finished."""
    if not _python(venv).exists() or (venv / UNFINISHED).exists():
        return ""
    return _said([str(_python(venv)), "-I", "-c", "import importlib.metadata as m; print(m.version('labkit'))"])


@contextlib.contextmanager
def _whole_or_not_at_all(venv: Path):
    """Of a virtual environment that is new here, nothing is left when the block fails; one that was there stays as it is."""
    mark = venv / UNFINISHED
    if mark.exists():  # an installer was killed: nobody has ever worked in it
        shutil.rmtree(venv)
    new = not (venv / "pyvenv.cfg").exists()
    try:
        if new:
            venv.mkdir(parents=True, exist_ok=True)
            mark.touch()
        yield
        mark.unlink(missing_ok=True)
    except BaseException:
        if new:
            shutil.rmtree(venv, ignore_errors=True)
        raise


def _pip(folder: Path, kit: dict, python: Path) -> list[str]:
    """The pip of the kit, run out of its wheel: a Python without ensurepip (Debian's) will do."""
    (pip,) = [name for name in kit["files"] if re.match(r"wheels/pip-[^/]+\.whl$", name)]
    alone = ["--isolated", "--no-index", "--no-deps", "--disable-pip-version-check"]
    alone += [] if sys.stderr.isatty() else ["--quiet"]  # its bar is for whoever looks
    return [str(python), "-I", str(folder / pip / "pip"), "install", *alone, "--find-links", str(folder / "wheels")]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex, read a megabyte at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def _same(path: Path, file: dict) -> bool:
    try:
        return path.stat().st_size == file["bytes"] and sha256_of(path) == file["sha256"]
    except OSError:  # a stick with a bad block
        return False


def show(label: str, done: int, total: int) -> None:
    """Draw how far `label` has come, if somebody is looking."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{label} {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", end=end, file=sys.stderr, flush=True)


def _run(command: list[str]) -> None:
    if subprocess.call(command):
        why = "its message is above; a full disk, or a wheel that wants a newer system than this one"
        raise Unusable(f"This failed: {' '.join(command[:4])}", why, "python install.py --venv /a/folder/with/room")


def _said(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip()


def numbers(version: str) -> list[int]:
    """Return the first three numbers of a version, to compare with another's; [] for a text without any."""
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


if __name__ == "__main__":
    sys.exit(main())
