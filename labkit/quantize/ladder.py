"""The ladder: one source in every type, and what each rung costs and loses.

    rungs = ladder("smollm2-135m", progress=progress_bar())
    rungs[0].size_bytes, rungs[0].score["kl"]

Every rung is written, read back, served and scored, one after the other, and its file goes away again unless `keep` says
where to. Progress counts steps: give it `progress_bar(unit="step")`. The reference is the first rung: by default F16, with
which KL divergence of F16 is 0.

Taught in notebook 03, section "The ladder".
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path

from labkit import catalog, disk, gguf_file, hardware, paths, weights
from labkit.errors import QuantizeError
from labkit.progress import Progress, silent
from labkit.quantize import child, measure
from labkit.quantize.rungs import LADDER, RungType, rung
from labkit.quantize.texts import SHIPPED, evaluation_text, text_file
from labkit.quantize.write import check_source, fallbacks, types_used, write

__all__ = ["Rung", "ladder", "source_of"]

CHUNKS = 4  # of 512 tokens, 255 of them scored
SCORED, FLOAT = 255, 4


@dataclass(frozen=True)
class Rung:
    """One file of the ladder, and everything measured on it.

    type: as asked for. types: tensors by the type that they really have. fell_back: matrices that could not have it.
    size_bytes: of the file. bits_per_weight: of its tensors. run: see measure.Run. score: perplexity, kl, same_top with their
    standard errors (None without llama-cpp-python). text: what they were measured on.
    """

    type: str
    types: dict[str, int]
    fell_back: int
    size_bytes: int
    bits_per_weight: float
    written_by: str
    run: measure.Run
    score: dict | None
    text: str
    model: str
    machine: str
    date: str

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return {**asdict(self), "run": self.run.to_dict()}


def ladder(
    model: str = "auto",
    types: Sequence[str] = (),
    *,
    keep: Path | None = None,
    requantize: bool = False,
    no_fallback: bool = False,
    chunks: int = CHUNKS,
    text: str = SHIPPED,
    exclusive: bool = False,
    every: int = 1,
    progress: Progress = silent,
    on_rung: Callable[[Rung], None] = lambda one: None,
) -> list[Rung]:
    """Write, serve and score a model in each of `types` (default: the ten of LADDER that can be written here).

    model: an alias of the catalogue, or the path of a GGUF. keep: a folder for the files. chunks: stretches of 512 tokens that
    are scored. text: a name of texts.py or a file, on which they are scored. exclusive: use all cores. every: 2 asks every
    second call of the work, and so on. on_rung hears of each rung in turn. Raises ConfigError (unknown type or text), what
    fetching the text raises, QuantizeError, EngineMissing (a K-quant was named and the extra is missing); NoSpace, and
    QuantizeError for too little memory, before anything is written.
    """
    source, name = source_of(model, progress)
    kinds, scored_on = _kinds(types), text_file(text, _hundredths(progress))
    header = check_source(source, requantize)
    _need_memory(header)
    with tempfile.TemporaryDirectory(prefix="quantize-", dir=paths.home()) as work:
        climb = _Climb(
            source,
            header,
            name,
            Path(work),
            keep,
            chunks,
            scored_on,
            text,
            hardware.bounded_threads(exclusive),
            every,
            progress,
        )
        climb.need_room(kinds)
        rungs = []
        for kind in kinds:
            rungs.append(climb.rung(kind, requantize=requantize, no_fallback=no_fallback))
            on_rung(rungs[-1])
    return rungs


def source_of(model: str, progress: Progress = silent) -> tuple[Path, str]:
    """Return the GGUF to start from and its name: a file as it is, else the F16 of the catalogue's model."""
    if model != "auto" and (model.lower().endswith(".gguf") or Path(model).is_file()):
        return Path(model), Path(model).stem
    chosen = catalog.chosen(model)
    return weights.ensure(chosen, engine="llamacpp", progress=progress), chosen.ref


def _kinds(types: Sequence[str]) -> list[RungType]:
    """The rungs wanted; those that cannot be written here are left out only if nobody named them."""
    if types:
        return [rung(one) for one in types]
    able = bool(child.available())
    return [rung(one) for one in LADDER if able or rung(one).simple]


