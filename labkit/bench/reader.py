"""How late our clock readings come, and what reading costs: the load's own reader beside the openai client.

Both read the same number of streams from a stub that says when it sent each piece. What comes late here would be taken for
slowness of an engine; processor time spent here is missing to an engine on the same cores.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from labkit.bench.load import Target, run
from labkit.bench.stats import percentile
from labkit.bench.stub import stub
from labkit.progress import Progress, silent

__all__ = ["Reader", "readers"]

Late = list[float]


@dataclass(frozen=True)
class Reader:
    """One way of reading: milliseconds from the sending of a piece to its clock reading, and microseconds of CPU a piece.

    busy: the share of one core that reading took, 0 to 1. pieces: how many were read, by `streams` streams.
    """

    name: str
    streams: int
    pieces: int
    late_p50_ms: float
    late_p99_ms: float
    cpu_us: float
    busy: float


def readers(streams: int = 32, pieces: int = 60, tick: float = 0.06, progress: Progress | None = None) -> list[Reader]:
    """Read `streams` streams of `pieces` pieces, one every `tick` seconds, in both ways. About ten seconds."""
    tell = progress or silent
    found = []
    with stub() as endpoint:
        for number, (name, read) in enumerate((("labkit", _ours), ("openai", _openai))):
            tell(f"reading with {name}", number, 2)
            read(endpoint, 1, 3, tick)  # warm-up: imports, connections
            found.append(_timed(name, streams, lambda read=read: read(endpoint, streams, pieces, tick)))
    return found


def _timed(name: str, streams: int, read: Callable[[], Late]) -> Reader:
    cpu, wall = time.process_time(), time.perf_counter()
    late = read()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    middle, tail = (1000 * percentile(late, percent) for percent in (50, 99))
    return Reader(name, streams, len(late), middle, tail, 1e6 * cpu / len(late), cpu / wall)


def _ours(endpoint, streams: int, pieces: int, tick: float) -> Late:
    answers = run(Target.of(endpoint), ["x"] * streams, streams, pieces, {"tick": tick})
    pairs = [pair for one in answers for pair in zip(one.arrivals, one.timings["sent"], strict=True)]
    return [came - sent for came, sent in pairs]


def _openai(endpoint, streams: int, pieces: int, tick: float) -> Late:
    async def one(create) -> Late:
        request = {"model": "stub", "messages": [{"role": "user", "content": "x"}], "max_tokens": pieces}
        came, sent = [], []
        async for chunk in await create(**request, stream=True, extra_body={"tick": tick}):
            now = time.perf_counter()
            if chunk.choices and chunk.choices[0].delta.content:
                came.append(now)
            sent = (chunk.model_extra or {}).get("timings", {}).get("sent", sent)
        return [after - before for after, before in zip(came, sent, strict=True)]

    async def all_of_them() -> Late:
        async with endpoint.async_client() as client:
            lists = await asyncio.gather(*[one(client.chat.completions.create) for _ in range(streams)])
        return [late for each in lists for late in each]

    with ThreadPoolExecutor(1) as pool:  # a notebook has a running loop in this thread
        return pool.submit(asyncio.run, all_of_them()).result()
