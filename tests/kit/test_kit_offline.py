"""A whole kit, as an instructor hands it out, on a machine that has no network: installed, looked at, and a lesson run.

Opt-in, since a kit has half a gigabyte: with `kit` in LABKIT_REQUIRE it is built for this machine alone, from the index; the folder
LABKIT_KIT, if set, keeps it for the next time.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_cli import run

INSIDE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
INTERFACES = "import socket; print(*[name for _, name in socket.if_nameindex()])"


@pytest.fixture(scope="module")
def whole_kit(require, tmp_path_factory) -> Path:
    kept, wanted = os.environ.get("LABKIT_KIT"), os.environ.get("LABKIT_REQUIRE", "").split(",")
    require("kit", kept or "kit" in wanted, "export LABKIT_KIT=FOLDER")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("stick") / "kit"
    done = run("kit", "build", "--to", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert run("kit", "verify", folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def cut_off(require):
    """Give `inside(*command, **env)`, whose process has loopback alone: a network namespace of its own."""
    allowed = shutil.which("unshare") and subprocess.run([*INSIDE, "true"], capture_output=True).returncode == 0
    require("unshare", allowed, "a Linux with iproute2 that lets a user make a network namespace")

    def inside(*command, **env) -> subprocess.CompletedProcess:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON", "LABKIT_"))}
        everything = [*INSIDE, *map(str, command)]
        return subprocess.run(everything, capture_output=True, text=True, env={**clean, **env})

    return inside


@pytest.mark.timeout(600)
def test_from_the_kit_alone_install_doctor_and_the_first_lesson(whole_kit, cut_off, tmp_path):
    assert cut_off(sys.executable, "-c", INTERFACES).stdout.split() == ["lo"], "this namespace has a network"
    home, venv = tmp_path / "home", tmp_path / "venv"
    done = cut_off(sys.executable, whole_kit / "install.py", "--venv", venv, LABKIT_HOME=str(home))
    assert done.returncode == 0, done.stdout + done.stderr
    labkit = venv / "bin" / "labkit"
    found = json.loads(cut_off(labkit, "doctor", "--json", LABKIT_HOME=str(home)).stdout)
    assert found["engines"]["llamacpp"]["ok"] and any(one["here"] for one in found["models"])
    ran = cut_off(labkit, "run", "00", "--json", LABKIT_HOME=str(home))
    (lesson,) = json.loads(ran.stdout)
    assert lesson["ok"], lesson["problems"]
