"""Whether the hardware can do what a model's settings ask for: GPUs, shares of them, checkpoints, contexts.

Every refusal is one sentence with its figures and one command or setting to try. What cannot be known from here (the shape of a
model that is not in the catalogue) is said to be unchecked, never passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import catalog, hardware
from labkit._fit import size_text
from labkit.deploy.manifest import Device, Model
from labkit.deploy.scenarios import placeholders
from labkit.errors import UnknownModel

__all__ = ["Hardware", "Refusal", "checkpoint", "hardware_of", "refusals", "share_refusals", "unchecked"]

GIB = 2**30
OVERHEAD = 256 * 2**20  # beside weights and KV cache, as in labkit.hardware.fits


@dataclass(frozen=True)
class Hardware:
    """What a device has: GPUs, bytes of memory on each of them, bytes of RAM (None: not known)."""

    name: str
    gpus: int
    gpu_bytes: int | None
    ram_bytes: int | None


@dataclass(frozen=True)
class Refusal:
    """Why a plan cannot run: `what` is asked for, `why` not, one thing to `fix`."""

    what: str
    why: str
    fix: str


def hardware_of(device: Device) -> Hardware:
    """Return what a device has: its figures in the manifest, else those of this machine, if it tells none at all."""
    if device.gpus is None and device.memory_gib is None and device.gpu_memory_gib is None:
        here = hardware.machine()
        gpus = here.gpus.value
        smallest = min((gpu.memory_bytes for gpu in gpus if gpu.memory_bytes), default=None)
        return Hardware(device.name, len(gpus), smallest, here.ram_limit_bytes.value or here.ram_total_bytes.value)
    size = {key: value and int(value * GIB) for key, value in device.model_dump().items() if key.endswith("_gib")}
    return Hardware(device.name, device.gpus or 0, size["gpu_memory_gib"], size["memory_gib"])


def checkpoint(model: Model) -> tuple[str, Any]:
    """Return (what the engine loads, the catalogue's Model or None) for a model of the manifest."""
    try:
        known = catalog.model(model.source, model.engine)
    except UnknownModel:
        if "/" not in model.source and not model.source.endswith(".gguf"):
            raise
        return model.source, None
    source = known.main(model.engine)
    return source.id if source.via == "hub" and model.engine == "vllm" else source.file or known.ref, known


def refusals(model: Model, here: Hardware) -> Iterator[Refusal]:
    """Yield why `here` cannot run one server of `model`."""
    settings, (loaded, known) = model.resolved, checkpoint(model)
    if model.engine == "vllm":
        yield from _gpus(model, here)
        if settings.quantization:
            yield from _quantization(model.name, loaded, settings.quantization)
    if settings.speculative_model in placeholders("speculative_model"):
        why = "the module's preset names a placeholder, and no model is called so"
        fix = "settings: {speculative_model: null}, or a small model of the same family"
        yield Refusal(f"{model.name}: the draft model {settings.speculative_model!r}", why, fix)
    if known:
        yield from _context(model, known, here)


def share_refusals(device: str, gpus: int, models: list[Model]) -> Iterator[Refusal]:
    """Yield why the vLLM servers of one device cannot share its GPUs, where each takes a share of every GPU it uses."""
    rows = [(one, one.resolved.gpu_memory_utilization or 0.9, one.resolved.gpus * one.replicas.min) for one in models]
    asked = sum(share * taken for _, share, taken in rows)
    if gpus and len(rows) > 0 and asked > gpus + 1e-9 and all(one.resolved.gpus <= gpus for one, _, _ in rows):
        parts = " + ".join(f"{one.name} {share:g}{f' x {n}' if n > 1 else ''}" for one, share, n in rows)
        why = f"{parts} = {asked:g}, and {device} has {gpus}: each server takes its share of a whole GPU when it starts"
        yield Refusal(
            f"GPU shares on {device} sum to {asked:g}", why, "settings: {gpu_memory_utilization: …}, summing to 1 a GPU"
        )


def unchecked(model: Model, here: Hardware) -> list[str]:
    """Return what could not be checked from here, in words."""
    loaded, known = checkpoint(model)
    found = [] if known else [f"memory and context of {loaded}: its shape is not in `labkit models`"]
    if known and model.engine == "vllm" and here.gpus and here.gpu_bytes is None:
        found.append(f"memory of {model.name}: {here.name} does not say how much its GPUs have")
    return found


def _gpus(model: Model, here: Hardware) -> Iterator[Refusal]:
    need, settings = model.resolved.gpus, model.resolved
    if need > max(here.gpus, 1):
        split = f"tensor {settings.tensor_parallel_size} x pipeline {settings.pipeline_parallel_size}"
        why = f"{split}, and {here.name} has {here.gpus or 'none'}"
        fix = "settings: {tensor_parallel_size: 1, pipeline_parallel_size: 1}, or a device with more"
        yield Refusal(f"{model.name}: {need} GPUs", why, fix)


def _quantization(name: str, loaded: str, method: str) -> Iterator[Refusal]:
    """vLLM runs a quantized checkpoint; it does not make one. A folder tells by its config.json, a repository by its name."""
    config = Path(loaded) / "config.json"
    if config.is_file():
        found = (
            json.loads(config.read_text(encoding="utf-8")).get("quantization_config", {}).get("quant_method", "none")
        )
        is_quantized, how = found == method, f"its config.json says {found}"
    else:
        is_quantized, how = method in loaded.lower(), "by its name it is none"
    if not is_quantized:
        why = f"{loaded} has to be an {method.upper()} checkpoint, and {how}; the option converts nothing"
        yield Refusal(
            f"{name}: quantization {method}", why, "settings: {quantization: null}, or a quantized checkpoint as source"
        )


def _context(model: Model, known: Any, here: Hardware) -> Iterator[Refusal]:
    settings = model.resolved
    tokens = settings.max_model_len or known.context_length
    if tokens > known.context_length:
        fix = f"settings: {{max_model_len: {known.context_length}}}"
        yield Refusal(f"{model.name}: a context of {tokens} tokens", f"{known.alias} has {known.context_length}", fix)
        return
    room, words = _room(model, here)
    weights, a_token = known.main(model.engine).size, 2 * known.n_layers * known.n_kv_heads * known.head_dim * 2
    # vLLM pages its cache and needs one whole conversation; the others reserve one for every slot.
    slots = 1 if model.engine == "vllm" else settings.max_num_seqs or 1
    needed = weights + a_token * tokens * slots + OVERHEAD
    if room is not None and needed * model.replicas.min > room:
        cache, times = (
            f"{slots} x {tokens} tokens of KV cache {size_text(a_token * tokens * slots)}",
            model.replicas.min,
        )
        many = f" for each of {times} servers" if times > 1 else ""
        most = math.floor((room / times - weights - OVERHEAD) / a_token / slots)
        why = f"weights {size_text(weights)} + {cache} + {size_text(OVERHEAD)}{many} do not fit {words}"
        fix = (
            f"settings: {{max_model_len: {most}}}"
            if most >= 64
            else "labkit models  # a smaller one, or fewer conversations"
        )
        yield Refusal(f"{model.name}: {tokens} tokens do not fit", why, fix)


def _room(model: Model, here: Hardware) -> tuple[float | None, str]:
    """The bytes that a model's servers may use on a device, and how they are called."""
    if model.engine != "vllm":
        return here.ram_bytes, f"the {size_text(here.ram_bytes)} of {here.name}"
    share, gpus = model.resolved.gpu_memory_utilization or 0.9, max(model.resolved.gpus, 1)
    one = here.gpu_bytes if here.gpus else here.ram_bytes
    kind = f"{gpus} GPU of {size_text(one)}" if here.gpus else f"the {size_text(one)} of {here.name}"
    return one and one * share * gpus * model.replicas.min, f"{share:g} of {kind}"
