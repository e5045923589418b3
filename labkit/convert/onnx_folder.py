"""A safetensors folder → the folder that onnxruntime-genai and Foundry Local read: the network as ONNX, in four or eight bits.

Weights are cut into blocks of 32; a block is stored as one scale (float32) and 32 numbers of four bits (eight), so a weight
takes 5 bits (9). It is the graph, and in four bits the rounding, of `python -m onnxruntime_genai.models.builder -p int4 -e
cpu`, which needs torch to write it (5 GB on Linux); here numpy does. The builder's numbers came out the same, byte for byte;
only the table of the rotary embedding differs, after the fourth digit: here it is computed in float64. Eight bits are rounded
as GGUF's Q8_0 is, and serve the embedding too, of which the builder keeps another copy in float32.

Against the unrounded model, SmolLM2-135M keeps 97 % of its likeliest tokens in eight bits, and 72 % in four (KL divergence
0.004 and 0.33): a model this small has no room for four.

Taught in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from labkit.convert import onnx_graph, safetensors_file
from labkit.errors import BadModelFile
from labkit.progress import Progress

__all__ = ["folder_bytes", "write_folder"]

OTHER_BYTES = 8 * 2**20  # the tokenizer, the graph itself and the gaps between its numbers
WEIGHTS = "model.safetensors"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "generation_config.json")


def folder_bytes(source: Path, bits: int) -> int:
    """Return about how many bytes `write_folder` needs."""
    entries = safetensors_file.table(source / WEIGHTS).values()
    config = _config(source)
    rotary = 4 * config["max_position_embeddings"] * config["head_dim"]
    return sum(math.prod(entry["shape"]) for entry in entries) * (bits + 1) // 8 + rotary + OTHER_BYTES


def write_folder(source: Path, folder: Path, bits: int, progress: Progress) -> None:
    """Write the llama model of the safetensors folder `source` into the empty `folder`, in 4 or 8 bits. Raises BadModelFile."""
    config = _config(source)
    with open(folder / onnx_graph.DATA, "wb") as data:
        graph = onnx_graph.build(config, bits, source / WEIGHTS, data, folder_bytes(source, bits), progress)
    (folder / "model.onnx").write_bytes(graph)
    text = json.dumps(_genai_config(config), indent=2)
    (folder / "genai_config.json").write_text(text + "\n", encoding="utf-8")
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)


def _config(source: Path) -> dict[str, Any]:
    try:
        config = json.loads((source / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadModelFile(f"{source} has no config.json that can be read", str(error), "labkit models") from None
    rope = config.get("rope_parameters") or {"rope_type": "default", "rope_theta": config.get("rope_theta", 10_000.0)}
    if config.get("model_type") != "llama" or config.get("rope_scaling") or rope.get("rope_type") != "default":
        what = f"{source} is a {config.get('model_type')!r} model, or one with a stretched rotary embedding"
        raise BadModelFile(what, "labkit writes plain llama models as ONNX", "labkit models")
    heads = config["num_attention_heads"]
    filled = {"num_key_value_heads": heads, "head_dim": config["hidden_size"] // heads, "tie_word_embeddings": False}
    return {**filled, **config, "rope_theta": rope["rope_theta"]}


def _genai_config(config: dict[str, Any]) -> dict[str, Any]:
    """What onnxruntime-genai wants to know: the ports' names, the shape of the KV cache, and how to search."""
    cache = {
        f"{way}_{end}_names": f"{name}.%d.{end}"
        for way, name in (("past", "past_key_values"), ("present", "present"))
        for end in ("key", "value")
    }
    decoder = {
        "session_options": {"log_id": "onnxruntime-genai", "provider_options": []},
        "filename": "model.onnx",
        "head_size": config["head_dim"],
        "hidden_size": config["hidden_size"],
        "inputs": {"input_ids": "input_ids", "attention_mask": "attention_mask"},
        "outputs": {"logits": "logits"},
        "num_attention_heads": config["num_attention_heads"],
        "num_hidden_layers": config["num_hidden_layers"],
        "num_key_value_heads": config["num_key_value_heads"],
    }
    for name, value in cache.items():
        decoder["inputs" if name.startswith("past") else "outputs"][name] = value
    model = {key: config[key] for key in ("bos_token_id", "eos_token_id", "pad_token_id", "vocab_size")}
    model |= {"type": "llama", "context_length": config["max_position_embeddings"], "decoder": decoder}
    search = {"do_sample": False, "max_length": config["max_position_embeddings"], "past_present_share_buffer": True}
    return {"model": model, "search": {**search, "num_beams": 1, "temperature": 1.0, "top_k": 0, "top_p": 1.0}}
