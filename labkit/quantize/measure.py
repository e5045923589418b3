"""What one GGUF file costs to run: time to load, memory at its peak, tokens a second for reading and for writing.

It is served by llama.cpp's own server, and speeds are the server's own timings. Compare rungs of one run only: another program
that runs meanwhile takes its share.

At work in notebook 03, section "The ladder".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from labkit.backends import llamacpp
from labkit.backends.settings import Settings
from labkit.quantize import task

__all__ = ["Run", "Spread", "into_cache", "measure", "peak_bytes"]

PROMPT_CHARACTERS, ANSWER_TOKENS = 1600, 32  # about 400 tokens in
CONTEXT = 1024


@dataclass(frozen=True)
class Spread:
    """The median of a few rounds, and half the distance between the extremes."""

    value: float
    error: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Return the spread of the rounds' values."""
        return cls(median(values), (max(values) - min(values)) / 2)


@dataclass(frozen=True)
class Run:
    """One file, served. load_seconds: launch to ready, file in the disk cache. peak_bytes: of the server's process.

    prompt_speed, decode_speed: tokens a second. task: see task.py.
    """

    load_seconds: float
    peak_bytes: int
    prompt_speed: Spread
    decode_speed: Spread
    task: task.TaskScore

    def to_dict(self) -> dict:
        """Return plain values for JSON."""
        return {**asdict(self), "task": self.task.to_dict()}


def measure(
    path: Path,
    name: str,
    text: str,
    *,
    threads: int,
    rounds: int = 3,
    every: int = 1,
    on_call: Callable = lambda done, total: None,
) -> Run:
    """Serve the GGUF `path` under `name`, read `rounds` stretches of `text`, do the task, and return the Run.

    every: 2 asks every second call of the task, and so on. Raises BadModelFile, EngineStartError, EngineDied.
    """
    into_cache(path)  # so that loading is compared, and not the disk
    started = time.perf_counter()
    endpoint = llamacpp.serve(path, name, Settings(CONTEXT, 1, threads, 300))
    load = time.perf_counter() - started
    with endpoint:
        readings = [_timings(endpoint, text, at) for at in range(rounds + 1)][1:]  # the first one warms up
        done = task.score(endpoint, on_call, every)
        peak = peak_bytes(endpoint.process)
    prompt, decode = zip(*readings, strict=True)
    return Run(load, peak, Spread.of(list(prompt)), Spread.of(list(decode)), done)


def peak_bytes(process) -> int:
    """Return the most memory that a ServerProcess's children have taken so far, in bytes; on macOS, what they take now."""

    return sum(_peak(one) for one in process.family())


def _peak(process) -> int:
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        memory = process.memory_info()
        return getattr(memory, "peak_wset", memory.rss)


def into_cache(path: Path) -> None:
    """Read a file once, so that what is timed afterwards is not the disk."""
    with open(path, "rb") as file:
        while file.read(1 << 24):
            pass


def _timings(endpoint, text: str, at: int) -> tuple[float, float]:
    """Read a stretch of text that was not read before, write on; return the server's tokens a second for both."""
    stretch = text[at * PROMPT_CHARACTERS : (at + 1) * PROMPT_CHARACTERS]
    more = {"cache_prompt": False, "ignore_eos": True}
    reply = endpoint.client().chat.completions.create(
        model=endpoint.model,
        messages=[{"role": "user", "content": stretch}],
        max_tokens=ANSWER_TOKENS,
        temperature=0,
        extra_body=more,
    )
    timings = reply.model_extra["timings"]
    return timings["prompt_per_second"], timings["predicted_per_second"]
