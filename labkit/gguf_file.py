"""Read and check a GGUF model file before an engine meets it, and write a model back as F16 or in another simple type.

    header = check("model.gguf")
    header.architecture, header.n_layers, header.context_length, header.bits_per_weight
    to_f16("model.Q4_1.gguf", "model.F16.gguf")

Taught in notebook 00, sections "What runs here" and "Where errors show".
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Container, Iterator
from pathlib import Path
from typing import BinaryIO

from labkit import disk
from labkit.errors import BadModelFile, WeightsError
from labkit.gguf_header import TENSOR_TYPES, U32, U64, GgufHeader, LongList, Tensor, bad, padded, walk
from labkit.progress import Progress, silent

__all__ = [
    "GgufHeader",
    "LongList",
    "Tensor",
    "check",
    "llamacpp_architectures",
    "read_header",
    "read_tensor",
    "rewrite",
    "targets_of",
    "to_f16",
]

TYPE_IDS = {name: number for number, (name, _, _) in TENSOR_TYPES.items()}
FLOATS = {"F32", "F16", "BF16", "F64"}
OF_THE_BLOCKS = {"general.file_type", "general.quantization_version"}  # metadata that speaks of the blocks that go
U32_KIND = 4  # a metadata value's type: an unsigned number of four bytes
FILE_TYPES = {"F16": 1, "Q4_0": 2, "Q8_0": 7, "Q5_1": 9, "BF16": 32}  # llama.cpp's numbers for files mostly of one type
BLOCKS_EDITION = 2  # llama.cpp's number for how it packs blocks today
AT_ONCE = 1 << 20  # weights held in memory at one time, whatever the tensor's size


def check(path: str | Path, architectures: Container[str] | None = None, fix: str = "labkit models") -> GgufHeader:
    """Return the header of a GGUF that an engine can be given; `architectures`: those it runs (default: llama.cpp's).

    Raises BadModelFile: not a GGUF (and what it is instead), an unsupported version, big-endian, truncated,
    inconsistent, or an architecture the engine cannot run. `fix` is the command that the message suggests.
    Taught in notebook 03, section "By hand".
    """
    try:
        header = read_header(path)
    except BadModelFile as error:
        raise BadModelFile(error.what, error.why, fix) from None
    if header.architecture not in (llamacpp_architectures() if architectures is None else architectures):
        what = f"{header.path} is a {header.architecture[:60]!r} model, which this engine cannot run"
        raise BadModelFile(what, "the model is newer than the engine, or it is no language model", fix)
    return header


def llamacpp_architectures() -> frozenset[str]:
    """Return the architectures that llama.cpp knows, as the installed `gguf` package lists them."""
    from gguf.constants import MODEL_ARCH_NAMES

    return frozenset(MODEL_ARCH_NAMES.values()) - {"clip"}  # listed there, but a projector: no language model


def read_header(path: str | Path) -> GgufHeader:
    """Return the header of a well-formed, complete GGUF file, whatever its architecture; else raise BadModelFile.

    Taught in notebook 06, section "Configure".
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            start = file.read(512)
            if not start.startswith(b"GGUF"):
                raise bad(path, "is not a GGUF file", f"it is {_instead(start)}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return walk(path, data)
    except OSError as error:
        raise bad(path, f"cannot be read: {error.strerror}", "the name is wrong, or it is not yours to read") from None


def read_tensor(path: str | Path, tensor: Tensor):
    """Return one tensor of `read_header(path).tensors` as a float32 numpy array. Raises BadModelFile for unknown blocks.

    Taught in notebook 03, section "By hand".
    """
    with open(path, "rb") as source:
        raw = _read(source, tensor.offset, tensor.nbytes)
    return _floats(Path(path), raw, tensor).reshape(tensor.shape)


def to_f16(src: str | Path, dst: str | Path, progress: Progress = silent) -> Path:
    """Write the GGUF `src` as F16 to the new file `dst` and return its path; one-dimensional tensors become F32.

    The floats are exactly those that the quantized blocks stand for, as two bytes each. `progress(label, done, total)`
    counts bytes. Whatever stops it, `dst` is there whole or not at all; one process at a time may write it.
    Raises BadModelFile (`src` cannot be converted), NoSpace, WeightsError (`dst` is there already).
    """
    return rewrite(src, dst, "F16", progress)


def rewrite(src: str | Path, dst: str | Path, dtype: str, progress: Progress = silent) -> Path:
    """Write the GGUF `src` to the new file `dst` with its matrices in `dtype`, one of FILE_TYPES; vectors become F32.

    A matrix whose rows are no whole number of blocks becomes F16 instead. Progress, promises and errors as `to_f16`.
    """
    header, dst = read_header(src), Path(dst)
    if dst.exists():
        raise WeightsError(f"{dst} is there already", "it was converted before", disk.remove_command(dst))
    targets = targets_of(header, dtype)
    with open(src, "rb") as source, disk.errors(dst):
        head = _head(header, source, targets, dtype)
        total = len(head) + sum(padded(_nbytes(t, targets[t.name]), header.alignment) for t in header.tensors)
        disk.need_room(dst.parent, total)
        with disk.placed(dst) as out:
            out.write(head)
            for tensor in header.tensors:
                for piece in _pieces(header.path, source, tensor, targets[tensor.name]):
                    out.write(piece)
                out.write(bytes(-out.tell() % header.alignment))
                progress(f"converting to {dtype}", out.tell(), total)
    return dst


def targets_of(header: GgufHeader, dtype: str) -> dict[str, str]:
    """Return what each tensor becomes when the matrices become `dtype`.

    F32 among quantized tensors stays: whoever quantized them left it so for a reason.
    """
    quantized = any(tensor.dtype not in FLOATS for tensor in header.tensors)
    _, block, _ = TENSOR_TYPES[TYPE_IDS[dtype]]

    def target(tensor: Tensor) -> str:
        if tensor.dtype in ("I8", "I16", "I32", "I64"):
            return tensor.dtype
        if len(tensor.shape) == 1 or (quantized and tensor.dtype == "F32"):
            return "F32"
        return "F16" if tensor.shape[-1] % block else dtype

    return {tensor.name: target(tensor) for tensor in header.tensors}


def _nbytes(tensor: Tensor, dtype: str) -> int:
    _, block, block_bytes = TENSOR_TYPES[TYPE_IDS[dtype]]
    return math.prod(tensor.shape) // block * block_bytes


def _head(header: GgufHeader, source: BinaryIO, targets: dict[str, str], dtype: str) -> bytes:
    """The new file up to its first tensor: the metadata as it was, byte by byte, and a new table of tensors."""
    kept = [_read(source, start, end - start) for key, (start, end) in header.spans.items() if key not in OF_THE_BLOCKS]
    kept.append(_number("general.file_type", FILE_TYPES[dtype]))
    if dtype not in FLOATS:
        kept.append(_number("general.quantization_version", BLOCKS_EDITION))
    parts = [b"GGUF", U32.pack(3), U64.pack(len(header.tensors)), U64.pack(len(kept)), *kept]
    offset = 0
    for tensor in header.tensors:
        dims = b"".join(U64.pack(n) for n in reversed(tensor.shape))
        parts += [_text(tensor.name), U32.pack(len(tensor.shape)), dims]
        parts += [U32.pack(TYPE_IDS[targets[tensor.name]]), U64.pack(offset)]
        offset = padded(offset + _nbytes(tensor, targets[tensor.name]), header.alignment)
    head = b"".join(parts)
    return head + bytes(-len(head) % header.alignment)


def _number(key: str, number: int) -> bytes:
    return _text(key) + U32.pack(U32_KIND) + U32.pack(number)


def _text(text: str) -> bytes:
    raw = text.encode()
    return U64.pack(len(raw)) + raw


def _read(source: BinaryIO, at: int, nbytes: int) -> bytes:
    source.seek(at)
    return source.read(nbytes)


def _pieces(path: Path, source: BinaryIO, tensor: Tensor, dtype: str) -> Iterator[bytes]:
    """Yield a tensor's new bytes, a million weights at a time: blocks know nothing of rows, so rows do not matter."""

    _, block, block_bytes = TENSOR_TYPES[TYPE_IDS[tensor.dtype]]
    step = AT_ONCE // block * block_bytes
    for start in range(0, tensor.nbytes, step):
        raw = _read(source, tensor.offset + start, min(step, tensor.nbytes - start))
        if dtype == tensor.dtype:
            yield raw
            continue
        yield _packed(path, _floats(path, raw, tensor), tensor, dtype)


def _packed(path: Path, numbers, tensor: Tensor, dtype: str) -> bytes:
    """A flat float32 array as bytes of `dtype`."""
    import numpy as np
    from gguf import GGMLQuantizationType, quantize

    if dtype not in ("F32", "F16"):
        return quantize(numbers, GGMLQuantizationType[dtype]).tobytes()
    with np.errstate(over="ignore"):
        floats = numbers.astype(np.float32 if dtype == "F32" else np.float16)
    if not np.isfinite(floats).all():
        raise bad(path, f"has a weight in {tensor.name} that F16 cannot hold", "it needs BF16 or F32")
    return floats.tobytes()


def _floats(path: Path, raw: bytes, tensor: Tensor):
    """The float32 numbers (a flat numpy array) that some of a tensor's blocks stand for."""
    import numpy as np
    from gguf import GGMLQuantizationType, dequantize

    if tensor.dtype == "F64":
        return np.frombuffer(raw, "<f8").astype(np.float32)
    try:
        return dequantize(np.frombuffer(raw, np.uint8)[np.newaxis], GGMLQuantizationType[tensor.dtype]).ravel()
    except NotImplementedError:
        raise bad(path, f"holds {tensor.dtype} weights, which cannot be turned into F16 here", "") from None


def _instead(start: bytes) -> str:
    """Say what a file is that should have been a GGUF, from its first bytes."""
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "empty"
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page: a sign-in or error page was saved instead of the file"
    if start.startswith(b"version https://git-lfs"):
        return "a git-lfs pointer: the few lines that stand for the file in a clone made without git-lfs"
    if start.startswith(b"PK\x03\x04"):
        return "a zip archive (a Python wheel or PyTorch weights)"
    if start.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")):
        return "a compressed archive: unpack it first"
    if start[:4] in (b"ggml", b"lmgg", b"tjgg", b"fmgg"):
        return "a GGML file from before 2023-08, which engines no longer read"
    if start[8:9] == b"{" and len(start) > 8 and U64.unpack_from(start)[0] < 2**27:
        return "a safetensors file: another format of weights"
    return "something else, or the first bytes are damaged"