@dataclass
class _Climb:
    """One ladder in the making. The first file that is scored becomes the reference of the others."""

    source: Path
    header: gguf_file.GgufHeader
    name: str
    work: Path
    keep: Path | None
    chunks: int
    text: Path
    text_name: str
    threads: int
    every: int
    progress: Progress

    def rung(self, kind: RungType, **wish) -> Rung:
        """Write, serve and score one rung; its file goes away again unless it is to be kept."""
        path = self._write(kind, **wish)
        try:
            return self._rung(kind, path)
        finally:
            if path.parent == self.work:
                path.unlink(missing_ok=True)

    def need_room(self, kinds: Sequence[RungType]) -> None:
        """Raise NoSpace now if the disk will not do: for all files or one at a time, and for the reference."""
        sizes = [int(self.header.n_weights * kind.bits / 8 * 1.5) for kind in kinds]  # some tensors fall back
        vocabulary = next((one.shape[0] for one in self.header.tensors if one.name == "token_embd.weight"), 0)
        reference = self.chunks * SCORED * vocabulary * FLOAT if child.available() else 0
        disk.need_room(self.work, reference + (0 if self.keep else max(sizes)))
        if self.keep:
            self.keep.mkdir(parents=True, exist_ok=True)
            disk.need_room(self.keep, sum(sizes))

    def _write(self, kind: RungType, **wish) -> Path:
        if kind.name in gguf_file.FLOATS and kind.name in types_used(self.header) and not self.keep:
            return self.source  # F16 from F16 is the file itself
        path = (self.keep or self.work) / f"{self.name.replace(':', '-')}-{kind.name.lower()}.gguf"
        write(self.source, kind.name, path, progress=_hundredths(self.progress), **wish)
        return path

    def _rung(self, kind: RungType, path: Path) -> Rung:
        header = gguf_file.check(path)
        return Rung(
            type=kind.name,
            types=types_used(header),
            fell_back=len(fallbacks(self.header, kind)),
            size_bytes=path.stat().st_size,
            bits_per_weight=header.bits_per_weight,
            written_by="the source" if path == self.source else "llama.cpp" if child.available() else "gguf",
            run=self._run(kind, path),
            score=self._score(kind, path),
            text=self.text_name,
            model=self.name,
            machine=hardware.machine().summary,
            date=str(date.today()),
        )

    def _run(self, kind: RungType, path: Path) -> measure.Run:
        text = evaluation_text().read_text(encoding="utf-8")
        label = f"{kind.name}: its work"
        return measure.measure(
            path,
            f"{self.name}-{kind.name}",
            text,
            threads=self.threads,
            every=self.every,
            on_call=partial(self.progress, label),
        )

    def _score(self, kind: RungType, path: Path) -> dict | None:
        if not child.available():
            return None
        reference = self.work / "reference.f32"
        wish = {"model": str(path), "text": str(self.text), "chunks": self.chunks, "threads": self.threads}
        if not reference.exists():
            shelf = {"reference": None, "write_reference": str(reference)}
            child.run("score", self.progress, "the reference reads", **wish, **shelf)
        shelf = {"reference": str(reference), "write_reference": None}
        return child.run("score", self.progress, f"{kind.name} reads", **wish, **shelf)


def _hundredths(progress: Progress) -> Progress:
    """Bytes as hundredths: everything else that the ladder reports is a count of steps."""
    return lambda label, done, total: progress(label, done * 100 // max(total, 1), 100)


def _need_memory(header: gguf_file.GgufHeader) -> None:
    """Raise QuantizeError if the source cannot be served beside its own file in memory."""
    need, free = 2 * header.file_bytes + 512 * 2**20, hardware.machine().ram_free_bytes.value
    if need > free:
        raise QuantizeError(
            f"{header.path.name} is too large to be quantized and served here.",
            f"it takes about {need / 2**30:.1f} GiB of memory, and {free / 2**30:.1f} GiB are free",
            "labkit models  # which ones fit",
        )
