"""A kit is built, checked, damaged and repaired, for real and with no index: pip finds its wheels in a folder."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys

import fences
import psutil
import pytest
import small_kit
from small_kit import ANSWER, WEIGHTS
from test_cli import run

from labkit import kit
from labkit.errors import KitError
from labkit.kit import install

BUILD = """
import sys
from pathlib import Path
from labkit import kit
from labkit.errors import LabkitError
try:
    kit.build(sys.argv[1], [kit.here()], clone=Path(sys.argv[2]))
except LabkitError as error:
    sys.exit(str(error))
"""


def test_a_kit_holds_what_this_machine_needs_and_no_more(built):
    found = json.loads((built.folder / "kit.json").read_text())
    names = set(found["files"])
    assert {found["wheel"], WEIGHTS, ANSWER, "install.py"} <= names and not any("elsewhere" in name for name in names)
    assert [name for name in names if name.startswith("weights/")] == [WEIGHTS]
    on_disk = {one.relative_to(built.folder).as_posix() for one in built.folder.rglob("*") if one.is_file()}
    assert on_disk == names | {"kit.json", "kit.sha256"}
    assert kit.verify(built.folder).ok and small_kit.install_from(built.folder, "--check").returncode == 0
    (row,) = found["targets"]
    assert row["unpacked_bytes"] > sum(one.stat().st_size for one in (small_kit.ROOT / "labkit").rglob("*.py"))
    assert f": Python {row['python']}\n" in (built.folder / "README.txt").read_text()


@pytest.mark.parametrize("name", [ANSWER, WEIGHTS, "install.py", "kit.json", "kit.sha256"])
@pytest.mark.parametrize("place", [0, -2])
def test_one_changed_bit_is_found(copy, name, place):
    small_kit.flip(copy / name, place)
    if name in ("kit.json", "kit.sha256"):
        with pytest.raises(KitError, match="was changed"):
            kit.verify(copy)
    else:
        found = kit.verify(copy)
        assert not found.ok and found.changed == (name,) and f"changed  {name}" in str(found)


def test_missing_and_extra_files_are_named_and_only_missing_ones_stop_it(copy):
    (copy / "wheels" / "holiday.whl").write_bytes(b"")
    (copy / ".Trashes").write_bytes(b"")
    assert kit.verify(copy).ok and kit.verify(copy).extra == ("wheels/holiday.whl",)
    (copy / WEIGHTS).unlink()
    found = kit.verify(copy)
    assert found.missing == (WEIGHTS,) and not found.ok
    assert small_kit.install_from(copy, "--check").returncode == 2


def test_the_command_says_whole_damaged_or_no_kit(copy):
    whole = run("kit", "verify", copy)
    assert whole.returncode == 0 and "files are whole" in whole.stdout
    small_kit.flip(copy / "README.txt", 3)
    damaged = run("kit", "verify", copy, "--json")
    assert damaged.returncode == 1 and json.loads(damaged.stdout)["changed"] == ["README.txt"]
    none = run("kit", "verify", copy / "wheels")
    assert none.returncode == 2 and "no kit" in none.stderr


def test_a_damaged_kit_is_repaired_and_what_was_right_is_kept(copy, clone, monkeypatch):
    answer, stamp = copy / ANSWER, (copy / WEIGHTS).stat().st_mtime_ns
    small_kit.flip(answer, 5)
    (copy / "wheels.part-killed").mkdir()
    (copy / "wheels.part-killed" / "half.whl").write_bytes(b"PK")
    (copy / "kit.sha256").unlink()
    with pytest.raises(KitError, match="not finished"):
        kit.verify(copy)
    small_kit.build(copy, clone)
    assert kit.verify(copy).ok and not kit.verify(copy).extra
    assert (copy / WEIGHTS).stat().st_mtime_ns == stamp
    monkeypatch.setenv("PIP_FIND_LINKS", str(copy / "no-such-folder"))  # nothing is missing, so pip is not asked
    assert small_kit.build(copy, clone).files == kit.verify(copy).files
    answer.unlink()
    with pytest.raises(KitError, match=r"answer==1\.0 has no wheel for"):
        small_kit.build(copy, clone)
    with pytest.raises(KitError, match="not finished"):
        kit.verify(copy)


def test_what_an_older_build_left_goes_and_what_is_yours_stays(copy, clone):
    lock = clone / "requirements" / "lab.txt"
    pins = lock.read_text()
    (copy / "notes.txt").write_text("mine")
    try:
        lock.write_text(small_kit.pin(small_kit.bundled_pip()))
        small_kit.build(copy, clone)
    finally:
        lock.write_text(pins)
    assert not (copy / ANSWER).exists() and kit.verify(copy).extra == ("notes.txt",)


def test_a_folder_of_something_else_and_a_newer_kit_are_left_alone(copy, clone, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "sea.jpg").write_bytes(b"")
    with pytest.raises(KitError, match="not empty"):
        small_kit.build(tmp_path / "photos", clone)
    small_kit.rewrite(copy, format=install.FORMAT + 1, labkit="9.0.0")
    for use in (kit.verify, lambda folder: small_kit.build(folder, clone)):
        with pytest.raises(KitError, match=r"newer|format"):
            use(copy)
    done = small_kit.install_from(copy)
    assert done.returncode == 2 and "labkit 9.0.0, which is newer" in done.stderr


def test_ctrl_c_leaves_nothing_half_and_nothing_running_and_the_next_build_goes_on(copy, clone):
    (copy / ANSWER).unlink()
    with socket.create_server(("127.0.0.1", 0)) as silent:  # an index that takes every call and never answers
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        env = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
        command = [sys.executable, "-c", BUILD, copy, clone]
        build = psutil.Popen(command, env={**env, "PIP_INDEX_URL": address}, preexec_fn=small_kit.heed_ctrl_c)
        silent.settimeout(60)
        silent.accept()  # pip is there, and asks: a signal while it is being started would find Popen half made
        pip = build.children()
        build.send_signal(signal.SIGINT)
        assert build.wait(30) != 0
    assert not any(one.is_running() for one in pip)
    assert not [one for ending in ("part-*", "tmp", "lock") for one in copy.rglob(f"*.{ending}")]
    with pytest.raises(KitError, match="not finished"):
        kit.verify(copy)
    small_kit.build(copy, clone)
    assert kit.verify(copy).ok


@pytest.mark.parametrize(
    ("fence", "words"),
    [
        (lambda stick: fences.small(stick, 1 << 20), "Not enough room on the disk|ran out of room"),
        (fences.read_only, "Cannot write"),
    ],
    ids=["full", "read-only"],
)
def test_a_stick_that_is_full_or_read_only_is_named_with_a_command_that_helps(clone, fenced, fence, words, tmp_path):
    env = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "LABKIT_", "PYTHON"))}
    done = fenced(fence(tmp_path), sys.executable, "-c", BUILD, tmp_path / "kit", clone, **env)
    assert done.returncode == 1 and re.search(words, done.stderr), done.stderr
    assert "Try: labkit kit build --to /a/folder/with/room" in done.stderr and "Traceback" not in done.stderr
