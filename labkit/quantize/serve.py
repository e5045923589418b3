"""Serve one level of a model: written once, kept in labkit's folder, and served as any GGUF is.

    with served("smollm2-135m", "Q8_0") as endpoint: ...
    served("smollm2-135m", "Q8_0", back_to="F16")       # the rounded weights, in a file whose kernel rounds nothing more

Taught in notebook 02, section "Sizes and times", and in notebook 03, section "The flip".
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from labkit import disk, gguf_file, hardware, paths
from labkit.backends import Endpoint, Settings, llamacpp
from labkit.progress import Progress, silent
from labkit.quantize.ladder import source_of
from labkit.quantize.rungs import rung
from labkit.quantize.write import types_used, write

__all__ = ["level_file", "served"]


def served(model: str, type: str, *, back_to: str = "", context: int = 2048, progress: Progress = silent) -> Endpoint:
    """Return an endpoint of `model` at the level `type`; with `back_to`, of those weights written back as another type.

    The file stays in labkit's folder, under `quantized`. Close the endpoint when done. Raises what `write` raises, and
    EngineStartError.
    """
    path = level_file(model, type, back_to=back_to, progress=progress)
    name = f"{source_of(model)[1]}-{rung(type).name}" + (f"-as-{back_to}" if back_to else "")
    return llamacpp.serve(path, name, Settings(context, 1, hardware.bounded_threads(), 300))


def level_file(model: str, type: str, *, back_to: str = "", progress: Progress = silent) -> Path:
    """Return the GGUF of a model at a level; write it if it is not here."""
    source, name = source_of(model, progress)
    kind = rung(type)
    if kind.name in types_used(gguf_file.check(source)) and not back_to:
        return source
    folder = paths.home() / "quantized"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.replace(':', '-')}-{kind.name.lower()}.gguf"
    _once(path, lambda: write(source, kind.name, path, progress=progress))
    if not back_to:
        return path
    back = path.with_name(f"{path.stem}-as-{back_to.lower()}.gguf")
    _once(back, lambda: gguf_file.rewrite(path, back, rung(back_to).name, progress))
    return back


def _once(path: Path, make: Callable[[], object]) -> None:
    """Make the file if it is not here. Two notebooks may want it at once: the second one waits, and finds it."""
    with disk.one_writer(path.with_suffix(".wanted")):
        if not path.exists():
            make()
