"""For each machine the right pins and wheels: checked against the course's own lock file."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.errors import ConfigError, KitError
from labkit.kit import targets
from labkit.kit.targets import Target, read_pins
from labkit.kit.wheels import HANDFUL, _handfuls

EVERYWHERE = set(targets.platforms())
LOCK = Path(__file__).parents[2] / "requirements" / "lab.txt"


@pytest.fixture(scope="module")
def pins():
    return read_pins(LOCK)


def names(pins, platform, python) -> list[str]:
    target = Target.of(platform, python)
    return [f"{pin.name}=={pin.version}" for pin in pins if target.wants(pin)]


def test_the_whole_lock_file_is_read(pins):
    assert len(pins) == sum("==" in line and not line.startswith((" ", "#")) for line in LOCK.read_text().splitlines())
    assert all(len(one) == 64 for pin in pins for one in pin.hashes) and all(pin.hashes for pin in pins)


def test_markers_are_read_for_the_target_and_not_for_this_machine(pins):
    linux, windows = names(pins, "linux-x86_64", "3.12"), names(pins, "windows-x86_64", "3.12")
    starts = lambda rows, name: [row for row in rows if row.startswith(f"{name}==")]  # noqa: E731
    assert starts(windows, "pywin32") and not starts(linux, "pywin32")
    assert starts(linux, "ptyprocess") and not starts(windows, "pexpect")
    assert starts(names(pins, "macos-arm64", "3.12"), "appnope") and not starts(linux, "appnope")
    assert not starts(names(pins, "windows-arm64", "3.12"), "xllamacpp") and starts(linux, "xllamacpp")
    assert starts(names(pins, "linux-x86_64", "3.11"), "numpy") != starts(linux, "numpy")


def test_every_patch_release_of_a_python_is_served(pins):
    """One version for 3.11.4 and another for 3.11.5: a kit for 3.11 has both, and pip never gets both at once."""
    found = [row for row in names(pins, "linux-x86_64", "3.11") if row.startswith("soupsieve==")]
    assert len(found) == 2
    target = Target.of("linux-x86_64", "3.11")
    handfuls = _handfuls([pin for pin in pins if target.wants(pin)])
    for some in handfuls:
        assert len({pin.name for pin in some}) == len(some) <= HANDFUL
    assert sum(map(len, handfuls)) == len(names(pins, "linux-x86_64", "3.11"))


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("a-1.0-py3-none-any.whl", EVERYWHERE),
        ("a-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", {"linux-x86_64"}),
        ("a-1.0-cp39-abi3-manylinux_2_28_aarch64.whl", {"linux-aarch64"}),
        ("a-1.0-cp311-cp311-manylinux_2_39_x86_64.whl", set()),
        ("a-1.0-cp312-cp312-manylinux_2_17_x86_64.whl", set()),
        ("a-1.0-cp311-cp311-macosx_11_0_arm64.whl", {"macos-arm64"}),
        ("a-1.0-cp311-cp311-macosx_10_9_universal2.whl", {"macos-arm64", "macos-x86_64"}),
        ("a-1.0-cp311-cp311-macosx_26_0_arm64.whl", set()),
        ("a-1.0-cp311-cp311-win_amd64.whl", {"windows-x86_64"}),
        ("a-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", set()),
    ],
)  # fmt: skip
def test_a_wheel_goes_where_it_runs(wheel, fits):
    assert {name for name in targets.platforms() if Target.of(name, "3.11").takes(wheel)} == fits


def test_pip_is_told_the_oldest_system_first():
    options = Target.of("linux-x86_64", "3.12").for_pip()
    systems = [options[i + 1] for i, one in enumerate(options) if one == "--platform"]
    assert systems[0] == "manylinux1_x86_64" and systems[-1] == "manylinux_2_34_x86_64"
    assert "3.12.99" in options, "3.12 alone means 3.12.0, and refuses what needs 3.12.1"


def test_what_is_no_target_is_refused_in_words(tmp_path):
    for name, python in (("amiga", "3.12"), ("linux-x86_64", "3.10"), ("linux-x86_64", "3")):
        with pytest.raises(ConfigError):
            Target.of(name, python)
    (tmp_path / "lab.txt").write_text("numpy>=2\n")
    with pytest.raises(KitError, match="no pin"):
        read_pins(tmp_path / "lab.txt")


def test_this_machine_is_one_of_them():
    target = targets.here()
    assert target.platform in targets.platforms() and target.takes("a-1.0-py3-none-any.whl")
