"""The tokenizer inside a GGUF → tokenizer.json and its companions, as the `tokenizers` library reads them.

Only byte-pair tokenizers whose way of splitting text is known here: how text is cut up before the merges is not in the GGUF,
which names it only ("smollm"). A guess would cost some digits or accents their tokens, and nobody would notice.

At work in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labkit.errors import BadModelFile
from labkit.gguf_file import GgufHeader

__all__ = ["write"]

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}


def _split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
# Digits first, then words. The original file says Digits and ByteLevel, which means the same; but onnxruntime passes over Digits,
# and then cuts the line breaks before a digit otherwise.
SMOLLM = [_split(r"\p{N}"), _split(GPT2_WORDS), {**BYTE_LEVEL, "use_regex": False}]
PRE = {"smollm": {"type": "Sequence", "pretokenizers": SMOLLM}, "gpt-2": BYTE_LEVEL}
CONTROL, USER_DEFINED = 3, 4  # a token's type in a GGUF
SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}


def write(header: GgufHeader, folder: Path) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja. Raises BadModelFile."""
    import gguf

    meta = header.metadata
    kind, pre = meta.get("tokenizer.ggml.model"), meta.get("tokenizer.ggml.pre", "gpt-2")
    if kind != "gpt2" or pre not in PRE:
        what = f"{header.path} has a tokenizer ({kind}, {pre}) that labkit cannot convert"
        raise BadModelFile(what, f"it converts byte-pair tokenizers of the kinds {', '.join(PRE)}", "labkit models")
    fields = gguf.GGUFReader(header.path).fields
    tokens, merges, types = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type"))
    _dump(folder / "tokenizer.json", _tokenizer(tokens, merges, types, PRE[pre]))
    _dump(folder / "tokenizer_config.json", _settings(header, tokens))
    (folder / "chat_template.jinja").write_text(header.chat_template or "", encoding="utf-8")


def _dump(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")


def _tokenizer(tokens: list[str], merges: list[str], types: list[int], pre: dict[str, Any]) -> dict[str, Any]:
    added = [
        (number, text)
        for number, (text, kind) in enumerate(zip(tokens, types, strict=True))
        if kind in (CONTROL, USER_DEFINED)
    ]
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": n, "content": text, **plain, "special": types[n] == CONTROL} for n, text in added],
        "normalizer": None,
        "pre_tokenizer": pre,
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {text: number for number, text in enumerate(tokens)},
            "merges": merges,
        },
    }


def _settings(header: GgufHeader, tokens: list[str]) -> dict[str, Any]:
    meta = header.metadata
    ids = {name: meta.get(f"tokenizer.ggml.{key}") for name, key in SPECIAL.items()}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": header.context_length,
        **{name: tokens[number] for name, number in ids.items() if isinstance(number, int)},
        "chat_template": header.chat_template,
    }
