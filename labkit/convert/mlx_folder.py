"""A safetensors folder → the folder that Apple's MLX reads, written by mlx_lm's own converter; no hub is asked.

The plain safetensors folder, F16, runs under MLX as it is. These are for a reason: float32 where a CPU computes (on Linux it is
the only fast one), bfloat16 as the models on the hub have it, four bits (groups of 64, a scale and an offset each) for little
memory. SmolLM2-135M survives neither bfloat16 nor four bits: it answers in French.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from labkit.convert import safetensors_file
from labkit.errors import EngineMissing
from labkit.progress import Progress

__all__ = ["WAYS", "folder_bytes", "write_folder"]

# Form -> what mlx_lm.convert is told, and how many bytes a weight takes on the disk.
WAYS: dict[str, tuple[dict[str, Any], float]] = {
    "mlx-f32": ({"dtype": "float32"}, 4.0),
    "mlx-bf16": ({"dtype": "bfloat16"}, 2.0),
    "mlx-4bit": ({"quantize": True, "q_bits": 4, "q_group_size": 64}, 4.5 / 8),
}
OTHER_BYTES = 8 * 2**20  # tokenizer, index and settings
WATCH_S = 0.1


def folder_bytes(source: Path, form: str) -> int:
    """Return about how many bytes `write_folder` needs."""
    weights = sum(math.prod(entry["shape"]) for entry in safetensors_file.table(source / "model.safetensors").values())
    return int(weights * WAYS[form][1]) + OTHER_BYTES


def write_folder(source: Path, folder: Path, form: str, progress: Progress) -> None:
    """Write the model of the safetensors folder `source` into the empty `folder`, in a form of WAYS.

    Raises EngineMissing where mlx_lm is not installed.
    """
    if find_spec("mlx_lm") is None:
        raise EngineMissing("MLX's converter is not here.", "mlx-lm is not installed", "pip install 'labkit[mlx]'")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read when mlx_lm is imported: a local folder is all it needs
    from mlx_lm.convert import convert

    folder.rmdir()  # it insists on making the folder itself
    with _told(folder, folder_bytes(source, form), progress), contextlib.redirect_stdout(io.StringIO()):
        convert(str(source), str(folder), **WAYS[form][0])


@contextlib.contextmanager
def _told(folder: Path, total: int, progress: Progress) -> Iterator[None]:
    """Tell how large `folder` has grown while the block runs: mlx_lm itself says nothing."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(WATCH_S):
            size = sum(part.stat().st_size for part in folder.glob("*"))
            progress("writing for MLX", min(size, total), total)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    progress("writing for MLX", total, total)
