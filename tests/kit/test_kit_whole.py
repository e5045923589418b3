"""A kit is built, checked, damaged, repaired and installed, for real and with no index: pip finds its wheels in a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import small_kit
import tiny_llama as tiny
from test_cli import run

from labkit import kit
from labkit.errors import KitError
from labkit.kit import install


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """Let pip see one folder of wheels and no index, labkit a home of its own."""
    wheels = tmp_path_factory.mktemp("index")
    with tiny.home(tmp_path_factory.mktemp("home")), pytest.MonkeyPatch.context() as patch:
        for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}.items():
            patch.setenv(name, value)
        yield wheels


@pytest.fixture(scope="module")
def clone(offline, require, tmp_path_factory) -> Path:
    pip = small_kit.bundled_pip()
    require("ensurepip", pip, "a Python that carries pip's wheel")
    here = small_kit.make_wheel(offline, "answer", "1.0")
    elsewhere = small_kit.make_wheel(offline, "elsewhere", "1.0")
    shutil.copy(pip, offline)
    lock = small_kit.pin(here) + small_kit.pin(elsewhere, "sys_platform == 'plan9'") + small_kit.pin(pip)
    return small_kit.clone(tmp_path_factory.mktemp("clone"), lock)


@pytest.fixture(scope="module")
def built(clone, tmp_path_factory):
    return small_kit.build(tmp_path_factory.mktemp("stick") / "kit", clone)


@pytest.fixture
def copy(built, tmp_path) -> Path:
    """Give a copy of the kit that a test may damage."""
    return Path(shutil.copytree(built.folder, tmp_path / "kit"))


def run_installer(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, folder / "install.py", *arguments], capture_output=True, text=True)


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_kit_holds_what_this_machine_needs_and_no_more(built):
    found = json.loads((built.folder / "kit.json").read_text())
    names = set(found["files"])
    assert found["wheel"] in names and small_kit.WEIGHTS in names and f"{small_kit.WEIGHTS}.json" in names
    assert {name.split("-")[0] for name in names if name.endswith(".whl")} == {
        "wheels/answer",
        "wheels/pip",
        "wheels/labkit",
    }
    on_disk = {one.relative_to(built.folder).as_posix() for one in built.folder.rglob("*") if one.is_file()}
    assert on_disk == names | {"kit.json", "kit.sha256"}
    assert kit.verify(built.folder).ok and run_installer(built.folder, "--check").returncode == 0


@pytest.mark.parametrize(
    "name", ["wheels/answer-1.0-py3-none-any.whl", small_kit.WEIGHTS, "install.py", "kit.json", "kit.sha256"]
)
@pytest.mark.parametrize("place", [0, -2])
def test_one_changed_bit_is_refused_before_anything_is_installed(copy, name, place, tmp_path):
    installer = tmp_path / "kit" / "install.py"
    if name != "install.py":  # a changed one would not be the one that checks
        flip(copy / name, place)
    else:
        installer.write_bytes(installer.read_bytes() + b"\n")
    done = run_installer(copy, "--venv", str(tmp_path / "venv"))
    assert done.returncode == 2 and not (tmp_path / "venv").exists()
    assert name in done.stderr and "Likely why" in done.stderr and "Traceback" not in done.stderr
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
    (copy / small_kit.WEIGHTS).unlink()
    found = kit.verify(copy)
    assert found.missing == (small_kit.WEIGHTS,) and not found.ok
    assert run_installer(copy, "--check").returncode == 2


def test_the_command_says_whole_damaged_or_no_kit(copy):
    whole = run("kit", "verify", copy)
    assert whole.returncode == 0 and "files are whole" in whole.stdout
    flip(copy / "README.txt", 3)
    damaged = run("kit", "verify", copy, "--json")
    assert damaged.returncode == 1 and json.loads(damaged.stdout)["changed"] == ["README.txt"]
    none = run("kit", "verify", copy / "wheels")
    assert none.returncode == 2 and "no kit" in none.stderr


def test_a_damaged_kit_is_repaired_and_what_was_right_is_kept(copy, clone, monkeypatch):
    answer, stamp = copy / "wheels" / "answer-1.0-py3-none-any.whl", (copy / small_kit.WEIGHTS).stat().st_mtime_ns
    flip(answer, 5)
    (copy / "wheels.part-killed").mkdir()
    (copy / "wheels.part-killed" / "half.whl").write_bytes(b"PK")
    (copy / "kit.sha256").unlink()
    with pytest.raises(KitError, match="not finished"):
        kit.verify(copy)
    small_kit.build(copy, clone)
    assert kit.verify(copy).ok and not kit.verify(copy).extra
    assert (copy / small_kit.WEIGHTS).stat().st_mtime_ns == stamp
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
        lock.write_text(
            "".join(part for part in pins.partition("answer==1.0")[:1]) + small_kit.pin(small_kit.bundled_pip())
        )
        small_kit.build(copy, clone)
    finally:
        lock.write_text(pins)
    assert not (copy / "wheels" / "answer-1.0-py3-none-any.whl").exists() and kit.verify(copy).extra == ("notes.txt",)


def test_a_folder_of_something_else_and_a_newer_kit_are_left_alone(copy, clone, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "sea.jpg").write_bytes(b"")
    with pytest.raises(KitError, match="not empty"):
        small_kit.build(tmp_path / "photos", clone)
    newer(copy, format=install.FORMAT + 1, labkit="9.0.0")
    for use in (kit.verify, lambda folder: small_kit.build(folder, clone)):
        with pytest.raises(KitError, match=r"newer|format"):
            use(copy)
    done = run_installer(copy)
    assert done.returncode == 2 and "labkit 9.0.0, which is newer" in done.stderr


def newer(folder: Path, **changes) -> None:
    """Rewrite kit.json with its checksum."""
    found = json.loads((folder / "kit.json").read_text()) | changes
    (folder / "kit.json").write_text(json.dumps(found))
    (folder / "kit.sha256").write_bytes(install.seal((folder / "kit.json").read_bytes()))


def test_a_manifest_that_leads_outside_and_a_machine_without_wheels_are_refused(copy):
    files = json.loads((copy / "kit.json").read_text())["files"]
    newer(copy, targets=[{"platform": "plan9", "python": "3.11", "sys_platform": "plan9", "machine": "mips"}])
    done = run_installer(copy)
    assert done.returncode == 2 and "the kit is for plan9 with Python 3.11" in done.stderr
    newer(copy, files=files | {"weights/../../outside": {"sha256": "", "bytes": 0}})
    assert "outside the kit" in run_installer(copy).stderr


@pytest.mark.timeout(120)
def test_it_installs_into_an_empty_environment_and_puts_the_weights_in_place(built, tmp_path):
    home, venv = tmp_path / "home", tmp_path / "a venv"
    env = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "PYTHON"))}
    env |= {"LABKIT_HOME": str(home)}
    command = [sys.executable, built.folder / "install.py", "--venv", venv]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    said = subprocess.run(
        [python, "-Ic", "import labkit, answer; print(labkit.__file__, answer.ANSWER)"], stdout=-1, text=True
    )
    assert str(venv) in said.stdout and said.stdout.endswith("42\n")
    assert install.sha256_of(home / small_kit.WEIGHTS) == install.sha256_of(built.folder / small_kit.WEIGHTS)
    assert f"{python.parent / 'labkit'}" in done.stdout
    make_newer(venv)
    again = subprocess.run(command, capture_output=True, text=True, env=env)
    assert again.returncode == 2 and "older" in again.stderr


def make_newer(venv: Path) -> None:
    (info,) = venv.rglob("labkit-*.dist-info/METADATA")
    info.write_text(info.read_text().replace("Version: 0.", "Version: 9.", 1))
