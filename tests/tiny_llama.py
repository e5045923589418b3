"""A whole llama model of a few kilobytes: as a GGUF the way llama.cpp's converter writes it, as plain numpy to compare with,
and as the one model of a labkit home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gguf
import numpy as np
import pytest

from labkit import catalog, weights

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, INNER, CONTEXT, THETA, EPSILON = 2, 64, 4, 2, 16, 96, 128, 10_000.0, 1e-5
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TABLE = f"""
[models.tiny]
default = true
name = "Tiny"
family = "test"
kind = "chat"
parameters = 100000
licence = "none"
context_length = {CONTEXT}
n_layers = {LAYERS}
n_kv_heads = {KV_HEADS}
head_dim = {HEAD}
[[models.tiny.sources]]
engines = ["llamacpp"]
variant = "f16"
format = "gguf-f16"
via = "hub"
id = "nobody/tiny"
file = "tiny.gguf"
[[models.tiny.sources]]
engines = ["vllm", "mlx"]
variant = "local"
format = "safetensors"
via = "derived"
made_from = "llamacpp:f16"
made_by = "labkit.convert"
"""


@contextmanager
def home(folder: Path) -> Iterator[Path]:
    """Make `folder` this process's labkit home for the block, with the default model `tiny`, whose weights are there."""
    folder.mkdir(exist_ok=True)
    (folder / "models.toml").write_text(TABLE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(folder))
        catalog._load.cache_clear()
        weights.import_file("tiny", write_gguf(folder / "given.gguf"))
        yield folder
    catalog._load.cache_clear()


def bytes_as_letters() -> list[str]:
    """GPT-2's printable letter for each of the 256 bytes."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = iter(range(256, 512))
    return [chr(byte) if byte in plain else chr(next(rest)) for byte in range(256)]


TOKENS = [*CONTROL, *bytes_as_letters(), "Ġt", "he", "Ġthe"]
MERGES = ["Ġ t", "h e", "Ġt he"]


def numbers(seed: int = 0, tied: bool = True) -> dict[str, np.ndarray]:
    """Return the weights under the names, and in the order of rows, that Python engines use. F16 holds them exactly."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return random.normal(0, columns**-0.5, (rows, columns)).astype(np.float16).astype(np.float32)

    def gains() -> np.ndarray:
        return random.uniform(0.5, 1.5, WIDTH).astype(np.float16).astype(np.float32)

    found = {"model.embed_tokens": matrix(len(TOKENS), WIDTH), "model.norm": gains()}
    if not tied:
        found["lm_head"] = matrix(len(TOKENS), WIDTH)
    for layer in range(LAYERS):
        here = f"model.layers.{layer}"
        found |= {
            f"{here}.input_layernorm": gains(),
            f"{here}.post_attention_layernorm": gains(),
            f"{here}.self_attn.q_proj": matrix(HEADS * HEAD, WIDTH),
            f"{here}.self_attn.k_proj": matrix(KV_HEADS * HEAD, WIDTH),
            f"{here}.self_attn.v_proj": matrix(KV_HEADS * HEAD, WIDTH),
            f"{here}.self_attn.o_proj": matrix(WIDTH, HEADS * HEAD),
            f"{here}.mlp.gate_proj": matrix(INNER, WIDTH),
            f"{here}.mlp.up_proj": matrix(INNER, WIDTH),
            f"{here}.mlp.down_proj": matrix(WIDTH, INNER),
        }
    return found


GGUF_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def permuted(weights: np.ndarray, heads: int) -> np.ndarray:
    """What llama.cpp's converter does to Q and K (convert_hf_to_gguf.py, LlamaModel.permute)."""
    return (
        weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
        .swapaxes(1, 2)
        .reshape(weights.shape)
    )


def write_gguf(path, weights=None, arch="llama", pre="smollm", kind="gpt2", extra=(), more=()):
    """Write the model as F16; extra: further tensors' names; more: further (key, number) metadata."""
    writer = gguf.GGUFWriter(path, arch)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(THETA)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(CONTROL) + [1] * (len(TOKENS) - len(CONTROL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(TEMPLATE)
    for key, number in more:
        writer.add_float32(key, number)
    for name, array in (weights or numbers()).items():
        gguf_name = GGUF_NAMES.get(name)
        if gguf_name is None:
            layer, part = name.removeprefix("model.layers.").split(".", 1)
            gguf_name = f"blk.{layer}.{GGUF_NAMES[part]}"
        heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(gguf_name.rpartition(".")[2])
        array = permuted(array, heads) if heads else array
        writer.add_tensor(f"{gguf_name}.weight", array.astype(np.float16 if array.ndim == 2 else np.float32))
    for name in extra:
        writer.add_tensor(name, np.ones(WIDTH, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def logits(weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """Run the network in plain numpy, as the paper has it; return logits (tokens, vocabulary)."""
    angles = np.outer(np.arange(len(tokens)), THETA ** -(np.arange(0, HEAD, 2) / HEAD))
    cos, sin = (np.concatenate([turn(angles)] * 2, -1)[None] for turn in (np.cos, np.sin))
    mask = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)

    def norm(x, gain):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON) * gain

    def heads(x, count, turned=True):
        x = x.reshape(len(tokens), count, HEAD).swapaxes(0, 1)
        half = np.concatenate([-x[..., HEAD // 2 :], x[..., : HEAD // 2]], -1)
        return x * cos + half * sin if turned else x

    x = weights["model.embed_tokens"][tokens].astype(np.float64)
    for layer in range(LAYERS):
        w = {
            name.split(".", 3)[3]: array for name, array in weights.items() if name.startswith(f"model.layers.{layer}.")
        }
        h = norm(x, w["input_layernorm"])
        q = heads(h @ w["self_attn.q_proj"].T, HEADS)
        k, v = heads(h @ w["self_attn.k_proj"].T, KV_HEADS), heads(h @ w["self_attn.v_proj"].T, KV_HEADS, turned=False)
        k, v = (np.repeat(one, HEADS // KV_HEADS, 0) for one in (k, v))
        scores = q @ k.swapaxes(1, 2) / np.sqrt(HEAD) + mask
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True)) @ v
        x = x + mixed.swapaxes(0, 1).reshape(len(tokens), -1) @ w["self_attn.o_proj"].T
        h = norm(x, w["post_attention_layernorm"])
        gate = h @ w["mlp.gate_proj"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
    return norm(x, weights["model.norm"]) @ weights.get("lm_head", weights["model.embed_tokens"]).T
