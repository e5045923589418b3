"""The sum behind labkit.hardware.fits: weights + KV cache + overhead, beside what is free.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import disk
from labkit.errors import ConfigError

# Beside weights and KV cache: the process, the vocabulary, the compute buffers. llama.cpp's server with SmolLM2-135M
# used 84-88 MB for them, at contexts of 2048 and 8192 tokens; wider models use more.
OVERHEAD_BYTES = 256 * 2**20
KV_VALUE_BYTES = 2  # F16, llama.cpp's default


@dataclass(frozen=True)
class Fit:
    """Whether a model fits: true in an `if` when it does. Taught in notebook 00, section "What runs here".

    `needed_bytes` and `free_bytes` are about memory; `inputs` holds every number of the sum, by name; `reason` says it
    in one sentence.
    """

    ok: bool
    needed_bytes: int
    free_bytes: int
    disk_ok: bool
    inputs: dict[str, Any]
    reason: str

    def __bool__(self) -> bool:
        return self.ok


def judge(model: Any, here: Any, context: int, parallel: int) -> Fit:
    """Return the Fit of `model` on `here` (a labkit.hardware.Machine); see labkit.hardware.fits."""
    inputs = _memory_inputs(model, context, parallel) | _disk_inputs(model, here.disk_free_bytes.value)
    needed = inputs["weights_bytes"] + inputs["kv_cache_bytes"] + inputs["overhead_bytes"]
    free = inputs["ram_free_bytes"] = here.ram_free_bytes.value
    disk_ok = not inputs["disk_bytes"] or inputs["disk_bytes"] <= (inputs["disk_free_bytes"] or 0)
    reason = _reason(_name(model), needed, here, disk_ok, inputs)
    return Fit(needed <= free and disk_ok, needed, free, disk_ok, inputs, reason)


def _memory_inputs(model: Any, context: int, parallel: int) -> dict[str, Any]:
    weights = _get(model, "file_bytes")
    shape = {name: _get(model, name) for name in ("n_layers", "n_kv_heads", "head_dim")}
    if not isinstance(weights, int) or weights < 1:
        why = "it has no file_bytes (a name alone has none either)"
        raise ConfigError(f"labkit cannot tell how big {_name(model)} is", why, "labkit models")
    if context < 1 or parallel < 1:
        raise ConfigError(f"context={context} and parallel={parallel}: both must be 1 or more", "", "labkit models")
    estimated = not all(shape.values())
    # √ because layers and heads grow slower than the file. Of the models in data/models.toml, those with grouped heads
    # take 0.6 to 4.6 √file_bytes a token (Phi-4 2.2), those that keep every head 6 to 8.3 (CodeLlama).
    a_token = math.ceil(5 * math.sqrt(weights)) if estimated else 2 * math.prod(shape.values()) * KV_VALUE_BYTES
    return {
        "weights_bytes": weights,
        **shape,
        "kv_value_bytes": KV_VALUE_BYTES,
        "context": context,
        "parallel": parallel,
        "kv_cache_bytes": a_token * context * parallel,
        "kv_cache_estimated": estimated,
        "overhead_bytes": _get(model, "overhead_bytes") or OVERHEAD_BYTES,
    }


def _disk_inputs(model: Any, free: int | None) -> dict[str, int | None]:
    """Bytes the disk must take: none for a file that is there, else the file and what labkit.weights leaves spare."""
    path = _get(model, "path")
    here = path is not None and Path(path).is_file()
    size = _get(model, "disk_bytes") or _get(model, "file_bytes")
    return {"disk_bytes": 0 if here else size + disk.SPARE, "disk_free_bytes": free}


def _reason(name: str, needed: int, here: Any, disk_ok: bool, inputs: dict[str, Any]) -> str:
    free = here.ram_free_bytes.value
    sizes = {key.removesuffix("_bytes"): size_text(n) for key, n in inputs.items() if key.endswith("_bytes")}
    guess = "an estimated " if inputs["kv_cache_estimated"] else ""
    parts = f"weights {sizes['weights']}, KV cache {guess}{sizes['kv_cache']}, overhead {sizes['overhead']}"
    memory = f"it needs {size_text(needed)} of memory ({parts}) and {size_text(free)} are free"
    if needed > free:
        most = min(here.ram_total_bytes.value, here.ram_limit_bytes.value or math.inf)
        hope = "; with other programs closed it might" if needed < most else f"; there are {size_text(most)} in all"
        return f"{name} does not fit: {memory}{hope}."
    if not disk_ok:
        return f"{name} does not fit on the disk: it needs {sizes['disk']} there and {sizes['disk_free']} are free."
    return f"{name} fits: {memory}."


def _get(model: Any, name: str) -> Any:
    return model.get(name) if isinstance(model, Mapping) else getattr(model, name, None)


def _name(model: Any) -> str:
    path = _get(model, "path")
    return _get(model, "alias") or (Path(path).name if path else "this model")


def size_text(nbytes: float | None) -> str:
    """Return bytes as people read them, in GiB or MiB."""
    if nbytes is None:
        return "an unknown amount"
    return f"{nbytes / 2**30:.1f} GiB" if nbytes >= 2**30 else f"{nbytes / 2**20:.0f} MiB"
