"""What a GGUF file says of itself before its tensors begin, read with suspicion.

A GGUF is: magic, version, two counts, key-value pairs, a table of tensors, padding, the tensors' bytes. `walk` goes
over a memory map of it: it steps over the long token lists instead of building them, and believes no length unchecked.

`labkit.gguf_file` is the door to this.

Taught in notebook 03, section "By hand".
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from labkit.errors import BadModelFile

__all__ = ["GgufHeader", "LongList", "Tensor", "TENSOR_TYPES", "bad", "padded", "walk"]

# Tensor types by id: name, weights a block, bytes a block (a test compares them with `gguf`).
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
CUT_SHORT = "a download or a copy stopped early"
U32, U64 = struct.Struct("<I"), struct.Struct("<Q")

# What no honest file exceeds; a hostile one stops here instead of eating the memory or the afternoon.
MOST_KEYS, MOST_TENSORS, MOST_DIMENSIONS, LONGEST_NAME = 1 << 12, 1 << 18, 4, 1 << 16
LONGEST_TEXT, LONGEST_LIST, SHORT_LIST = 1 << 24, 1 << 22, 1 << 10
WIDEST_ALIGNMENT, MEMORY = 1 << 16, 1 << 26  # bytes


@dataclass(frozen=True, slots=True)
class Tensor:
    """One row of the tensor table: shape as numpy counts it (rows first), `offset` in bytes from the file's start."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class LongList:
    """A metadata list that was stepped over (the vocabulary, for one): only its length is known."""

    length: int


