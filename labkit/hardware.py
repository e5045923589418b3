"""What this machine is, each fact with the place it was read from, and whether a model fits on it.

    machine().ram_free_bytes     # Fact(value=1073741824, source="cgroup v2 /sys/fs/cgroup, limit - used")
    fits(header).reason          # "smollm2.gguf fits: it needs 559 MiB of memory (…) and 1.2 GiB are free."
    bounded_threads()            # threads for an engine that shares the machine with you

What the host has and what this process may use are two things: a container or a quota can allow much less. Both are
told. Files and commands are read in `_probes.py`, control groups in `_cgroup.py`; the sum of `fits` is in `_fit.py`.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit import _cgroup, _probes, paths
from labkit._fit import Fit, judge, size_text
from labkit.errors import EngineMissing

__all__ = ["Fact", "Gpu", "Machine", "Fit", "machine", "fits", "bounded_threads", "gpus_from_engine", "memory"]


@dataclass(frozen=True)
class Fact:
    """One thing known about this machine: the `value` (None: nothing tells it) and the `source` it was read from."""

    value: Any
    source: str


@dataclass(frozen=True)
class Gpu:
    """One GPU. Memory in bytes; None where the driver does not say. Apple's GPUs share the RAM."""

    name: str
    memory_bytes: int | None
    memory_free_bytes: int | None
    driver: str | None
    source: str


