"""Read a table of models (data/models.toml, or a learner's own) and refuse a bad one, naming the entry at fault."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError
from labkit.nearest import meant

ENGINES = ("llamacpp", "ollama", "foundry", "vllm", "mlx", "onnx", "openvino")
KINDS = ("chat", "code", "completion", "embedding")
# Where a source comes from, and the keys it is no use without.
VIA_NEEDS = {
    "wheel": ("id", "version", "member", "sha256", "archive_sha256"),
    "hub": ("id",),
    "ollama": ("id",),
    "foundry": ("id",),
    "derived": ("made_from", "made_by"),
}
FORMAT = {"bits": float, "most": float}
MODEL = dict.fromkeys(("name", "family", "kind", "licence"), str)
MODEL |= dict.fromkeys(("parameters", "context_length", "n_layers", "n_kv_heads", "head_dim"), int)
MODEL |= {"sources": tuple}
MODEL_MAY = dict.fromkeys(("licence_url", "chat_template", "module_says"), str)
MODEL_MAY |= dict.fromkeys(("languages", "notes", "also"), list) | {"default": bool}
SOURCE = {"engines": list, "variant": str, "format": str, "via": str}
SOURCE_MAY = dict.fromkeys(("id", "file", "folder", "member", "version", "revision", "made_from", "made_by"), str)
SOURCE_MAY |= dict.fromkeys(("sha256", "archive_sha256", "bytes_source", "note"), str)
SOURCE_MAY |= dict.fromkeys(("bytes", "bytes_about", "archive_bytes"), int) | {"gated": bool}
KIND_OF = {str: "text", int: "a whole number above 0", float: "a number above 0", bool: "true or false"}
KIND_OF |= {list: "a list of text", tuple: "a list of tables", dict: "a table"}
SIZE_SLACK = 0.95  # a file a little under its format's bits is still believed


def read(path: Path, formats: Mapping[str, dict] | None = None) -> tuple[dict[str, dict], dict[str, dict]]:
    """Return the checked formats (added to those given) and models of a TOML file; raise ConfigError at the first fault."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise bad(str(path), "it cannot be read", error.strerror or "") from None
    except ValueError as error:  # not UTF-8, not TOML, or an alias written twice
        raise bad(str(path), "it is not a TOML file that can be read", str(error)) from None
    _check(path.name, table, {}, {"formats": dict, "models": dict})
    formats = {**(formats or {}), **table.get("formats", {})}
    for name, entry in table.get("formats", {}).items():
        _check(f"{path.name}, formats.{name}", entry, FORMAT, {})
    for alias, entry in table.get("models", {}).items():
        _check_model(f'{path.name}, models."{alias}"', alias, entry, formats)
    defaults = [alias for alias, entry in table.get("models", {}).items() if entry.get("default")]
    if len(defaults) > 1:
        raise bad(path.name, f"it has two defaults: {' and '.join(defaults)}", "default = true belongs on one model")
    return formats, table.get("models", {})


def bad(where: str, what: str, why: str = "") -> ConfigError:
    """Return the error for a fault in a table; `where` names the file and the entry."""
    return ConfigError(f"{where}: {what}.", why, "labkit models")


def _check_model(where: str, alias: str, entry: Any, formats: Mapping[str, dict]) -> None:
    _check(where, entry, MODEL, MODEL_MAY)
    _one_of(where, "kind", entry["kind"], KINDS)
    if ":" in alias or alias != alias.strip() or not alias:
        raise bad(where, "an alias has no colon and no spaces around it", "what follows a colon is a variant")
    if not entry["sources"]:
        raise bad(where, "it has no sources", 'each model needs one [[models."…".sources]] at least')
    seen: set[tuple[str, str]] = set()
    for number, source in enumerate(entry["sources"], 1):
        here = f"{where}, source {number}"
        _check_source(here, source, formats)
        _check_size(here, source, entry["parameters"], formats[source["format"]])
        for engine in source["engines"]:
            if (engine, source["variant"]) in seen:
                raise bad(here, f"{engine} already has a variant {source['variant']!r}", "each needs a name of its own")
            seen.add((engine, source["variant"]))


def _check_source(where: str, source: Any, formats: Mapping[str, dict]) -> None:
    _check(where, source, SOURCE, SOURCE_MAY)
    for engine in source["engines"]:
        _one_of(where, "engines", engine, ENGINES)
    _one_of(where, "format", source["format"], formats)
    _one_of(where, "via", source["via"], VIA_NEEDS)
    needs = VIA_NEEDS[source["via"]]
    if source["via"] == "hub" and source["format"].startswith("gguf"):
        needs = (*needs, "file")
    for key in needs:
        if key not in source:
            raise bad(where, f"{key} is missing", f"a source via {source['via']} cannot be fetched without it")
    if not source["engines"] or ":" in source["variant"] or not source["variant"]:
        raise bad(where, "it needs an engine and a variant without a colon")
    if not re.fullmatch("[^:]+:[^:]+", source.get("made_from", "a:b")):
        raise bad(where, f"made_from = {source['made_from']!r} is not ENGINE:VARIANT", 'such as "llamacpp:q4_1"')
    for key in ("sha256", "archive_sha256"):
        if not re.fullmatch("[0-9a-f]{64}", source.get(key, "0" * 64)):
            raise bad(where, f"{key} is not a SHA-256", "it has 64 characters, 0-9 and a-f in small letters")


def _check_size(where: str, source: Mapping[str, Any], parameters: int, known: Mapping[str, float]) -> None:
    sizes = [source[key] for key in ("bytes", "bytes_about") if key in source]
    if len(sizes) > 1:
        raise bad(where, "it has both bytes and bytes_about", "bytes is exact, bytes_about is rounded: one of the two")
    if bool(sizes) != ("bytes_source" in source):
        raise bad(where, "bytes (or bytes_about) and bytes_source come together", "a size says where it was counted")
    if not sizes:
        return
    bits = sizes[0] * 8 / parameters
    if not known["bits"] * SIZE_SLACK <= bits <= known["most"]:
        why = f"{source['format']} takes {known['bits']:g} to {known['most']:g}: is the size in bytes, and the format right?"
        raise bad(where, f"{sizes[0]:,} bytes for {parameters:,} parameters make {bits:.3g} bits a weight", why)


def _check(where: str, entry: Any, must: Mapping[str, type], may: Mapping[str, type]) -> None:
    """Raise unless `entry` is a table with all the keys of `must`, none beyond `may`, and each of its type."""
    if not isinstance(entry, dict):
        raise bad(where, "a table belongs here", f"found {entry!r}")
    for key, value in entry.items():
        kind = must.get(key) or may.get(key)
        if kind is None:
            raise bad(where, f"unknown key {key!r}", meant(key, [*must, *may]))
        if not _fits(value, kind):
            raise bad(where, f"{key} = {value!r} is not {KIND_OF[kind]}")
    for key in must:
        if key not in entry:
            raise bad(where, f"{key} is missing", f"needed: {', '.join(must)}")


def _fits(value: Any, kind: type) -> bool:
    if kind in (int, float):  # bool is an int in Python, and no size
        return isinstance(value, (int, kind)) and not isinstance(value, bool) and value > 0
    if kind in (list, tuple):
        return isinstance(value, list) and all(isinstance(one, str if kind is list else dict) for one in value)
    return isinstance(value, kind)


def _one_of(where: str, key: str, value: str, known: Iterable[str]) -> None:
    if value not in known:
        raise bad(where, f"{key} has {value!r}", meant(value, known))
