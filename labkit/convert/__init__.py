"""Models in the forms that the engines read, made on this machine from the GGUF that is here: one fetch serves them all.

    folder = convert("smollm2-135m", "safetensors", progress=progress_bar())   # for vLLM and MLX
    folder = convert("smollm2-135m", "onnx-int8")                              # for onnxruntime-genai and Foundry Local

    GGUF ── hf.py ─► safetensors ─┬─ onnx_folder.py ─► ONNX in four or eight bits (onnx_graph.py builds the network)
                                  └─ mlx_folder.py ──► MLX in float32, bfloat16 or four bits (mlx_lm's own converter)

A form is made once and kept in labkit's own folder, under `converted`. It appears whole or not at all, and is made again when
the GGUF that it comes from is another one. Plain llama models only; no torch is needed. Ollama keeps its models itself: see
labkit/backends/ollama_form.py.

Taught in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from labkit import catalog, disk, paths, weights
from labkit._weights_store import note_of
from labkit.catalog import Model
from labkit.errors import ConfigError
from labkit.progress import Progress, silent

__all__ = ["FORMS", "Converted", "convert", "converted", "ensure", "remove"]

NOTE = "labkit.json"
EDITION = 1  # of what is written: a higher number makes every form again


def convert(model: Model | str, form: str, progress: Progress | None = None) -> Path:
    """Return the folder (or file) of a model in a form of FORMS; make it, and what it is made from, if it is not here.

    `progress(label, done, total)` counts bytes. Raises UnknownModel, ConfigError (no such form), BadModelFile (a model that
    labkit cannot convert), NoSpace, and what `weights.ensure` raises. Nothing is left half made.
    """
    model = catalog.as_model(model)
    if form not in FORMS:
        raise ConfigError(f"There is no form {form!r}.", f"the forms are {', '.join(FORMS)}", "labkit convert --help")
    return FORMS[form](model, progress or silent)


def ensure(model: Model | str, engine: str, progress: Progress | None = None) -> Path:
    """Return the path that `engine` reads for a model: its source in the catalogue says which form that is.

    Raises what `convert` raises; UnknownModel where the engine has no such source, ConfigError where it gets it by itself.
    """
    model = catalog.as_model(model)
    source = model.source(engine)
    if source.made_by == OURS:
        return convert(model, source.format, progress)
    return weights.ensure(model, engine=engine, progress=progress)


OURS = "labkit.convert"  # what the catalogue calls this module


@dataclass(frozen=True)
class Converted:
    """One model in one form, on this disk."""

    alias: str
    form: str
    path: Path
    nbytes: int


def converted() -> list[Converted]:
    """Return every converted model that is here."""
    notes = sorted(_root().glob(f"*/*/{NOTE}"))
    return [Converted(n.parents[1].name, n.parent.name, n.parent, _size(n.parent)) for n in notes]


def remove(model: Model | str, form: str | None = None) -> int:
    """Delete a model's converted forms, or one of them; return how many bytes that freed. The GGUF stays."""
    model = catalog.as_model(model)
    folders = [_folder(model, one) for one in FORMS if form in (None, one)]
    freed = sum(_size(folder) for folder in folders)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def _gguf(model: Model, progress: Progress) -> Path:
    # Whatever variant of another engine was asked for, it is made from the one that llama.cpp runs by default.
    return weights.ensure(replace(model, variant=None), engine="llamacpp", progress=progress)


def _safetensors(model: Model, progress: Progress) -> Path:
    from labkit.convert import hf

    gguf = _gguf(model, progress)
    return _made(model, "safetensors", gguf, hf.folder_bytes, hf.write_folder, progress)


def _from_safetensors(writer: str, form: str, how: object) -> Callable[[Model, Progress], Path]:
    """Return how to make `form` with a module of this package; `how` is what its folder_bytes and write_folder are told."""

    def make(model: Model, progress: Progress) -> Path:
        module = import_module(f"labkit.convert.{writer}")

        def need(source: Path) -> int:
            return module.folder_bytes(source, how)

        def write(source: Path, folder: Path, progress: Progress) -> None:
            module.write_folder(source, folder, how, progress)

        return _made(model, form, _safetensors(model, progress), need, write, progress)

    return make


FORMS = {"gguf-f16": _gguf, "safetensors": _safetensors}
FORMS |= {f"onnx-int{bits}": _from_safetensors("onnx_folder", f"onnx-int{bits}", bits) for bits in (4, 8)}
FORMS |= {form: _from_safetensors("mlx_folder", form, form) for form in ("mlx-f32", "mlx-bf16", "mlx-4bit")}


# ---- made once, whole or not at all ----------------------------------------------------------------------------------


def _made(model: Model, form: str, source: Path, need: Callable, write: Callable, progress: Progress) -> Path:
    folder, mark = _folder(model, form), _mark(source)
    if _note(folder) == mark:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)

    def waiting() -> None:
        progress(f"waiting for another process that converts {model.alias}", 0, 0)

    with disk.errors(folder), disk.one_writer(folder, waiting):
        if _note(folder) != mark:  # the process before us may have made it
            disk.need_room(folder.parent, need(source))
            _fill(folder, mark, lambda draft: write(source, draft, progress))
    return folder


def _fill(folder: Path, mark: dict, write: Callable[[Path], None]) -> None:
    """Let `write` fill a draft beside `folder`, then put it in place: one writer at a time, so the draft has one name."""
    draft = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(draft, ignore_errors=True)  # left by a kill -9
    draft.mkdir()
    try:
        write(draft)
        (draft / NOTE).write_text(json.dumps(mark), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _mark(source: Path) -> dict:
    """What `source` is now, by the note that was taken when it was made or checked."""
    note = source / NOTE if source.is_dir() else note_of(source)
    return {"edition": EDITION, "from": _read(note)}


def _note(folder: Path) -> dict | None:
    return _read(folder / NOTE)


def _read(note: Path) -> dict | None:
    try:
        return json.loads(note.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _folder(model: Model, form: str) -> Path:
    return _root() / model.alias.replace(":", "-") / form


def _root() -> Path:
    return paths.home() / "converted"


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
