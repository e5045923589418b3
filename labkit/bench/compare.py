"""Several engines in one run: the same prompts, one engine alive at a time, their rounds interleaved.

    found = compare(["llamacpp", "ollama"], Plan(levels=(1, 4)))
    found.engines[1].levels[0].ttft_ms.p50
    found.ratios                                 # each engine to the first, at each level

A machine gets warm, or busy with something else, for a while. Rounds of the engines take turns, so that such a while meets all of
them, and ratios are formed round by round. An engine that takes long to start has all its rounds at one start.

Taught in notebook 08, section "Alone and in company".
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from labkit.bench.results import Engine, summary, without_nan
from labkit.bench.serving import Plan, ignore_eos, one_round
from labkit.bench.stats import Range, over_rounds
from labkit.errors import EngineError, LabkitError, UnknownModel
from labkit.footprint import footprint, other_load
from labkit.progress import Progress, silent

__all__ = ["Comparison", "Ratio", "compare", "ratios"]

SLOW_START = 15.0  # seconds; an engine that takes longer is not started anew for each round
PAIRED = ("ttft_ms", "tpot_ms", "output_tokens_per_second")


@dataclass(frozen=True)
class Ratio:
    """One figure of `backend`, divided by that of `to`: the median of the rounds' ratios, with their range."""

    backend: str
    to: str
    concurrency: int
    figure: str
    ratio: Range


@dataclass(frozen=True)
class Comparison:
    """What one run found. failed: engine -> why it could not be measured, or not to the end.

    other_load: the share of all cores (0 to 1) that was busy before the first engine started, and so with something else.
    """

    plan: Plan
    other_load: float
    engines: tuple[Engine, ...]
    ratios: tuple[Ratio, ...]
    failed: dict[str, str]

    def to_dict(self) -> dict:
        """Return a JSON-ready dict; what could not be measured is None."""
        return without_nan(asdict(self))


@dataclass
class _Course:
    """One engine on its way through the rounds."""

    name: str
    rounds: list = field(default_factory=list)
    starts: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    eos: str = ""
    endpoint: object = None  # the last one, closed: its names and versions

    def summary(self, model: str, threads: int) -> Engine:
        found = summary(self.endpoint, self.rounds, self.eos, self.memory, self.starts, threads)
        return replace(found, weights=_weights(self.endpoint.backend, model))


def compare(
    backends: Sequence[str],
    plan: Plan | None = None,
    *,
    model: str = "auto",
    threads: int | None = None,
    start_timeout: float = 400,
    progress: Progress | None = None,
) -> Comparison:
    """Measure `backends` (names for labkit.connect) beside each other. An engine that does not come up, or ends, is in `failed`.

    threads: of each engine; the default leaves one core to the callers. start_timeout: seconds.
    progress(label, done, total) is called often. Raises LabkitError if no engine could be measured.
    """
    from labkit import hardware

    plan, tell = plan or Plan(), progress or silent
    threads, load = threads or hardware.bounded_threads(), other_load()
    options = {"model": model, "context": plan.context, "parallel": max(plan.levels), "threads": threads}
    courses, failed = [_Course(name) for name in backends], {}
    for number in range(plan.rounds):
        for course in courses if number % 2 == 0 else courses[::-1]:
            if course.name not in failed:
                _go_on(course, plan, {**options, "start_timeout": start_timeout}, failed, tell)
    done = [course for course in courses if course.rounds]
    if not done:
        raise EngineError("No engine could be measured.", "; ".join(failed.values()), "labkit doctor")
    engines = tuple(one.summary(model, threads) for one in done)
    return Comparison(plan, load, engines, tuple(ratios(engines)), failed)


def _go_on(course: _Course, plan: Plan, options: dict, failed: dict[str, str], tell: Progress) -> None:
    """Start the engine and run its next round, or all that are left if it starts slowly."""
    import labkit

    numbers = range(len(course.rounds) // len(plan.levels), plan.rounds)
    tell(f"{course.name}: starting", 0, 1)
    started = time.perf_counter()
    try:
        with labkit.connect(course.name, **options) as endpoint:
            course.starts.append(time.perf_counter() - started)
            course.memory.append(footprint(endpoint))
            course.endpoint, course.eos = endpoint, course.eos or ignore_eos(endpoint)
            for number in numbers if course.starts[-1] > SLOW_START else numbers[:1]:
                _rounds(course, plan, number, tell)
    except LabkitError as error:
        failed[course.name] = f"{course.name}: {error.what} {error.why}".strip()


def _rounds(course: _Course, plan: Plan, number: int, tell: Progress) -> None:
    for level in plan.levels:
        course.rounds.append(one_round(course.endpoint, plan, level, number, course.eos, tell))
        course.memory.append(footprint(course.endpoint))


def ratios(engines: Sequence[Engine]) -> list[Ratio]:
    """Return every engine's figures at every level, divided round by round by those of the first engine."""
    first, *others = engines
    found = []
    for other in others:
        for base, level in zip(first.levels, other.levels, strict=True):
            for figure in PAIRED:
                pairs = zip(base.by_round, level.by_round, strict=False)  # one of them may have ended early
                shares = [_divided(theirs[figure], ours[figure]) for ours, theirs in pairs]
                found.append(Ratio(other.backend, first.backend, level.concurrency, figure, over_rounds(shares)))
    return found


def _weights(backend: str, model: str) -> str:
    """Return the format of the weights that `backend` reads: the same model, but not always the same numbers."""
    from labkit import catalog

    try:
        return catalog.chosen(model).source(backend).format
    except UnknownModel:  # a server of the user's, with a model of his own
        return ""


def _divided(value: float, by: float) -> float:
    return value / by if by else math.nan
