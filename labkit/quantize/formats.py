"""The same model in the formats of several engines: size, load time, speed as ratios, and agreement with F16's answers.

    found = formats("smollm2-135m", progress=progress_bar(unit="step"))
    found.measured[1].decode.ratio.value         # its tokens a second, divided by F16's in the same round
    found.missing                                # forms that are not here: why, and one command

One engine is alive at a time. In each round every form is started, reads a stretch of text and goes on writing; the order turns
round with each round, and ratios are formed round by round, so whatever else the machine does meets all forms. In the first
round each form also answers the questions of data/questions.toml, greedily. Answers are cut into tokens by the reference.

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

import collections
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from labkit import catalog, hardware
from labkit.backends import Endpoint, Settings
from labkit.errors import LabkitError
from labkit.paths import read_table
from labkit.progress import Progress, silent
from labkit.quantize.agreement import Agreement, agreement
from labkit.quantize.forms import Form, form, forms
from labkit.quantize.measure import Spread, into_cache, peak_bytes
from labkit.quantize.probe import token_ids
from labkit.quantize.texts import evaluation_text

__all__ = ["Figure", "Formats", "Measured", "Missing", "formats", "questions"]

CONTEXT, STRETCH, WRITTEN = 1024, 800, 32  # tokens; characters read in a round, about 200 tokens; tokens written
FEWEST = 8  # tokens of an answer, for its speed to count
START_S = 300


@dataclass(frozen=True)
class Figure:
    """One figure over the rounds, and its ratio to the reference's, formed round by round. error: half the range."""

    value: Spread
    ratio: Spread


@dataclass(frozen=True)
class Measured:
    """One form, measured. size_bytes: of all that the engine reads. load: seconds from launch to ready, files in the disk cache.

    prompt, decode: tokens a second, as the caller sees them. same_prompt: the engine made as many tokens of the questions as the
    reference; if not, it asked something else, and agreement says nothing about the format.
    """

    form: Form
    engine_version: str
    size_bytes: int
    peak_bytes: int
    load: Figure
    prompt: Figure
    decode: Figure
    same_prompt: bool
    agreement: Agreement

    def to_dict(self) -> dict:
        """Return plain values for JSON; what could not be measured is None."""
        return _without_nan({**asdict(self), "agreement": self.agreement.to_dict()})


@dataclass(frozen=True)
class Missing:
    """A form that was not measured: what happened, why, and one command."""

    form: Form
    what: str
    why: str
    fix: str


@dataclass(frozen=True)
class Formats:
    """What one run found. measured: the reference first. threads: of each engine."""

    model: str
    machine: str
    date: str
    threads: int
    rounds: int
    questions: int
    measured: tuple[Measured, ...]
    missing: tuple[Missing, ...]

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return {**asdict(self), "measured": [one.to_dict() for one in self.measured]}


