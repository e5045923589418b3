"""GGUF → the folder that Python engines read: config.json, model.safetensors, and a tokenizer.

Nothing is lost and nothing is guessed: the floats are those of the GGUF as F16. Two traps are taken care of:
- llama.cpp keeps the rows of Q and K in the order its rotary embedding likes; here they go back to the original order.
- `rope_theta` stands at the top level of config.json as well as in `rope_parameters`: an engine that does not find it takes
  10,000 without a word, and the model talks nonsense.

At work in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import gguf_file
from labkit.convert import safetensors_file, tokenizer
from labkit.errors import BadModelFile
from labkit.gguf_file import GgufHeader
from labkit.progress import Progress

if TYPE_CHECKING:
    import numpy as np

__all__ = ["folder_bytes", "write_folder"]

ARCHITECTURE = "llama"
BLOCK = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}  # fmt: skip
OUTSIDE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
TOKENIZER_BYTES = 8 * 2**20  # more than any tokenizer of the course


def folder_bytes(gguf: Path) -> int:
    """Return about how many bytes `write_folder` needs."""
    return gguf_file.read_header(gguf).n_weights * 2 + TOKENIZER_BYTES


def write_folder(gguf: Path, folder: Path, progress: Progress) -> None:
    """Write the model of `gguf` into the empty `folder`. Raises BadModelFile for another architecture than llama's."""
    header = gguf_file.read_header(gguf)
    names = {tensor.name: _name(header, tensor.name) for tensor in header.tensors}
    config = _config(header, tied="lm_head.weight" not in names.values())
    tokenizer.write(header, folder)
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", {key: config[key] for key in ("bos_token_id", "eos_token_id")})
    shapes = {names[tensor.name]: tensor.shape for tensor in header.tensors}
    arrays = _arrays(header, config)
    with open(folder / "model.safetensors", "wb") as file:
        for done in safetensors_file.write(file, shapes, arrays):
            progress("writing safetensors", done, header.n_weights * 2)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _name(header: GgufHeader, gguf_name: str) -> str:
    parts = gguf_name.removesuffix(".weight").split(".")
    if len(parts) == 1 and parts[0] in OUTSIDE:
        return f"{OUTSIDE[parts[0]]}.weight"
    if len(parts) == 3 and parts[0] == "blk" and parts[2] in BLOCK:
        return f"model.layers.{int(parts[1])}.{BLOCK[parts[2]]}.weight"
    raise BadModelFile(
        f"{header.path} has a tensor {gguf_name[:60]!r}, which labkit cannot convert",
        "it converts plain llama models; this one has something more",
        "labkit models",
    )


def _config(header: GgufHeader, tied: bool) -> dict[str, Any]:
    if header.architecture != ARCHITECTURE:
        what = f"{header.path} is a {header.architecture[:60]!r} model, which labkit cannot convert"
        raise BadModelFile(what, f"it converts {ARCHITECTURE} models only", "labkit models")
    meta, shapes = header.metadata, {tensor.name: tensor.shape for tensor in header.tensors}
    if any(key.startswith("llama.rope.scaling") for key in meta) or "rope_freqs.weight" in shapes:
        raise BadModelFile(
            f"{header.path} stretches its rotary embedding", "labkit cannot convert that", "labkit models"
        )
    try:
        vocabulary, width = shapes["token_embd.weight"]
        heads = meta["llama.attention.head_count"]
        theta = _short(meta.get("llama.rope.freq_base", 10_000.0))
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "hidden_size": width,
            "intermediate_size": meta["llama.feed_forward_length"],
            "num_hidden_layers": meta["llama.block_count"],
            "num_attention_heads": heads,
            "num_key_value_heads": meta.get("llama.attention.head_count_kv", heads),
            "head_dim": header.head_dim,
            "max_position_embeddings": meta["llama.context_length"],
            "rms_norm_eps": _short(meta["llama.attention.layer_norm_rms_epsilon"]),
            "rope_theta": theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": theta},
            "vocab_size": vocabulary,
            "tie_word_embeddings": tied,
            "attention_bias": False,
            "mlp_bias": False,
            "bos_token_id": meta.get("tokenizer.ggml.bos_token_id"),
            "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
            "pad_token_id": meta.get("tokenizer.ggml.padding_token_id", meta["tokenizer.ggml.eos_token_id"]),
            "torch_dtype": "float16",
            "use_cache": True,
        }
    except KeyError as error:
        raise BadModelFile(f"{header.path} does not say its {error}", "it is incomplete", "labkit models") from None


def _short(number: float) -> float:
    """The shortest decimal that is this float32: 1e-05, where its float64 reads 9.999999747378752e-06."""
    import numpy as np

    return float(str(np.float32(number)))


def _arrays(header: GgufHeader, config: dict[str, Any]) -> Iterator[np.ndarray]:
    import numpy as np

    heads = {".attn_q.": config["num_attention_heads"], ".attn_k.": config["num_key_value_heads"]}
    for tensor in header.tensors:
        with np.errstate(over="ignore"):
            array = gguf_file.read_tensor(header.path, tensor).astype(np.float16)
        if not np.isfinite(array).all():
            raise BadModelFile(f"{header.path} has a weight that F16 cannot hold", tensor.name, "labkit models")
        for part, count in heads.items():
            if part in tensor.name:
                array = _original_rows(array, count)
        yield array


def _original_rows(array: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's order: in each head it puts the two halves that rotate together side by side."""
    rows, *rest = array.shape
    return array.reshape(heads, rows // heads // 2, 2, *rest).swapaxes(1, 2).reshape(array.shape)
