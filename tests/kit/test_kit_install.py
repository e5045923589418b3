"""The kit's installer, as a learner starts it: what it makes, and what it refuses before anything is made."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fences
import psutil
import pytest
import small_kit
import tiny_llama as tiny
from small_kit import ANSWER, WEIGHTS, install_from, rewrite, target

from labkit.kit import install

DAMAGED = [ANSWER, WEIGHTS, "install.py", "kit.json", "kit.sha256"]


@pytest.fixture
def home(tmp_path) -> Path:
    """Give a learner's labkit home, which knows the model of the small kit as it knows the bundled one."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "models.toml").write_text(tiny.TABLE)
    return folder


def python_in(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def test_it_installs_into_an_empty_environment_and_puts_the_weights_in_place(built, home, tmp_path):
    venv = tmp_path / "a venv"
    done = install_from(built.folder, "--venv", venv, LABKIT_HOME=home)
    assert done.returncode == 0, done.stdout + done.stderr
    ask = "import labkit, answer; print(labkit.__file__, answer.ANSWER)"
    said = subprocess.run([python_in(venv), "-Ic", ask], stdout=-1, text=True).stdout
    assert str(venv) in said and said.endswith("42\n")
    assert install.sha256_of(home / WEIGHTS) == install.sha256_of(built.folder / WEIGHTS)
    assert str(python_in(venv).with_name("labkit")) in done.stdout and not (venv / install.UNFINISHED).exists()
    make_newer(venv)
    again = install_from(built.folder, "--venv", venv, LABKIT_HOME=home)
    assert again.returncode == 2 and "labkit 9." in again.stderr and "the older" in again.stderr


def make_newer(venv: Path) -> None:
    (info,) = venv.rglob("labkit-*.dist-info/METADATA")
    info.write_text(info.read_text().replace("Version: 0.", "Version: 9.", 1))


@pytest.mark.parametrize("name", DAMAGED)
def test_one_changed_byte_is_refused_before_anything_is_installed(copy, name, tmp_path):
    if name == "install.py":  # a bit of it could be one that does the checking
        (copy / name).write_bytes((copy / name).read_bytes() + b"\n")
    else:
        small_kit.flip(copy / name, -2)
    done = install_from(copy, "--venv", tmp_path / "venv")
    assert done.returncode == 2 and not (tmp_path / "venv").exists()
    assert name in done.stderr and "Likely why" in done.stderr and "Traceback" not in done.stderr


def refused(folder: Path, venv: Path, words: str) -> None:
    """Install, which must fail in these words, before 300 MB are read, and make nothing."""
    before = sorted(venv.rglob("*"))
    done = install_from(folder, "--venv", venv)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert "The kit is whole" not in done.stdout and sorted(venv.rglob("*")) == before


@pytest.mark.parametrize(
    ("changes", "words", "fix"),
    [
        (
            {"platform": "plan9", "sys_platform": "plan9"},
            "the kit is for plan9 with Python 3.",
            "labkit kit build --python 3.",
        ),
        ({"python": "3.99"}, "with Python 3.99", "Try: python3.99 install.py"),
    ],
)
def test_another_machine_and_another_python_are_told_what_the_kit_is_for(copy, changes, words, fix, tmp_path):
    rewrite(copy, targets=target(copy, **changes))
    refused(copy, tmp_path / "venv", words)
    assert fix in install_from(copy).stderr


def test_an_old_python_can_read_what_is_said_to_it():
    ast.parse(Path(install.__file__).read_text(encoding="utf-8"), feature_version=(3, 7))


def test_a_manifest_that_leads_outside_is_refused(copy, tmp_path):
    files = json.loads((copy / "kit.json").read_text())["files"]
    rewrite(copy, files=files | {"weights/../../outside": {"sha256": "", "bytes": 0}})
    refused(copy, tmp_path / "venv", "outside the kit")


def test_nothing_of_yours_is_written_over_and_the_kit_stays_as_it_is(copy, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "sea.jpg").write_bytes(b"")
    refused(copy, tmp_path / "photos", "is no virtual environment")
    refused(copy, tmp_path / "photos" / "sea.jpg", "is no virtual environment")
    refused(copy, copy / "labkit-venv", "lies in the kit")


def test_a_disk_that_is_too_small_is_said_beforehand(copy, tmp_path):
    rewrite(copy, targets=target(copy, unpacked_bytes=1 << 60))
    refused(copy, tmp_path / "venv", "Not enough room on the disk")


def test_a_disk_that_fills_up_on_the_way_keeps_no_half_environment(copy, fenced, tmp_path):
    rewrite(copy, targets=target(copy, unpacked_bytes=0))  # as if somebody else had filled it since
    disk = tmp_path / "disk"
    disk.mkdir()
    fence = fences.small(disk, 4 << 20)
    show = 'python="$1"; shift; "$python" "$@"; echo "status $?"; ls -A "$3/.."'
    done = fenced(fence, "sh", "-c", show, "sh", sys.executable, copy / "install.py", "--venv", disk / "venv")
    assert "No space left" in done.stderr and "a full disk" in done.stderr and "Traceback" not in done.stderr
    assert done.stdout.endswith("status 2\n"), done.stdout


def test_a_folder_that_cannot_be_written_is_named(copy, home, fenced):
    command = [sys.executable, copy / "install.py", "--venv", home / "venv"]
    done = fenced(fences.read_only(home), *command)
    assert done.returncode == 2 and f"{home / 'venv'} cannot be made" in done.stderr, done.stderr


def stopped(folder: Path, venv: Path, how: int) -> tuple[int, str]:
    """Stop an installer while its environment is half there; return its exit status and what it said."""
    command = [sys.executable, folder / "install.py", "--venv", venv]
    started = psutil.Popen(command, stderr=-1, preexec_fn=small_kit.heed_ctrl_c)
    while not (venv / "pyvenv.cfg").exists():
        assert started.poll() is None
        time.sleep(0.02)
    started.send_signal(how)
    _, said = started.communicate(timeout=30)
    return started.returncode, said.decode()


def test_ctrl_c_leaves_no_half_environment(copy, tmp_path):
    status, said = stopped(copy, tmp_path / "venv", signal.SIGINT)
    assert status == 130 and "Stopped." in said and "Traceback" not in said and not (tmp_path / "venv").exists()


def test_what_a_killed_installer_left_is_not_trusted_by_the_next(copy, home, tmp_path):
    venv = tmp_path / "venv"
    stopped(copy, venv, signal.SIGKILL)
    (venv / "half").touch()
    done = install_from(copy, "--venv", venv, LABKIT_HOME=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (venv / "half").exists() and python_in(venv).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc has a file that cannot be read")
def test_a_file_that_the_disk_does_not_give_is_named(copy):
    (copy / "wheels" / "bad-block.whl").symlink_to("/proc/self/mem")
    files = json.loads((copy / "kit.json").read_text())["files"]
    rewrite(copy, files=files | {"wheels/bad-block.whl": {"sha256": "", "bytes": 0}})
    done = install_from(copy, "--check")
    assert done.returncode == 2 and "wheels/bad-block.whl is changed" in done.stderr
