"""For which machines a kit is: which pins they need, and which wheels run there.

    target = Target.of("linux-x86_64", "3.11")
    pins = [pin for pin in read_pins(file) if target.wants(pin)]
    target.takes("numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.whl")     # True

Explained in README.md, section "The command".
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from labkit import paths
from labkit.errors import ConfigError, KitError

__all__ = ["Pin", "Target", "here", "platforms", "read_pins"]

GLIBC_OLDEST = 5  # manylinux1
LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True)
class Pin:
    """One line of a lock file: name==version, the marker ("" = everywhere), and the SHA-256 of every file that will do."""

    name: str
    version: str
    marker: str
    hashes: frozenset[str]

    def line(self) -> str:
        """Return it for pip, without its marker."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{one}" for one in sorted(self.hashes))])


@dataclass(frozen=True)
class Target:
    """A platform of data/kit.toml and a minor version of CPython ("3.11")."""

    platform: str
    python: str

    @classmethod
    def of(cls, name: str, python: str) -> Target:
        """Return the target; raise ConfigError for a platform or version that is none."""
        if name not in platforms():
            raise ConfigError(
                f"There is no platform {name!r}", f"there are {', '.join(platforms())}", "labkit kit build -h"
            )
        if not re.fullmatch(r"3\.\d+", python) or int(python[2:]) < 11:
            raise ConfigError(
                f"No kit for Python {python!r}", "labkit needs 3.11 or newer", "labkit kit build --python 3.12"
            )
        return cls(name, python)

    @property
    def about(self) -> dict:
        """Its row of data/kit.toml."""
        return platforms()[self.platform]

    def to_dict(self) -> dict:
        """Return what `kit.json` keeps, and install.py looks at."""
        row = {key: self.about[key] for key in ("sys_platform", "machine")}
        return {"platform": self.platform, "python": self.python, **row}

    def wants(self, pin: Pin) -> bool:
        """Whether the pin is for this target, on the first or on the last patch release of its Python."""
        from packaging.markers import Marker

        if not pin.marker:
            return True
        return any(Marker(pin.marker).evaluate(self._environment(patch)) for patch in (0, 99))

    def takes(self, wheel: str) -> bool:
        """Whether a wheel of this file name runs there."""
        from packaging.utils import parse_wheel_filename

        return bool(parse_wheel_filename(wheel)[3] & self._tags())

    def for_pip(self) -> list[str]:
        """Return the options that make `pip download` choose for this target."""
        tags = [part for one in self._systems() for part in ("--platform", one)]
        return ["--python-version", f"{self.python}.99", "--implementation", "cp", *tags]

    def _environment(self, patch: int) -> dict[str, str]:
        row, full = self.about, f"{self.python}.{patch}"
        return {
            **{key: row[key] for key in ("sys_platform", "os_name", "platform_system")},
            "platform_machine": row["machine"],
            "python_version": self.python,
            "python_full_version": full,
            "implementation_name": "cpython",
            "implementation_version": full,
            "platform_python_implementation": "CPython",
        }

    def _systems(self) -> list[str]:
        """The platform tags, those that run on the oldest systems first: pip takes the first that there is."""
        from packaging.tags import mac_platforms

        machine, newest = self.about["machine"].lower(), self.about["newest"]
        if self.about["sys_platform"] == "win32":
            return [f"win_{machine}"]
        if self.about["sys_platform"] == "darwin":
            return list(mac_platforms((newest, 0), machine))[::-1]
        glibc = range(GLIBC_OLDEST, newest + 1)
        names = [name for n in glibc for name in (LEGACY.get(n), f"manylinux_2_{n}") if name]
        return [f"{name}_{machine}" for name in names]

    def _tags(self) -> frozenset:
        return _tags(self.python, tuple(self._systems()))


@cache
def _tags(python: str, systems: tuple[str, ...]) -> frozenset:
    from packaging.tags import compatible_tags, cpython_tags

    version = tuple(map(int, python.split(".")))
    interpreter = f"cp{python.replace('.', '')}"
    return frozenset([*cpython_tags(version, platforms=systems), *compatible_tags(version, interpreter, systems)])


@cache
def platforms() -> dict[str, dict]:
    """Return the platforms that a kit can be for, by name (data/kit.toml)."""
    return paths.read_table("kit.toml")["platforms"]


def here() -> Target:
    """Return this machine and this Python. Raises KitError on a machine that the pins are not for."""
    found = (sys.platform, platform.machine().lower())
    for name, row in platforms().items():
        if (row["sys_platform"], row["machine"].lower()) == found:
            return Target(name, "{}.{}".format(*sys.version_info[:2]))
    fix = f"labkit kit build --platform {next(iter(platforms()))}"
    raise KitError(f"No kit for {found[0]} on {found[1]}", "the course's pins have no wheels for it", fix)


def read_pins(file: Path) -> list[Pin]:
    """Return the pins of a lock file as uv or pip-compile write it: `name==version ; marker \\` and its hashes."""
    lines = file.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    return [_pin(line) for line in lines if line.strip() and not line.lstrip().startswith(("#", "--"))]


def _pin(line: str) -> Pin:
    wanted, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
    package, _, marker = wanted.partition(";")
    name, _, version = package.strip().partition("==")
    if not version or not hashes:
        raise KitError(
            f"{line[:60]!r} is no pin with a hash", "an edited lock file", "python .ci/environments.py --pins"
        )
    return Pin(name, version, marker.strip(), frozenset(one.strip() for one in hashes))
