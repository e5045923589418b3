"""Install the course from this kit, with no network: python install.py

    python install.py                      a virtual environment beside you, in the folder labkit-venv
    python install.py --venv FOLDER        somewhere else
    python install.py --check              only look whether the kit is whole

Every file of the kit is compared with its checksum first; if one byte differs, nothing is installed. This file needs Python
alone: it lies in the kit as a copy of labkit/kit/install.py, and `labkit kit verify` calls the same functions. The checksums
find damage, and no malice: who can change a file can change its checksum too.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import argparse
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


class Unusable(Exception):
    """This kit cannot be used here: what happened, why, and one command to try (each a str)."""

    def __init__(self, what, why="", fix=""):
        self.what, self.why, self.fix = what, why, fix
        super().__init__("\n".join([what] + ([f"Likely why: {why}"] if why else []) + ([f"Try: {fix}"] if fix else [])))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, or 2 when the kit cannot be used."""
    parser = argparse.ArgumentParser(description="Install the course from this kit, with no network.")
    parser.add_argument("--venv", default="labkit-venv", help="the folder of the virtual environment (labkit-venv)")
    parser.add_argument("--check", action="store_true", help="only look whether the kit is whole")
    asked, folder = parser.parse_args(arguments), Path(__file__).resolve().parent
    try:
        kit = manifest(folder)
        whole(folder, check(folder, kit, show))
        print(f"The kit is whole: {len(kit['files'])} files, labkit {kit['labkit']}.")
        if not asked.check:
            install(folder, kit, Path(asked.venv).resolve())
    except Unusable as problem:
        print(problem, file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, a stick that was pulled out or cannot be read
        print(f"{error}\nTry: python install.py --check", file=sys.stderr)
        return 2
    return 0


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
        elif (folder / name).stat().st_size != file["bytes"] or sha256_of(folder / name) != file["sha256"]:
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


def target(kit: dict) -> dict:
    """Return the row of kit.json that is for this machine and this Python. Raises Unusable if there is none."""
    here = (sys.platform, platform.machine().lower(), "{}.{}".format(*sys.version_info[:2]))
    for row in kit["targets"]:
        if (row["sys_platform"], row["machine"].lower(), row["python"]) == here:
            return row
    rows = ", ".join(f"{row['platform']} with Python {row['python']}" for row in kit["targets"])
    fitting = [row["python"] for row in kit["targets"] if (row["sys_platform"], row["machine"].lower()) == here[:2]]
    fix = f"python{fitting[0]} install.py" if fitting else f"labkit kit build --python {here[2]}  (on such a machine)"
    raise Unusable(f"This is {here[0]} on {here[1]} with Python {here[2]}", f"the kit is for {rows}", fix)


def install(folder: Path, kit: dict, venv: Path) -> None:
    """Make the virtual environment, install all wheels into it, put the weights in place. Raises Unusable."""
    target(kit)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _make_venv(venv, python, kit)
    (pip,) = [name for name in kit["files"] if re.match(r"wheels/pip-[^/]+\.whl$", name)]
    # The pip of the kit, run out of its wheel: a Python without ensurepip (Debian's) will do.
    command = [
        str(python),
        "-I",
        str(folder / pip / "pip"),
        "install",
        "--isolated",
        "--no-index",
        "--no-deps",
        "--quiet",
    ]
    command += ["--disable-pip-version-check", "--find-links", str(folder / "wheels")]
    print(
        f"Installing {len([name for name in kit['files'] if name.endswith('.whl')])} wheels or fewer: a minute or two.",
        flush=True,
    )
    _run([*command, "-r", str(folder / "requirements.txt")])
    _run([*command, "--force-reinstall", str(folder / kit["wheel"])])
    _place_weights(folder, kit, python)
    labkit = python.with_name("labkit.exe" if os.name == "nt" else "labkit")
    print(f"\nInstalled without a network. Next:\n\n    {labkit} doctor\n    {labkit} lab")


def _make_venv(venv: Path, python: Path, kit: dict) -> None:
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").is_file():
        raise Unusable(
            f"{venv} is a folder of something else", "it is no virtual environment", "python install.py --venv other"
        )
    if python.exists():
        there = _said([str(python), "-I", "-c", "import importlib.metadata as m; print(m.version('labkit'))"])
        if _number(there) > _number(kit["labkit"]):
            what = f"labkit {there} is in {venv}, and this kit holds the older {kit['labkit']}"
            raise Unusable(what, "a newer labkit is not replaced by an older one", "python install.py --venv other")
    else:
        _run([sys.executable, "-m", "venv", "--without-pip", str(venv)])


def _place_weights(folder: Path, kit: dict, python: Path) -> None:
    where = _said([str(python), "-I", "-c", "from labkit import paths; print(paths.weights_dir())"])
    if not where:
        raise Unusable(
            "labkit was installed and does not start", "see the error above", f"{python} -m labkit.cli doctor"
        )
    for name in sorted(name for name in kit["files"] if name.startswith("weights/")):
        dest = Path(where) / name[len("weights/") :]
        if dest.is_file() and sha256_of(dest) == kit["files"][name]["sha256"]:
            continue
        dest.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, dest.with_name(dest.name + ".tmp"))
        os.replace(dest.with_name(dest.name + ".tmp"), dest)
        print(f"  {name} -> {dest.parent}", flush=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex, read a megabyte at a time."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


def show(label: str, done: int, total: int) -> None:
    """Draw how far `label` has come, if somebody is looking."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        print(f"\r{label} {done / 1e6:,.0f} of {total / 1e6:,.0f} MB", end=end, file=sys.stderr, flush=True)


def _run(command: list[str]) -> None:
    if subprocess.call(command):
        why = "its message is above; a wheel may want a newer system than this one"
        raise Unusable(f"{Path(command[0]).name} failed", why, "python install.py --venv other")


def _said(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode().strip()


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)[:3]]


if __name__ == "__main__":
    sys.exit(main())