@dataclass(frozen=True)
class Machine:
    """What this machine is: every field a Fact. Taught in notebook 00, section "What runs here".

    Values: `simd` a tuple of names, `gpus` a tuple of Gpu, cores and bytes int, the rest str; None where nothing tells
    it. `cores_usable` respects affinity and CPU quota; `ram_limit_bytes` is the container's (None: no limit);
    `ram_free_bytes` is what can be had now, within that limit; `disk_free_bytes` is for labkit's own folder.
    """

    os: Fact
    architecture: Fact
    python: Fact
    cpu_model: Fact
    simd: Fact
    cores_physical: Fact
    cores_logical: Fact
    cores_usable: Fact
    ram_total_bytes: Fact
    ram_limit_bytes: Fact
    ram_free_bytes: Fact
    gpus: Fact
    npu: Fact
    disk_free_bytes: Fact

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return `{field: {"value": …, "source": …}}`, ready for JSON (tuples as lists, GPUs as dicts)."""
        facts = asdict(self)
        for name in ("simd", "gpus"):
            facts[name]["value"] = list(facts[name]["value"])
        return facts

    def table(self) -> list[tuple[str, str, str]]:
        """Return rows of (label, value as text, source) for people; one row for each GPU."""
        rows = []
        for name, label in LABELS.items():
            fact = getattr(self, name)
            if name == "gpus" and fact.value:
                rows += [(label, _gpu_text(gpu), gpu.source) for gpu in fact.value]
            else:
                rows.append((label, _text(name, fact.value), fact.source))
        return rows

    @property
    def summary(self) -> str:
        """This machine in one line, as the label of a measurement: "2 cores of AMD EPYC, 23.5 GiB, Linux x86_64"."""
        memory = self.ram_limit_bytes.value or self.ram_total_bytes.value
        parts = [
            f"{self.cores_usable.value} cores of {self.cpu_model.value or 'an unnamed processor'}",
            size_text(memory),
        ]
        parts += [gpu.name for gpu in self.gpus.value]
        return ", ".join([*parts, f"{platform.system()} {self.architecture.value}"])


LABELS = {
    "os": "System", "architecture": "Architecture", "python": "Python",
    "cpu_model": "Processor", "simd": "Vector instructions",
    "cores_physical": "Cores, physical", "cores_logical": "Cores, logical", "cores_usable": "Cores, usable here",
    "ram_total_bytes": "Memory", "ram_limit_bytes": "Memory limit here", "ram_free_bytes": "Memory free now",
    "gpus": "GPU", "npu": "NPU", "disk_free_bytes": "Disk free",
}  # fmt: skip


def machine() -> Machine:
    """Return what this machine is, read anew: a few files, psutil and the GPU's driver; no engine is loaded.

    Taught in notebook 00, section "What runs here", and in notebook 02, section "What is small?".
    """
    import psutil

    return Machine(
        os=Fact(*_probes.system()),
        architecture=Fact(platform.machine(), "platform.machine"),
        python=Fact(platform.python_version(), "platform.python_version"),
        cpu_model=Fact(*_probes.cpu_model()),
        simd=Fact(*_probes.simd()),
        cores_physical=Fact(psutil.cpu_count(logical=False), "psutil.cpu_count(logical=False)"),
        cores_logical=Fact(psutil.cpu_count(), "psutil.cpu_count"),
        cores_usable=Fact(*_probes.cores_usable()),
        gpus=_gpus(),
        npu=Fact(*_probes.npu()),
        disk_free_bytes=_disk_free(),
        **_memory(),
    )


def memory() -> dict[str, Fact]:
    """Return `ram_total_bytes`, `ram_limit_bytes` and `ram_free_bytes` alone, read anew: cheap enough for once a second."""
    return _memory()


def fits(model: Any, machine: Machine | None = None, context: int = 2048, parallel: int = 1) -> Fit:
    """Return whether `model` fits into the memory free on `machine` (default: this one, now), and onto its disk.

    needed = weights + KV cache + overhead, where the KV cache is 2 (K and V) * layers * kv_heads * head_dim * context *
    parallel * 2 bytes, for `parallel` conversations of `context` tokens each. Memory is the RAM: the answer is for an
    engine on the CPU, which is what every machine has.

    `model` is an object or a mapping with `file_bytes`, and if known `n_layers`, `n_kv_heads`, `head_dim` (without them
    the KV cache is estimated), `path` (a file that is there needs no more disk), `disk_bytes` (default: file_bytes),
    `overhead_bytes` (default: llama.cpp's) and `alias`; a header from labkit.gguf_file will do. Raises ConfigError for a
    model without a size, or counts below 1.
    Taught in notebook 00, section "What runs here", and in notebook 02, section "What is small?".
    """
    return judge(model, machine or _this_machine(), context, parallel)


def bounded_threads(exclusive: bool = False) -> int:
    """Return the threads to give an engine: all usable cores but one, at least 1; with `exclusive` all of them.

    llama.cpp's threads wait for each other at barriers, and they wait by spinning: one thread that loses its core holds
    up all the others. On two cores a 135M model in F16 decoded 58 tokens/s with two threads on an idle machine, 13-16
    beside one busy core, and 0.8-12 beside a second engine. With one thread it kept 32 through all of that. Notebook
    and browser are such a busy core, so all cores are only for a benchmark that has the machine to itself.
    Taught in notebook 02, section "What a task costs".
    """
    cores, _ = _probes.cores_usable()
    return cores if exclusive else max(1, cores - 1)


def gpus_from_engine() -> tuple[Gpu, ...]:
    """Return the GPUs that llama.cpp reports, of any maker that its build knows; this loads the engine's library.

    A Gpu's `driver` is then llama.cpp's name for the device ("CUDA0", "Vulkan0", …). Taught in notebook 00, section
    "What runs here".

    Raises EngineMissing when the library is not installed or cannot be loaded here.
    """
    try:
        import xllamacpp
    except ImportError as error:
        fix = "python -m pip install --force-reinstall xllamacpp"
        raise EngineMissing("llama.cpp's library cannot be loaded", str(error), fix) from None
    return _engine_gpus(xllamacpp.get_device_info())


def _engine_gpus(devices: list[dict[str, Any]]) -> tuple[Gpu, ...]:
    found = [device for device in devices if device["type"].name.endswith("GPU")]  # GPU and IGPU, not CPU and ACCEL
    source = "xllamacpp.get_device_info"
    return tuple(Gpu(d["description"], d["memory_total"], d["memory_free"], d["name"], source) for d in found)


def _this_machine() -> Machine:
    return machine()


def _memory(root: Path = _probes.ROOT) -> dict[str, Fact]:
    """The three facts about RAM: what the machine has, what the container allows, what can be had now."""
    import psutil

    host = psutil.virtual_memory()
    limit, allowed = _cgroup.memory(root)
    free = (host.available, "psutil.virtual_memory")
    if allowed[0] is not None and allowed[0] < host.available:
        free = allowed
    return {
        "ram_total_bytes": Fact(host.total, "psutil.virtual_memory"),
        "ram_limit_bytes": Fact(*limit),
        "ram_free_bytes": Fact(*free),
    }


def _gpus() -> Fact:
    import psutil

    apple = platform.system() == "Darwin"
    rows, source = _probes.apple_gpus(psutil.virtual_memory().total) if apple else _probes.nvidia_gpus()
    return Fact(tuple(Gpu(*row) for row in rows), source)


def _disk_free() -> Fact:
    try:
        return Fact(shutil.disk_usage(paths.home()).free, "shutil.disk_usage of labkit's folder")
    except OSError as error:  # a home that cannot be made or read: doctor still has the rest to tell
        return Fact(None, f"labkit's folder: {error.strerror}")


def _text(name: str, value: Any) -> str:
    if value is None or value == ():
        return "none" if name in ("simd", "ram_limit_bytes", "gpus", "npu") else "unknown"
    return size_text(value) if name.endswith("_bytes") else " ".join(value) if name == "simd" else str(value)


def _gpu_text(gpu: Gpu) -> str:
    memory = [size_text(gpu.memory_bytes)] if gpu.memory_bytes else []
    free = [f"{size_text(gpu.memory_free_bytes)} free"] if gpu.memory_free_bytes is not None else []
    return ", ".join([gpu.name, *memory, *free])
