"""The forms that one model comes in, and how to serve each: the table is data/formats.toml.

    one = form("onnx-int8")
    path = one.path("smollm2-135m")                   # written or converted if it is not here
    with one.serve("smollm2-135m", path) as endpoint: ...

Every call of `serve` starts an engine of its own, so that its start can be timed.

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from labkit import catalog, convert
from labkit.backends import BACKENDS, Endpoint, Settings, llamacpp
from labkit.errors import ConfigError, EngineMissing
from labkit.nearest import meant
from labkit.paths import read_table
from labkit.progress import Progress, silent
from labkit.quantize.serve import level_file

__all__ = ["Form", "form", "forms"]


@dataclass(frozen=True)
class Form:
    """One form. says: a few words. engine: who reads it. level: a type of the ladder; or variant: of the catalogue's model.

    note: what a reader of its figures must know.
    """

    id: str
    says: str
    engine: str
    level: str = ""
    variant: str = ""
    note: str = ""

    def path(self, model: str, progress: Progress = silent) -> Path:
        """Return the file or folder that the engine reads; make it if it is not here. progress counts bytes.

        Raises EngineMissing (no engine, or no llama-cpp-python for a K-quant), UnknownModel (the model has no such variant),
        and what fetching and converting raise.
        """
        here = import_module(BACKENDS[self.engine]).available()
        if not here:
            raise EngineMissing(f"The engine {self.engine} is not here.", here.why, here.fix)
        if self.level:
            return level_file(model, self.level, progress=progress)
        return convert.ensure(self._model(model), self.engine, progress)

    @contextmanager
    def serve(self, model: str, path: Path, settings: Settings) -> Iterator[Endpoint]:
        """Start the engine on `path`; it ends with the block. Raises EngineStartError."""
        if self.level:
            endpoint = llamacpp.serve(path, f"{model}-{self.level}", settings)
        else:
            endpoint = import_module(BACKENDS[self.engine]).start(self._model(model), settings)
        try:
            yield endpoint
        finally:
            endpoint.close()
            endpoint.process.stop()

    def _model(self, model: str) -> catalog.Model:
        return catalog.model(f"{model}:{self.variant}", self.engine)


def forms() -> list[Form]:
    """Return every form of the table; the first one is the reference."""
    return list(_table().values())


def form(name: str) -> Form:
    """Return one form by its id. Raises ConfigError for an unknown one."""
    if name not in _table():
        why = meant(name, _table(), "the forms are")
        raise ConfigError(f"There is no form {name!r}.", why, "labkit bench formats --help")
    return _table()[name]


@cache
def _table() -> dict[str, Form]:
    rows = read_table("formats.toml")["form"]
    return {row["id"]: Form(**row) for row in rows}
