"""What a benchmark of serving gives: rounds as they were measured, and the figures of an engine that sum them up.

The definitions stand in labkit/bench/serving.py.

Taught in notebook 07, section "Batching", and in notebook 12, sections "More servers" and "The edge".
"""

from __future__ import annotations

import collections
import datetime
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from labkit.bench.load import Answer
from labkit.bench.stats import Range, Spread, over_rounds, spread
from labkit.footprint import Footprint

__all__ = ["TIMES", "Engine", "Level", "Round", "summary", "without_nan"]

TIMES = ("ttft", "tpot", "itl", "latency")


@dataclass(frozen=True)
class Round:
    """One round at one level: what was measured in it, before anything is summed up."""

    level: int
    answers: tuple[Answer, ...]

    @property
    def complete(self) -> list[Answer]:
        """The answers without an error."""
        return [one for one in self.answers if not one.error]

    @property
    def seconds(self) -> float:
        """From the first sending to the last end of what was complete; nan if nothing was."""
        done = self.complete
        return max(one.ended for one in done) - min(one.sent for one in done) if done else math.nan

    @property
    def output_tokens_per_second(self) -> float:
        """Output tokens of all complete answers a second."""
        return sum(one.output_tokens for one in self.complete) / self.seconds

    @property
    def requests_per_second(self) -> float:
        """Complete answers a second."""
        return len(self.complete) / self.seconds

    def times(self, name: str) -> list[float]:
        """Return all values of "ttft", "tpot", "itl" or "latency", in milliseconds."""
        if name == "itl":
            return [1000 * gap for one in self.complete for gap in one.gaps]
        values = [getattr(one, name) for one in self.complete]
        return [1000 * value for value in values if value is not None]


@dataclass(frozen=True)
class Level:
    """One engine at one level: times in milliseconds over all rounds, throughput as the range over the rounds.

    requests counts all that were sent; errors says how many failed, by what went wrong. prompt_tokens and output_tokens: least
    and most of a request. by_round: the medians and the throughput of each round, to pair with that of another engine.
    """

    concurrency: int
    rounds: int
    requests: int
    completed: int
    errors: dict[str, int]
    prompt_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    ttft_ms: Spread
    tpot_ms: Spread
    itl_ms: Spread
    latency_ms: Spread
    requests_per_second: Range
    output_tokens_per_second: Range
    by_round: tuple[dict[str, float], ...]


@dataclass(frozen=True)
class Engine:
    """One engine's result. ignore_eos: "honoured" (every answer has the length that was asked for), "ignored" or "refused".

    start_seconds: over its starts, None if it already ran. memory_started, memory_most: before the first question, and the
    most that was seen between levels. threads: of the engine, if they are known. weights: the format that it reads, such as
    "gguf-f16". replayed: "" for a live engine, else the label of the recording.
    """

    backend: str
    engine_version: str
    model: str
    date: str
    machine: str
    ignore_eos: str
    levels: tuple[Level, ...]
    start_seconds: Range | None = None
    memory_started: Footprint | None = None
    memory_most: Footprint | None = None
    threads: int | None = None
    weights: str = ""
    replayed: str = ""

    def to_dict(self) -> dict:
        """Return a JSON-ready dict; what could not be measured is None."""
        return without_nan(asdict(self))

    @classmethod
    def from_dict(cls, stored: dict) -> Engine:
        """Return the Engine that `to_dict` gave away."""
        parts = {
            "levels": tuple(_level(one) for one in stored["levels"]),
            "start_seconds": stored["start_seconds"] and Range(**stored["start_seconds"]),
            "memory_started": stored["memory_started"] and Footprint(**stored["memory_started"]),
            "memory_most": stored["memory_most"] and Footprint(**stored["memory_most"]),
        }
        return cls(**{**stored, **parts})


def summary(
    endpoint,
    rounds: Sequence[Round],
    eos: str,
    memory: Sequence[Footprint | None],
    starts: Sequence[float] = (),
    threads: int | None = None,
) -> Engine:
    """Sum up the `rounds` of one engine. memory: first as it started, then as it went on. starts: seconds of each start."""
    from labkit import hardware

    known = [one for one in memory if one]
    return Engine(
        backend=endpoint.backend,
        engine_version=endpoint.engine_version,
        model=endpoint.model,
        date=datetime.date.today().isoformat(),
        machine=hardware.machine().summary,
        ignore_eos=eos,
        levels=tuple(_sum_up([one for one in rounds if one.level == level]) for level in _levels(rounds)),
        start_seconds=over_rounds(starts) if starts else None,
        memory_started=memory[0] if memory else None,
        memory_most=max(known, key=lambda one: one.bytes) if known else None,
        threads=threads,
        replayed=getattr(endpoint, "replayed", ""),
    )


def _levels(rounds: Sequence[Round]) -> list[int]:
    return sorted({one.level for one in rounds})


def _sum_up(rounds: Sequence[Round]) -> Level:
    answers = [answer for one in rounds for answer in one.answers]
    complete = [answer for answer in answers if not answer.error]
    times = {name: spread([value for one in rounds for value in one.times(name)]) for name in TIMES}
    return Level(
        concurrency=rounds[0].level,
        rounds=len(rounds),
        requests=len(answers),
        completed=len(complete),
        errors=dict(collections.Counter(answer.error for answer in answers if answer.error)),
        prompt_tokens=_least_and_most([answer.prompt_tokens for answer in complete]),
        output_tokens=_least_and_most([answer.output_tokens for answer in complete]),
        **{f"{name}_ms": times[name] for name in TIMES},
        requests_per_second=over_rounds([one.requests_per_second for one in rounds]),
        output_tokens_per_second=over_rounds([one.output_tokens_per_second for one in rounds]),
        by_round=tuple(_medians(one) for one in rounds),
    )


def _medians(one: Round) -> dict[str, float]:
    times = {f"{name}_ms": spread(one.times(name)).p50 for name in TIMES}
    rates = {"output_tokens_per_second": one.output_tokens_per_second, "requests_per_second": one.requests_per_second}
    return {**times, **rates, "completed": len(one.complete)}


def _least_and_most(counts: Sequence[int]) -> tuple[int, int]:
    return (min(counts), max(counts)) if counts else (0, 0)


def _level(stored: dict) -> Level:
    spreads = {name: Spread(**_with_nan(stored[name])) for name in (f"{one}_ms" for one in TIMES)}
    ranges = {name: Range(**_with_nan(stored[name])) for name in ("requests_per_second", "output_tokens_per_second")}
    return Level(**{**stored, **spreads, **ranges})


def without_nan(value):
    """Return `value` for JSON, which has no nan: None in its place, in dicts and lists too."""
    if isinstance(value, dict):
        return {name: without_nan(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _with_nan(stored: dict) -> dict:
    return {name: math.nan if value is None else value for name, value in stored.items()}
