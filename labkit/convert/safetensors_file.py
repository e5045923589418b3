"""Read and write safetensors files: eight bytes of length, a JSON table, and then nothing but numbers.

The format is this plain on purpose: unlike a pickle, it cannot carry code.

At work in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from labkit.errors import BadModelFile

if TYPE_CHECKING:
    import numpy as np

__all__ = ["read", "table", "write"]

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
NUMPY = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
LONGEST_TABLE = 100 * 2**20  # bytes, as the reference reader has it


def write(file: BinaryIO, shapes: Mapping[str, tuple[int, ...]], arrays: Iterable[np.ndarray]) -> Iterator[int]:
    """Write F16 arrays, in the order of `shapes`, one at a time; yield the bytes written after each."""
    entries, at = {}, 0
    for name, shape in shapes.items():
        size = math.prod(shape) * SIZES["F16"]
        entries[name] = {"dtype": "F16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    # transformers asks for this mark
    head = json.dumps({"__metadata__": {"format": "pt"}, **entries}, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    file.write(struct.pack("<Q", len(head)) + head)
    for (name, shape), array in zip(shapes.items(), arrays, strict=True):
        if array.shape != shape:
            raise ValueError(f"{name} is {array.shape}, not {shape}")
        file.write(array.astype("<f2").tobytes())
        yield file.tell()


def table(path: Path) -> dict[str, dict]:
    """Return the entries (dtype, shape, data_offsets from the file's start) of a safetensors file; raise BadModelFile."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        raw = file.read(8)
        length = struct.unpack("<Q", raw)[0] if len(raw) == 8 else size
        if length > min(size - 8, LONGEST_TABLE):
            raise _bad(path, "its table would be longer than the file")
        try:
            entries = json.loads(file.read(length))
            entries.pop("__metadata__", None)
            found = {name: _entry(entry, 8 + length, size) for name, entry in entries.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad(path, f"its table is damaged: {error!r}") from None
    return found


def read(path: Path, entry: dict) -> np.ndarray:
    """Return one tensor of `table(path)` as float32."""
    import numpy as np

    if entry["dtype"] not in NUMPY:
        raise _bad(path, f"it holds {entry['dtype']} numbers, not floats")
    start, _ = entry["data_offsets"]
    numbers = np.fromfile(path, NUMPY[entry["dtype"]], math.prod(entry["shape"]), offset=start)
    if entry["dtype"] == "BF16":  # the upper half of a float32
        numbers = (numbers.astype("<u4") << 16).view("<f4")
    return numbers.astype(np.float32).reshape(entry["shape"])


def _entry(entry: dict, base: int, size: int) -> dict:
    start, end = (base + offset for offset in entry["data_offsets"])
    shape = [int(n) for n in entry["shape"]]
    if end > size or min(shape, default=0) < 0 or end - start != math.prod(shape) * SIZES[entry["dtype"]]:
        raise ValueError(f"{shape} does not fit into bytes {start} to {end}")
    return {"dtype": entry["dtype"], "shape": tuple(shape), "data_offsets": (start, end)}


def _bad(path: Path, why: str) -> BadModelFile:
    return BadModelFile(f"{path} is no safetensors file that can be read", why, "labkit models")
