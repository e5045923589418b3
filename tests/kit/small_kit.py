"""A small kit, made by the real build: pins of wheels that lie in a folder, a model of a few kilobytes, labkit's own wheel.

In place of the course's 140 wheels it has `borrowed`, which lets an environment see the modules that the tests themselves use.
"""

from __future__ import annotations

import ensurepip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

from labkit import kit
from labkit.kit import install
from labkit.kit.build import Built

ROOT = Path(__file__).parents[2]
ANSWER = "wheels/answer-1.0-py3-none-any.whl"
WEIGHTS = "weights/tiny/tiny-f16.gguf"


def bundled_pip() -> Path | None:
    """Return the wheel of pip that this Python carries, or None (Debian's has none)."""
    return next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)


def make_wheel(folder: Path, name: str, text: str = "ANSWER = 42\n", ending: str = ".py") -> Path:
    """Write a wheel with one file of this text, version 1.0, for any machine."""
    path, info = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}{ending}", text)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def borrowed(folder: Path) -> Path:
    """Write the wheel that stands for the course's dependencies."""
    return make_wheel(folder, "borrowed", sysconfig.get_path("purelib") + "\n", ".pth")


def pin(wheel: Path, marker: str = "") -> str:
    """Return the line of a lock file for a wheel."""
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    return f"{name}=={version}{f' ; {marker}' if marker else ''} \\\n    --hash=sha256:{digest}\n"


def clone(folder: Path, lock: str) -> Path:
    """Copy of the course what a wheel is built from, with a lock file of its own."""
    for name in ("labkit", "data", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "requirements").mkdir()
    (folder / "requirements" / "lab.txt").write_text("--only-binary :all:\n" + lock, encoding="utf-8")
    return folder


def build(to: Path, of: Path) -> Built:
    """Build for this machine."""
    return kit.build(to, [kit.here()], clone=of)


def flip(path: Path, place: int) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def rewrite(folder: Path, **changes) -> None:
    """Change kit.json, with its checksum."""
    found = json.loads((folder / "kit.json").read_text()) | changes
    (folder / "kit.json").write_text(json.dumps(found))
    (folder / "kit.sha256").write_bytes(install.seal((folder / "kit.json").read_bytes()))


def target(folder: Path, **changes) -> list[dict]:
    """Return the one target of a kit, changed."""
    (row,) = json.loads((folder / "kit.json").read_text())["targets"]
    return [row | changes]


def install_from(folder: Path, *arguments: object, **env: object) -> subprocess.CompletedProcess[str]:
    """Start the kit's installer, as a person does who has set no variable of pip or Python."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    command = [sys.executable, folder / "install.py", *map(str, arguments)]
    everything = {**clean, **{key: str(value) for key, value in env.items()}}
    return subprocess.run(command, capture_output=True, text=True, env=everything)


def heed_ctrl_c() -> None:
    """For a child: a shell that runs the tests in the background has told them all to ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
