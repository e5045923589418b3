"""The models that the course knows: what each one is, and where each engine finds it. The table is data/models.toml.

    model("smollm2-135m").file_bytes                  # by alias
    model("smollm2-135m:q4_1").source("llamacpp")     # one variant of it
    model("qwen2.5:0.5b-instruct-q4_K_M").alias       # by an engine's own name for it: "qwen2.5-0.5b"

A learner adds models in a file of the same shape: LABKIT_MODELS, or models.toml in labkit's own folder (`paths.home()`).
Model and Source are written out in `_models.py`; the table is read and checked in `_models_toml.py`.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from labkit import paths
from labkit._models import Model, Source
from labkit._models_toml import ENGINES, bad, read
from labkit.errors import ConfigError, UnknownBackend, UnknownModel

__all__ = ["ENGINES", "Model", "Source", "as_model", "chosen", "default_model", "model", "models"]


def models() -> list[Model]:
    """Return every model of the table, a learner's own included. Raises ConfigError for a bad table.

    Taught in notebook 00, section "What runs here".
    """
    return list(_catalog()[0].values())


def default_model() -> Model:
    """Return the model that the course runs on when nobody chooses. Taught in notebook 00, section "What runs here"."""
    return next(one for one in models() if one.default)


def model(alias: str, engine: str | None = None) -> Model:
    """Return the model of an alias ("phi-4"), a variant ("smollm2-135m:q4_1") or an engine's own name for it.

    Own names are repository ids, Ollama tags, Foundry aliases and GGUF file names, in any case of letters. `engine`: who is
    going to run it; another engine's file or tag is then refused, since this engine would run other weights under that name.
    Raises UnknownModel, with the nearest name.
    Taught in notebook 00, section "What runs here", and in notebook 02, section "Memory".
    """
    by_alias, names = _catalog()
    asked = alias.strip().lower()
    base, _, variant = asked.rpartition(":")
    if asked in names:
        found, its = names[asked]
        _refuse_foreign(alias.strip(), by_alias[found], engine)
        return replace(by_alias[found], variant=its)
    if base not in names:
        raise _unknown(alias, names)
    found = by_alias[names[base][0]]
    if variant not in found.variants():
        why = f"its variants: {', '.join(found.variants())}"
        raise UnknownModel(f"{found.alias} has no variant {variant!r}.", why, "labkit models")
    return replace(found, variant=variant)


def as_model(model_or_name: Model | str) -> Model:
    """Return a Model as it is, or the one that a name means. Raises UnknownModel."""
    return model(model_or_name) if isinstance(model_or_name, str) else model_or_name


def chosen(name: str = "auto", engine: str | None = None) -> Model:
    """Return the model of a name; for "auto" the one that LABKIT_MODEL names, else the default. Raises UnknownModel."""
    wish = os.environ.get("LABKIT_MODEL", "auto") if name == "auto" else name
    return default_model() if wish == "auto" else model(wish, engine)


def _refuse_foreign(name: str, found: Model, engine: str | None) -> None:
    if engine not in found.engines or name.lower() in map(str.lower, (found.alias, found.name, *found.also)):
        return
    owners = [one for one in found.sources if name.lower() in map(str.lower, _own_names(one))]
    its = found.source(engine).format
    if owners and not any(one.engine == engine or one.format == its for one in owners):
        of = ", ".join(dict.fromkeys(f"{one.engine} ({one.format})" for one in owners))
        fix = f'labkit.connect("{engine}", "{found.alias}")'
        raise UnknownModel(f"{engine} has no {name!r}.", f"{engine} reads {its}; that name belongs to {of}", fix)


def _unknown(alias: str, names: dict[str, tuple[str, str | None]]) -> UnknownModel:
    close = difflib.get_close_matches(alias.lower(), names, 3, 0.6)
    near = list(dict.fromkeys(names[name][0] for name in close))
    known = list(dict.fromkeys(found for found, _ in names.values()))
    if alias.lower().endswith(".gguf") and not near:
        why = "a file of your own gets an alias in LABKIT_MODELS first; llamacpp and ollama read GGUF, foundry and onnx do not"
        return UnknownModel(f"There is no model {alias!r}.", why, "labkit models")
    why = f"did you mean {' or '.join(near)}?" if near else f"the models are {', '.join(known)}"
    return UnknownModel(f"There is no model {alias!r}.", why, "labkit models")


# ---- the table, read once and again when the learner's file changes ------------------------------------------------


def _catalog() -> tuple[dict[str, Model], dict[str, tuple[str, str | None]]]:
    own = _own_file()
    stat = own.stat() if own else None
    return _load(paths.data_dir() / "models.toml", own, stat and (stat.st_mtime_ns, stat.st_size))


def _own_file() -> Path | None:
    named = os.environ.get("LABKIT_MODELS")
    if named:
        own = Path(named).expanduser()
        if not own.is_file():
            raise ConfigError(f"LABKIT_MODELS names {own}, and no file is there.", "a typing error?", "labkit models")
        return own
    own = paths.home() / "models.toml"
    return own if own.is_file() else None


@functools.lru_cache(maxsize=4)
def _load(shipped: Path, own: Path | None, _stamp: tuple | None):
    formats, entries = read(shipped)
    if own:
        formats, mine = read(own, formats)
        if any(entry.get("default") for entry in mine.values()):
            entries = {alias: {**entry, "default": False} for alias, entry in entries.items()}
        entries |= mine
    by_alias = {alias: _model(alias, entry, formats) for alias, entry in entries.items()}
    if not any(one.default for one in by_alias.values()):
        raise bad((own or shipped).name, "no model is the default", "put default = true on one")
    return by_alias, _names(by_alias)


def _model(alias: str, entry: dict, formats: dict[str, dict]) -> Model:
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
    rows = entry["sources"]
    counted = {row["format"]: row.get("bytes") or row["bytes_about"] for row in reversed(rows) if "bytes_source" in row}
    guess = {name: round(entry["parameters"] * known["bits"] / 8) for name, known in formats.items()}
    sources = tuple(_source(engine, row, counted, guess) for row in rows for engine in row["engines"])
    made = Model(**{**facts, "alias": alias, "sources": sources})
    for source in sources:
        _check_origin(made, source)
    return made


def _source(engine: str, row: dict, counted: dict[str, int], guess: dict[str, int]) -> Source:
    kind = row["format"]
    sizes = {"exact": row.get("bytes"), "rounded": row.get("bytes_about")}
    sizes |= {"as another source of this format": counted.get(kind), "estimated": guess[kind]}
    basis, size = next((name, value) for name, value in sizes.items() if value)
    facts = {key: value for key, value in row.items() if key != "engines"}
    return Source(**facts, engine=engine, size=size, size_basis=basis)


def _check_origin(made: Model, source: Source) -> None:
    seen: list[Source] = []
    try:
        for step in made.chain(source):
            if step in seen:
                raise bad(f'models."{made.alias}"', f"{source.made_from} is made from itself")
            seen.append(step)
    except (UnknownModel, UnknownBackend) as error:
        what = f"made_from = {source.made_from!r} names no source of this model"
        raise bad(f'models."{made.alias}"', what, error.why) from None


def _names(by_alias: dict[str, Model]) -> dict[str, tuple[str, str | None]]:
    """Map every name that people use, in small letters, to an alias and the variant it means (None: the default)."""
    names: dict[str, tuple[str, str | None]] = {}
    for one in by_alias.values():
        for name in (one.alias, *one.also):
            taken = names.setdefault(name.lower(), (one.alias, None))[0]
            if taken != one.alias:
                raise bad(f'models."{one.alias}"', f"{name!r} already means {taken}", "a name leads to one model only")
    for one in by_alias.values():  # looser names come second and take nothing away
        for name, variant in _engine_names(one):
            names.setdefault(name.lower(), (one.alias, variant))
    return names


def _engine_names(one: Model) -> Iterator[tuple[str, str | None]]:
    """Yield the names that engines and hubs use, each with the variant it stands for (None: the engine's default)."""
    yield one.name, None
    for source in one.sources:
        variant = None if one.source(source.engine) is source else source.variant
        for name in _own_names(source):
            yield name, variant


def _own_names(source: Source) -> list[str]:
    return [name for name in (source.id, source.file, (source.id or "").rpartition("/")[2]) if name]
