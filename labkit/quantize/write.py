"""One GGUF → another, in a type of the ladder: checked before, verified after, whole or not at all.

    write("model-f16.gguf", "Q4_K_M", "model-q4_k_m.gguf")

llama.cpp itself writes where llama-cpp-python is here. Elsewhere the pure-Python `gguf` package writes the simple types (F16, BF16,
Q8_0, Q5_1, Q4_0), every matrix alike, where llama.cpp would keep some of them wider.

Taught in notebook 03, section "Bits and bytes".
"""

from __future__ import annotations

import collections
import os
from pathlib import Path

from labkit import disk, gguf_file, hardware
from labkit.errors import EngineMissing, QuantizeError, WeightsError
from labkit.progress import Progress, silent
from labkit.quantize import child
from labkit.quantize.rungs import RungType, rung

__all__ = ["check_source", "fallbacks", "types_used", "write"]


def write(
    source: str | Path,
    type: str,
    dest: str | Path,
    *,
    requantize: bool = False,
    no_fallback: bool = False,
    progress: Progress = silent,
) -> gguf_file.GgufHeader:
    """Write the GGUF `source` as `type` to the new file `dest`; return the header that was read back from it.

    requantize: accept a source that is quantized already. no_fallback: refuse a model with rows that the type's blocks do not
    divide, instead of giving those matrices a wider type. Raises QuantizeError, EngineMissing (K-quants without the extra),
    BadModelFile, NoSpace, WeightsError (`dest` is there already). Whatever stops it, nothing half-written is left.
    """
    kind, source, dest = rung(type), Path(source), Path(dest)
    header = check_source(source, requantize)
    if no_fallback and (odd := fallbacks(header, kind)):
        raise QuantizeError(
            f"{len(odd)} matrices cannot be {kind.main}: their rows are no multiple of {kind.block}.",
            f"the first is {odd[0]}; {kind.name} would give them a wider type",
            f"labkit quantize {source} --types Q8_0  # blocks of 32",
        )
    if child.available() and kind.name != "F16":
        _by_llamacpp(source, header, kind, dest, requantize, progress)
    elif kind.simple:
        gguf_file.rewrite(source, dest, kind.name, progress)
    else:
        here = child.available()
        raise EngineMissing(f"{kind.name} cannot be written here.", here.why, here.fix)
    return _verified(dest, header)


def check_source(source: Path, requantize: bool = False) -> gguf_file.GgufHeader:
    """Return the header of a file that may be quantized. Raises BadModelFile; QuantizeError if it is quantized already."""
    header = gguf_file.check(source)
    used = types_used(header)
    rounded = sorted(used.keys() - gguf_file.FLOATS)
    if rounded and not requantize:
        raise QuantizeError(
            f"{source.name} is quantized already ({', '.join(rounded)}).",
            "rounding twice adds the errors of both: start from F16 or BF16, or say that you want it so",
            f"labkit quantize {source} --requantize",
        )
    return header


def types_used(header: gguf_file.GgufHeader) -> dict[str, int]:
    """Return how many tensors a file has of each type, the most frequent first."""
    return dict(collections.Counter(tensor.dtype for tensor in header.tensors).most_common())


def fallbacks(header: gguf_file.GgufHeader, kind: RungType) -> list[str]:
    """Return the matrices whose rows the type's blocks do not divide."""
    return [one.name for one in header.tensors if len(one.shape) > 1 and one.shape[-1] % kind.block]


def _by_llamacpp(source: Path, header, kind: RungType, dest: Path, requantize: bool, progress: Progress) -> None:
    with disk.errors(dest), disk.one_writer(dest):
        if dest.exists():
            raise QuantizeError(f"{dest} is there already.", "it was quantized before", disk.remove_command(dest))
        disk.need_room(dest.parent, int(header.n_weights * kind.bits / 8 * 1.5))  # matrices that fall back weigh more
        draft = dest.with_name(dest.name + ".tmp")
        try:
            progress(f"writing {kind.name}", 0, 1)
            wish = {"source": str(source), "dest": str(draft), "file_type": kind.file_type, "requantize": requantize}
            child.run("quantize", progress, f"writing {kind.name}", threads=hardware.bounded_threads(), **wish)
            os.replace(draft, dest)
            progress(f"writing {kind.name}", 1, 1)
        finally:
            draft.unlink(missing_ok=True)


def _verified(dest: Path, source: gguf_file.GgufHeader) -> gguf_file.GgufHeader:
    """Read back what was written: the same tensors in the same shapes, or it never happened."""
    try:
        header = gguf_file.check(dest)
        shapes = {one.name: one.shape for one in header.tensors}
        if shapes != {one.name: one.shape for one in source.tensors}:
            raise QuantizeError(
                f"{dest.name} has not the tensors of {source.path.name}.", "the writer failed", "labkit doctor"
            )
    except (WeightsError, OSError):
        dest.unlink(missing_ok=True)
        raise
    return header
