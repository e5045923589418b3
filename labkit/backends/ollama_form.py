"""A model of the catalogue as a model of Ollama's: `ollama run smollm2-135m` and the learner's own programs know it then.

    make("smollm2-135m")                    # from labkit's GGUF, the very file that llama.cpp runs
    make("smollm2-135m", "ollama-q8_0")     # quantized by Ollama itself

It goes where `connect("ollama")` looks: into the server that LABKIT_OLLAMA_URL names, else into labkit's own folder, which a
server started for the purpose writes. `connect` makes models of its own, with context and threads in their names; these are
plain ones.

Explained in notebook 06, section "Install".
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from labkit import catalog, convert, disk
from labkit.backends import ollama, ollama_find
from labkit.backends.ollama_api import create, delete, tags
from labkit.backends.settings import Settings
from labkit.catalog import Model
from labkit.errors import ConfigError, EngineMissing
from labkit.progress import Progress, silent

__all__ = ["FORMS", "Made", "listed", "make", "remove"]

# Form -> how Ollama quantizes on the way (None: not at all).
FORMS = {"ollama": None, "ollama-q8_0": "q8_0", "ollama-q4_K_M": "q4_K_M"}


@dataclass(frozen=True)
class Made:
    """One model in Ollama: the name to run it by, the server's address (or "" for labkit's own folder), its bytes."""

    alias: str
    form: str
    name: str
    where: str
    nbytes: int


def make(model: Model | str, form: str = "ollama", progress: Progress | None = None) -> Made:
    """Make the model in Ollama, from the GGUF that is here, and return it. Weights that Ollama has are not sent again.

    Raises UnknownModel, ConfigError (no such form), EngineMissing, NoSpace, BadModelFile, and what `weights.ensure` raises.
    """
    model = catalog.as_model(model)
    if form not in FORMS:
        raise ConfigError(f"There is no form {form!r}.", f"Ollama's are {', '.join(FORMS)}", "labkit convert --help")
    found, path = ollama_find.find(), convert.convert(model, "gguf-f16", progress)
    if not found.address:
        disk.need_room(ollama.store(), path.stat().st_size)
    name = _name(model, form)
    options = {"quantize": FORMS[form], "parameters": {"repeat_penalty": 1.0}, **ollama.RECIPES.get(model.family, {})}
    with _server(found) as address:
        create(address, name, weights=path, progress=progress or silent, **options)
        return next(one for one in _all(address, found.address) if one.name == name)


def listed() -> list[Made]:
    """Return the models that `make` made and that are still there; [] where there is no Ollama. Raises EngineError."""
    found = _found()
    if found is None or not (found.address or (ollama.store() / "manifests").is_dir()):
        return []
    with _server(found) as address:
        return _all(address, found.address)


def remove(model: Model | str, form: str | None = None) -> int:
    """Delete a model's Ollama forms, or one of them; return how many bytes they had. Weights that another shares stay."""
    model = catalog.as_model(model)
    doomed = [one for one in listed() if one.alias == model.alias and form in (None, one.form)]
    if doomed:
        with _server(ollama_find.find()) as address:
            for one in doomed:
                delete(address, one.name)
    return sum(one.nbytes for one in doomed)


def _name(model: Model, form: str) -> str:
    # Whatever variant of another engine was asked for: it is made from the GGUF that llama.cpp runs by default.
    plain = replace(model, variant=None).source("llamacpp").variant
    return f"{model.alias}:{(FORMS[form] or plain).lower()}"


def _all(address: str, where: str) -> list[Made]:
    sizes = {one["name"]: one["size"] for one in tags(address)}
    known = [model for model in catalog.models() if "llamacpp" in model.engines]
    names = {_name(model, form): (model.alias, form) for model in known for form in FORMS}
    return [Made(*names[name], name, where, size) for name, size in sizes.items() if name in names]


def _found() -> ollama_find.Found | None:
    try:
        return ollama_find.find()
    except EngineMissing:
        return None


@contextlib.contextmanager
def _server(found: ollama_find.Found) -> Iterator[str]:
    """Yield the address of the server that was found, or of one that runs for the length of the block."""
    if found.address:
        yield found.address
        return
    process, address = ollama.serve("convert", found, Settings())
    try:
        with disk.one_writer(ollama.store() / "models"):
            yield address
    finally:
        process.stop()
