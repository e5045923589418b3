"""What became of the course module's monitoring classes: part by part, the name in labkit that does the work.

    counterparts()                     # the rows of data/monitoring.toml
    print(counterparts_text())         # the same as a table

A row that points to nothing raises: the table cannot promise what is not there.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import reduce
from importlib import import_module

from labkit import paths
from labkit.errors import ConfigError

__all__ = ["Counterpart", "counterparts", "counterparts_text"]


@dataclass(frozen=True)
class Counterpart:
    """module: the class or its part, as the course module spells it. labkit: the dotted name. repaired: what was wrong there."""

    module: str
    labkit: str
    repaired: str

    @property
    def thing(self) -> object:
        """The class or function itself. Raises ConfigError if labkit has none of that name."""
        *home, last = self.labkit.split(".")
        parts = [last]
        while home and home[-1][0].isupper():
            parts.insert(0, home.pop())
        try:
            return reduce(getattr, parts, import_module(".".join(home)))
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"There is no {self.labkit}.", str(error), "labkit monitor --help") from error


def counterparts() -> list[Counterpart]:
    """Return the rows of data/monitoring.toml, in its order."""
    found = tomllib.loads((paths.data_dir() / "monitoring.toml").read_text(encoding="utf-8"))
    return [Counterpart(**row) for row in found["part"]]


def counterparts_text() -> str:
    """Return the table in words, a line a row: the module's part, the name in labkit after `labkit.operate.`, what was wrong."""
    lines = [f"{'in the module':46} {'in labkit.operate':32} what was wrong"]
    for row in counterparts():
        lines.append(f"{row.module:46} {row.labkit.removeprefix('labkit.operate.'):32} {row.repaired}")
    return "\n".join(lines)
