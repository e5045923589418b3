"""What a model takes: weights, context, KV cache. From the catalogue, a folder's config.json or a GGUF file's header.

Taught in notebook 12, section "Presets".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import catalog, gguf_file
from labkit.deploy.manifest import Model
from labkit.errors import BadModelFile, UnknownModel

__all__ = ["Shape", "checkpoint", "checkpoint_in", "config", "shape"]

VALUE_BYTES = 2  # of the KV cache: 16 bits, every engine's default


@dataclass(frozen=True)
class Shape:
    """Bytes of `weights`, bytes of KV cache a token, and the `context` that the model was made for, in tokens."""

    weights: int
    token_bytes: int
    context: int


def checkpoint(model: Model) -> tuple[str, Any]:
    """Return (what the engine loads, the catalogue's Model or None) for a model of the manifest."""
    try:
        known = catalog.model(model.source, model.engine)
    except UnknownModel:
        return model.source, None  # a repository, folder or file: manifest.load has seen to it
    source = known.source(model.engine)
    made = f"{known.ref.replace(':', '-')}.gguf" if model.engine == "llamacpp" else known.ref
    return (source.file if model.engine == "llamacpp" else source.id) or made, known


def checkpoint_in(folder: str, model: Model) -> str:
    """Return what the engine loads where the files of models lie in `folder`; vLLM looks its repositories up by itself."""
    loaded, _ = checkpoint(model)
    return f"{folder}/{loaded}" if model.engine == "llamacpp" and not loaded.startswith("/") else loaded


def shape(model: Model) -> Shape | None:
    """Return what a model takes; None where nothing here tells. Raises BadModelFile for a folder that cannot be read."""
    loaded, known = checkpoint(model)
    if known:
        return _shape(
            known.source(model.engine).size, known.n_layers, known.n_kv_heads, known.head_dim, known.context_length
        )
    if (Path(loaded) / "config.json").is_file():
        return _of_folder(Path(loaded))
    if Path(loaded).is_file():
        header = gguf_file.read_header(Path(loaded))
        return _shape(header.file_bytes, header.n_layers, header.n_kv_heads, header.head_dim, header.context_length)
    return None


def config(folder: Path) -> dict[str, Any]:
    """Return a model folder's config.json. Raises BadModelFile."""
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadModelFile(f"{folder}/config.json cannot be read.", str(error), "labkit models") from None


def _of_folder(folder: Path) -> Shape | None:
    said = config(folder)
    layers, heads, context = (
        said.get(k) for k in ("num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    )
    if not (layers and heads and context):
        return None
    dim = said.get("head_dim") or said.get("hidden_size", 0) // heads
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return _shape(weights, layers, said.get("num_key_value_heads") or heads, dim, context)


def _shape(weights: int, layers: int | None, heads: int | None, dim: int | None, context: int | None) -> Shape | None:
    if not (layers and heads and dim and context):
        return None
    return Shape(weights, 2 * layers * heads * dim * VALUE_BYTES, context)
