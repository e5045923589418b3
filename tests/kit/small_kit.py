"""A small kit, made by the real build: pins of two wheels that lie in a folder, a model of a few kilobytes, labkit's own wheel."""

from __future__ import annotations

import ensurepip
import hashlib
import shutil
import zipfile
from pathlib import Path

from labkit import kit
from labkit.kit.build import Built

ROOT = Path(__file__).parents[2]
WEIGHTS = "weights/tiny/tiny-f16.gguf"


def bundled_pip() -> Path | None:
    """Return the wheel of pip that this Python carries, or None (Debian's has none)."""
    return next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"), None)


def make_wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """Write a wheel with one module, `ANSWER = 42`."""
    path, info = folder / f"{name}-{version}-{tag}.whl", f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "ANSWER = 42\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n")
        wheel.writestr(f"{info}/RECORD", "")
    return path


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
