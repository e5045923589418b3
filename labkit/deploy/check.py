"""Whether the hardware can do what a model's settings ask for: GPUs, shares of them, checkpoints, contexts.

Every refusal is one sentence with its figures and one command or setting to try. What cannot be known from here (the shape of a
model that is neither in the catalogue nor on this disk) is said to be unchecked, never passed over.

Taught in notebook 12, section "Presets".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit import hardware
from labkit._fit import OVERHEAD_BYTES, size_text
from labkit.deploy.manifest import Device, Model
from labkit.deploy.scenarios import placeholders, unsaid
from labkit.deploy.shape import Shape, checkpoint, config, shape

__all__ = [
    "Hardware",
    "Refusal",
    "checkpoint",
    "hardware_of",
    "memory_refusals",
    "needed_bytes",
    "refusals",
    "share_refusals",
    "unchecked",
]

GIB = 2**30


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


def refusals(model: Model, here: Hardware) -> Iterator[Refusal]:
    """Yield why `here` cannot run one server of `model`."""
    settings, (loaded, _), its = model.resolved, checkpoint(model), shape(model)
    if model.engine == "vllm":
        yield from _gpus(model, here)
        if settings.quantization:
            yield from _quantization(model.name, loaded, settings.quantization)
    if "speculative_model" not in unsaid(model.engine, settings) and settings.speculative_model in placeholders(
        "speculative_model"
    ):
        why = "the module's preset names a placeholder, and no model is called so"
        fix = "settings: {speculative_model: null}, or a small model of the same family"
        yield Refusal(f"{model.name}: the draft model {settings.speculative_model!r}", why, fix)
    if its:
        yield from _context(model, its, here)


def needed_bytes(model: Model) -> int | None:
    """Return the bytes that one server of `model` takes at least; None where the model's shape is not known."""
    its = shape(model)
    if its is None:
        return None
    return (
        its.weights + its.token_bytes * (model.resolved.max_model_len or its.context) * _slots(model) + OVERHEAD_BYTES
    )


def memory_refusals(here: Hardware, models: list[Model]) -> Iterator[Refusal]:
    """Yield why the servers of one device, each of which fits alone, do not fit its RAM together."""
    rows = [(one, needed_bytes(one)) for one in models if one.engine != "vllm" or not here.gpus]
    rows = [(one, size * one.replicas.max) for one, size in rows if size]
    asked = sum(size for _, size in rows)
    if here.ram_bytes and asked > here.ram_bytes and all(size <= here.ram_bytes for _, size in rows):
        why = f"{' + '.join(f'{one.name} {size_text(size)}' for one, size in rows)}, and there are {size_text(here.ram_bytes)}"
        yield Refusal(
            f"the models on {here.name} need {size_text(asked)}", why, "fewer conversations, or another device"
        )


def share_refusals(here: Hardware, models: list[Model]) -> Iterator[Refusal]:
    """Yield why the vLLM servers of one device cannot share its GPUs, where each takes a share of every GPU it uses."""
    rows = [
        (one, one.resolved.gpu_memory_utilization or 0.9, one.resolved.gpus) for one in models if one.engine == "vllm"
    ]
    asked = sum(share * gpus * one.replicas.max for one, share, gpus in rows)
    if here.gpus and asked > here.gpus + 1e-9 and all(gpus <= here.gpus for _, _, gpus in rows):
        counts = [(one.name, share, gpus * one.replicas.max) for one, share, gpus in rows]
        parts = " + ".join(f"{name} {share:g}{f' x {n}' if n > 1 else ''}" for name, share, n in counts)
        have = f"{here.name} has {here.gpus} GPU{'s' if here.gpus > 1 else ''}"
        fix = "settings: {gpu_memory_utilization: …}, summing to 1 a GPU"
        yield Refusal(f"GPU shares on {here.name} sum to {asked:g}", f"{parts}, and {have}", fix)


def unchecked(model: Model, here: Hardware) -> list[str]:
    """Return what could not be checked from here, in words."""
    (loaded, _), its = checkpoint(model), shape(model)
    found = [] if its else [f"memory and context of {loaded}: it is neither in `labkit models` nor on this disk"]
    if its and model.engine == "vllm" and here.gpus and here.gpu_bytes is None:
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
    if (Path(loaded) / "config.json").is_file():
        found = config(Path(loaded)).get("quantization_config", {}).get("quant_method", "none")
        is_quantized, how = found == method, f"its config.json says {found}"
    else:
        is_quantized, how = method in loaded.lower(), "by its name it is none"
    if not is_quantized:
        why = f"{loaded} has to be an {method.upper()} checkpoint, and {how}; the option converts nothing"
        yield Refusal(
            f"{name}: quantization {method}", why, "settings: {quantization: null}, or a quantized checkpoint as source"
        )


def _context(model: Model, its: Shape, here: Hardware) -> Iterator[Refusal]:
    tokens, slots, times = model.resolved.max_model_len or its.context, _slots(model), model.replicas.min
    what = f"{model.name}: {slots} x {tokens} tokens" if slots > 1 else f"{model.name}: a context of {tokens} tokens"
    if tokens > its.context:
        yield Refusal(what, f"the model was made for {its.context}", f"settings: {{max_model_len: {its.context}}}")
        return
    room, words = _room(model, here)
    cache = its.token_bytes * tokens * slots
    if room is not None and (its.weights + cache + OVERHEAD_BYTES) * times > room:
        servers = f"{times} servers, each with " if times > 1 else ""
        sizes = f"weights {size_text(its.weights)} + KV cache {size_text(cache)} + {size_text(OVERHEAD_BYTES)}"
        most = math.floor((room / times - its.weights - OVERHEAD_BYTES) / its.token_bytes / slots)
        fix = (
            f"settings: {{max_model_len: {most}}}"
            if most >= 64
            else "labkit models  # a smaller one, or fewer conversations"
        )
        yield Refusal(what, f"{servers}{sizes}, and there is {words}", fix)


def _slots(model: Model) -> int:
    """Whole conversations kept: vLLM pages its cache and needs room for one; the others reserve one for every slot."""
    return 1 if model.engine == "vllm" else model.resolved.max_num_seqs or 1


def _room(model: Model, here: Hardware) -> tuple[float | None, str]:
    """The bytes that a model's servers may use on a device, and how they are called."""
    if model.engine != "vllm":
        return here.ram_bytes, f"{size_text(here.ram_bytes)} on {here.name}"
    share, gpus = model.resolved.gpu_memory_utilization or 0.9, max(model.resolved.gpus, 1)
    one = here.gpu_bytes if here.gpus else here.ram_bytes
    kind = f"{gpus} x {size_text(one)} of GPU memory" if here.gpus else size_text(one)
    return one and one * share * gpus * model.replicas.min, f"a share of {share:g} of {kind} on {here.name}"
