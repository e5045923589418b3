"""What became of the course module's monitoring classes: part by part, the name in labkit that does the work.

    counterparts()                     # the rows of data/monitoring.toml
    counterparts_markdown()            # the same as a table

A row that points to nothing raises: the table cannot promise what is not there.

Taught in notebook 11, section "What became of the original".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from importlib import import_module

from labkit import paths
from labkit.errors import ConfigError

__all__ = ["Counterpart", "counterparts", "counterparts_markdown"]


@dataclass(frozen=True)
class Counterpart:
    """module: the class or its part, as the course module spells it. labkit: the dotted name. repaired: what was wrong there.

    Taught in notebook 11, section "What became of the original".
    """

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
    """Return the rows of data/monitoring.toml, in its order.

    Taught in notebook 11, section "What became of the original".
    """
    found = paths.read_table("monitoring.toml")
    return [Counterpart(**row) for row in found["part"]]


def counterparts_markdown() -> str:
    """Return the table in Markdown, a line a row: the module's part, the name in labkit.operate, what was wrong there.

    Taught in notebook 11, section "What became of the original".
    """
    lines = ["| in the module | in labkit.operate | what was wrong |", "| --- | --- | --- |"]
    for row in counterparts():
        lines.append(f"| `{row.module}` | `{row.labkit.removeprefix('labkit.operate.')}` | {row.repaired} |")
    return "\n".join(lines)
