"""A whole kit, as an instructor hands it out, on a machine that has no network: installed, looked at, and its lessons run.

With `kit` in LABKIT_REQUIRE it is built for this machine, from the index and the weights that are here; the folder LABKIT_KIT, if
set, keeps it for the next time. Everything after that happens where there is loopback alone and the kit cannot be written to, in
a home of its own. Lesson 03, whose ladder of levels takes minutes, runs with `kit-03` there as well.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fences
import pytest
from test_cli import run

LESSONS = ["00", "01", "02", "03", "04"]
WANTED = os.environ.get("LABKIT_REQUIRE", "").split(",")
INTERFACES = "import socket; print(*[name for _, name in socket.if_nameindex()])"


@pytest.fixture(scope="module")
def whole_kit(require, tmp_path_factory) -> Path:
    kept = os.environ.get("LABKIT_KIT")
    require("kit", kept or "kit" in WANTED, "export LABKIT_REQUIRE=kit, and LABKIT_KIT=FOLDER to keep it")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("stick") / "kit"
    done = run("kit", "build", "--to", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert run("kit", "verify", folder).returncode == 0
    return folder


@pytest.fixture(scope="module")
def labkit(whole_kit, fenced, tmp_path_factory):
    """Give `labkit(*arguments)`, the command that was installed from the kit into an empty environment, without a network."""
    person, fence = tmp_path_factory.mktemp("person"), f"{fences.NO_NETWORK} && {fences.read_only(whole_kit)}"
    assert fenced(fence, sys.executable, "-c", INTERFACES).stdout.split() == ["lo"], "there is a network"
    env = {"HOME": str(person), "LABKIT_HOME": str(person / "labkit")}
    done = fenced(fence, sys.executable, whole_kit / "install.py", **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return lambda *arguments: fenced(fence, person / "labkit-venv" / "bin" / "labkit", *arguments, **env)


@pytest.mark.timeout(600)
def test_what_was_installed_from_the_kit_has_engine_and_model_and_nothing_to_complain_of(labkit):
    found = json.loads(labkit("doctor", "--json").stdout)
    assert found["engines"]["llamacpp"]["ok"] and not found["advice"]
    assert {one["id"] for one in found["lessons"] if one["runs"]} >= set(LESSONS)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_green_without_a_network(labkit, lesson, require):
    require("kit-03", lesson != "03" or "kit-03" in WANTED, "export LABKIT_REQUIRE=kit,kit-03")
    (ran,) = json.loads(labkit("run", lesson, "--json").stdout)
    assert ran["ok"], ran["problems"]
