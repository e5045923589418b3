"""The rungs of the ladder: llama.cpp's names for files, and who can write them here.

`bits` are those of the format itself, per weight of a matrix whose rows divide into its blocks; what a file really has is
counted over its tensors.

Taught in notebook 03, sections "Bits and bytes" and "Levels and devices".
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import ConfigError
from labkit.gguf_file import FILE_TYPES
from labkit.nearest import meant

__all__ = ["LADDER", "RUNGS", "RungType", "rung"]


@dataclass(frozen=True)
class RungType:
    """One type of file. file_type: llama.cpp's number. block: weights that share a scale. bits: of the main type."""

    name: str
    file_type: int
    main: str
    block: int
    bits: float

    @property
    def simple(self) -> bool:
        """Whether the pure-Python `gguf` package writes it: no compiler needed."""
        return self.name in FILE_TYPES


RUNGS = {
    one.name: one
    for one in (
        RungType("F16", 1, "F16", 1, 16.0),
        RungType("BF16", 32, "BF16", 1, 16.0),
        RungType("Q8_0", 7, "Q8_0", 32, 8.5),
        RungType("Q6_K", 18, "Q6_K", 256, 6.5625),
        RungType("Q5_K_M", 17, "Q5_K", 256, 5.5),
        RungType("Q5_K_S", 16, "Q5_K", 256, 5.5),
        RungType("Q5_1", 9, "Q5_1", 32, 6.0),
        RungType("Q4_K_M", 15, "Q4_K", 256, 4.5),
        RungType("Q4_0", 2, "Q4_0", 32, 4.5),
        RungType("Q3_K_M", 12, "Q3_K", 256, 3.4375),
        RungType("Q2_K", 10, "Q2_K", 256, 2.625),
    )
}
LADDER = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K")


def rung(name: str) -> RungType:
    """Return a rung by its name, in any case. Raises ConfigError for an unknown one."""
    found = RUNGS.get(name.upper())
    if found is None:
        why = meant(name.upper(), RUNGS, "the types are")
        raise ConfigError(f"There is no type {name!r}.", why, "labkit quantize --help")
    return found