@dataclass
class _Course:
    """One form on its way through the rounds. readings: load, prompt, decode of each round."""

    form: Form
    path: Path
    readings: list[tuple[float, float, float]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    prompt_tokens: int = 0
    peak: int = 0
    version: str = ""


def formats(
    model: str = "auto",
    wanted: Sequence[str] = (),
    *,
    rounds: int = 3,
    ask: int = 24,
    answer_tokens: int = 12,
    exclusive: bool = False,
    progress: Progress = silent,
) -> Formats:
    """Measure a model of the catalogue in the forms `wanted` (ids; default: all of data/formats.toml), beside the reference.

    ask: how many questions. answer_tokens: of each answer, at most. exclusive: use all cores. progress counts steps. Raises
    ConfigError (no such form), UnknownModel, and what starting the reference raises; other forms that fail are in `missing`.
    """
    chosen = catalog.chosen(model)
    asked, tried = questions()[:ask], _with_reference(wanted)
    run = _Run(chosen.alias, asked, answer_tokens, hardware.bounded_threads(exclusive), rounds, progress)
    courses = [course for one in tried if (course := run.begin(one))]
    for number in range(rounds):
        for course in courses if number % 2 == 0 else courses[::-1]:
            if course.form.id not in run.missing:
                run.go_on(course, number)
    courses = [one for one in courses if one.form.id not in run.missing]
    return Formats(
        model=chosen.alias,
        machine=hardware.machine().summary,
        date=str(date.today()),
        threads=run.threads,
        rounds=rounds,
        questions=len(asked),
        measured=tuple(run.judge(courses)),
        missing=tuple(run.missing.values()),
    )


def questions() -> list[str]:
    """Return the fixed questions of data/questions.toml."""
    return read_table("questions.toml")["questions"]


def _with_reference(wanted: Sequence[str]) -> list[Form]:
    reference, *others = forms()
    return [reference, *(one for one in map(form, wanted) if one != reference)] if wanted else [reference, *others]


@dataclass
class _Run:
    model: str
    questions: list[str]
    answer_tokens: int
    threads: int
    rounds: int
    progress: Progress
    missing: dict[str, Missing] = field(default_factory=dict)

    def begin(self, one: Form) -> _Course | None:
        """Bring the form onto the disk; a form that cannot be had is noted."""

        def steps(label: str, done: int, total: int) -> None:
            self.progress(f"{one.id}: {label}", done * 100 // max(total, 1), 100)

        return self._noted(one, lambda: _Course(one, one.path(self.model, steps)))

    def go_on(self, course: _Course, number: int) -> None:
        """Start the engine, time a reading, and in the first round ask the questions."""
        self._noted(course.form, lambda: self._visit(course, number))

    def judge(self, courses: Sequence[_Course]) -> list[Measured]:
        """Return what was found, form by form; the reference's own tokenizer cuts all answers."""
        reference = courses[0]
        with reference.form.serve(self.model, reference.path, self._settings()) as endpoint:
            cut = {one.form.id: [token_ids(endpoint, text) for text in one.answers] for one in courses}
        return [
            Measured(
                one.form,
                one.version,
                _size(one.path),
                one.peak,
                *(_figure(one.readings, reference.readings, at) for at in range(3)),
                one.prompt_tokens == reference.prompt_tokens,
                agreement(cut[reference.form.id], cut[one.form.id]),
            )
            for one in courses
        ]

    def _visit(self, course: _Course, number: int) -> None:
        label = f"{course.form.id}, round {number + 1} of {self.rounds}"
        total, done = (0 if course.answers else len(self.questions)) + 3, 0
        self.progress(label, done, total)
        for file in _files(course.path):
            into_cache(file)
        started = time.perf_counter()
        with course.form.serve(self.model, course.path, self._settings()) as endpoint:
            load = time.perf_counter() - started
            course.version = endpoint.engine_version
            endpoint.chat("Hello", max_tokens=4)  # warms up
            self.progress(label, 1, total)
            course.readings.append((load, *_speeds(endpoint, number)))
            self.progress(label, 2, total)
            if not course.answers:
                self._ask(course, endpoint, lambda done: self.progress(label, 2 + done, total))
            course.peak = max(course.peak, peak_bytes(endpoint.process))
        self.progress(label, total, total)

    def _ask(self, course: _Course, endpoint: Endpoint, tell: Callable[[int], None]) -> None:
        found, counted = [], 0
        for done, question in enumerate(self.questions, 1):
            reply = endpoint.chat(question, max_tokens=self.answer_tokens)
            found.append(reply.text.strip().rstrip("\ufffd"))  # half a character at the cut is no difference
            counted += reply.prompt_tokens
            tell(done)
        course.answers, course.prompt_tokens = found, counted

    def _noted(self, one: Form, work: Callable):
        try:
            return work()
        except LabkitError as error:
            if one == forms()[0]:
                raise
            self.missing[one.id] = Missing(one, error.what, error.why, error.fix)
            return None

    def _settings(self) -> Settings:
        return Settings(CONTEXT, 1, self.threads, START_S)


def _speeds(endpoint: Endpoint, number: int) -> tuple[float, float]:
    """Read a stretch of text that was not read before, and write on; return tokens a second for both."""
    text = evaluation_text().read_text(encoding="utf-8")[number * STRETCH : (number + 1) * STRETCH]
    with endpoint.stream(f"{text}\n\nGo on with this story.", max_tokens=WRITTEN) as answer:
        collections.deque(answer, maxlen=0)
    reply = answer.reply
    read = reply.prompt_tokens / reply.first_token_seconds if reply.first_token_seconds else math.nan
    return read, reply.tokens_per_second if reply.completion_tokens >= FEWEST else math.nan


def _figure(readings: Sequence[tuple], reference: Sequence[tuple], at: int) -> Figure:
    pairs = [(own[at], its[at]) for own, its in zip(readings, reference, strict=True)]
    return Figure(_spread([own for own, _ in pairs]), _spread([own / its for own, its in pairs]))


def _spread(values: list[float]) -> Spread:
    known = [one for one in values if math.isfinite(one)]
    return Spread.of(known) if known else Spread(math.nan, math.nan)


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [part for part in path.rglob("*") if part.is_file()]


def _size(path: Path) -> int:
    return sum(part.stat().st_size for part in _files(path))


def _without_nan(value):
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