@dataclass(frozen=True)
class GgufHeader:
    """What a GGUF file says of itself; `metadata` holds scalars, texts, short lists (tuples), else LongList."""

    path: Path
    version: int
    file_bytes: int
    alignment: int
    metadata: dict[str, object] = field(repr=False)
    tensors: tuple[Tensor, ...] = field(repr=False)
    spans: dict[str, tuple[int, int]] = field(repr=False)  # each key-value pair's bytes in the file, from and to

    @property
    def architecture(self) -> str:
        """The name of the network's design ("llama", "qwen2", …)."""
        return str(self.metadata["general.architecture"])

    @property
    def chat_template(self) -> str | None:
        """The Jinja text that turns messages into a prompt."""
        text = self.metadata.get("tokenizer.chat_template")
        return text if isinstance(text, str) else None

    @property
    def context_length(self) -> int | None:
        """The tokens it was trained to look back on."""
        return self._number("context_length")

    @property
    def n_layers(self) -> int | None:
        """Its transformer blocks."""
        return self._number("block_count")

    @property
    def n_kv_heads(self) -> int | None:
        """Key-value heads a layer (the most, where layers differ)."""
        return self._number("attention.head_count_kv") or self._number("attention.head_count")

    @property
    def head_dim(self) -> int | None:
        """Numbers a head keeps for one token."""
        stated, width, heads = map(self._number, ("attention.key_length", "embedding_length", "attention.head_count"))
        return stated or (width // heads if width and heads else None)

    @property
    def n_weights(self) -> int:
        """Weights in all tensors together."""
        return sum(math.prod(tensor.shape) for tensor in self.tensors)

    @property
    def bits_per_weight(self) -> float:
        """Bits of file spent on one weight, on average."""
        return 8 * sum(tensor.nbytes for tensor in self.tensors) / max(self.n_weights, 1)

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(f"{self.architecture}.{key}")
        if isinstance(value, tuple):  # one number a layer
            value = max((v for v in value if type(v) is int), default=None)
        return value if type(value) is int else None


def walk(path: Path, data: mmap.mmap) -> GgufHeader:
    """Return the header of the mapped file, whose magic is known to be right; raise BadModelFile when it lies."""
    return _Walk(path, data).header()


class _Walk:
    """A position that moves through the mapped file."""

    def __init__(self, path: Path, data: mmap.mmap):
        self.path, self.data, self.at, self.size, self.memory = path, data, 4, len(data), MEMORY

    def header(self) -> GgufHeader:
        version = self.number(U32)
        if version & 0xFFFF == 0:
            raise bad(self.path, "is a big-endian GGUF", "it was written for another kind of processor")
        if version not in (2, 3):
            problem = f"is a GGUF of version {version}, and versions 2 and 3 are read"
            raise bad(self.path, problem, "the file is too old or too new")
        n_tensors, n_keys = self.count(MOST_TENSORS, "tensors"), self.count(MOST_KEYS, "metadata keys")
        metadata, spans = self.pairs(n_keys)
        if not isinstance(metadata.get("general.architecture"), str):
            raise self.broken("it names no architecture")
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= WIDEST_ALIGNMENT or alignment & (alignment - 1):
            raise self.broken(f"its alignment is {alignment!r}")
        tensors = tuple(self.tensors(n_tensors, alignment))
        return GgufHeader(self.path, version, self.size, alignment, metadata, tensors, spans)

    def pairs(self, n_keys: int) -> tuple[dict[str, object], dict[str, tuple[int, int]]]:
        metadata: dict[str, object] = {}
        spans = {}
        for _ in range(n_keys):
            start, key, kind = self.at, self.text(LONGEST_NAME), self.number(U32)
            if key in metadata:
                raise self.broken(f"the key {key[:60]!r} is there twice")
            metadata[key] = self.list() if kind == ARRAY else self.value(kind)
            spans[key] = (start, self.at)
        return metadata, spans

    def value(self, kind: int) -> object:
        self.spend(64)
        if kind == STRING:
            return self.text(LONGEST_TEXT)
        if kind not in SCALARS:
            raise self.broken(f"a value has the unknown type {kind}")
        return self.number(struct.Struct("<" + SCALARS[kind]))

    def list(self) -> object:
        kind, length = self.number(U32), self.count(LONGEST_LIST, "list items")
        if length <= SHORT_LIST:
            return tuple(self.value(kind) for _ in range(length))
        if kind == STRING:
            self.skip_texts(length)
        elif kind in SCALARS:
            self.skip(length * struct.calcsize("<" + SCALARS[kind]))
        else:
            raise self.broken(f"a list has items of the unknown type {kind}")
        return LongList(length)

    def skip_texts(self, length: int) -> None:
        """Step over a list of texts: the only hot loop (100,000 turns for a small vocabulary), so one unpack a turn."""
        at, data, unpack = self.at, self.data, U64.unpack_from
        try:
            for _ in range(length):
                at += 8 + unpack(data, at)[0]
        except (struct.error, OverflowError):  # beyond the end
            at = self.size + 1
        self.skip(at - self.at)

    def tensors(self, n_tensors: int, alignment: int) -> Iterator[Tensor]:
        rows, names = [self.tensor_row() for _ in range(n_tensors)], set()
        start = end = last = padded(self.at, alignment)
        for name, kind, dims, offset in rows:
            label, block, block_bytes = TENSOR_TYPES.get(kind, (None, 1, 0))
            if label is None:
                raise self.broken(
                    f"tensor {name[:60]!r} has the unknown type {kind}: the file may be newer than labkit"
                )
            if name in names or dims[0] % block or offset != end - start:
                raise self.broken(f"tensor {name[:60]!r} is there twice, misshapen or misplaced")
            names.add(name)
            nbytes = math.prod(dims) // block * block_bytes
            yield Tensor(name, label, tuple(reversed(dims)), end, nbytes)
            last = end + nbytes
            end = padded(last, alignment)
        if rows and last > self.size:
            raise bad(self.path, f"is cut short: it holds {self.size:,} of {last:,} bytes", CUT_SHORT)

    def tensor_row(self) -> tuple[str, int, tuple[int, ...], int]:
        name, n_dims = self.text(LONGEST_NAME), self.number(U32)
        if not 1 <= n_dims <= MOST_DIMENSIONS:
            raise self.broken(f"tensor {name[:60]!r} has {n_dims} dimensions")
        dims = tuple(self.number(U64) for _ in range(n_dims))
        return name, self.number(U32), dims, self.number(U64)

    def number(self, layout: struct.Struct):
        at = self.at
        self.skip(layout.size)
        return layout.unpack_from(self.data, at)[0]

    def count(self, most: int, of: str) -> int:
        if (count := self.number(U64)) > most:
            raise self.broken(f"it claims {count:,} {of}")
        return count

    def text(self, longest: int) -> str:
        length = self.number(U64)
        if length > longest:
            raise self.broken(f"it claims a text of {length:,} bytes")
        self.spend(length)
        at = self.at
        self.skip(length)
        return self.data[at : self.at].decode("utf-8", "replace")

    def skip(self, nbytes: int) -> None:
        if nbytes > self.size - self.at:
            raise bad(self.path, f"is cut short: {self.size:,} bytes do not even hold its header", CUT_SHORT)
        self.at += nbytes

    def spend(self, nbytes: int) -> None:
        self.memory -= nbytes
        if self.memory < 0:
            raise self.broken("its metadata never ends")

    def broken(self, why: str) -> BadModelFile:
        return bad(self.path, "has a damaged header", why)


def padded(position: int, alignment: int) -> int:
    """Return the first multiple of `alignment` that is not below `position` (bytes)."""
    return -(-position // alignment) * alignment


def bad(path: Path, problem: str, why: str) -> BadModelFile:
    """Return the error for a file with a problem."""
    return BadModelFile(f"{path} {problem}", why, "labkit models")
