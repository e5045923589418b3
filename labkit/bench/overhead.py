"""What labkit costs: its client beside the plain openai client, its engine process beside xllamacpp driven directly.

Both sides run alternately in one run, on the same server and the same requests; only their difference or ratio is reported.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.bench.monitoring import monitoring_cost
from labkit.bench.stats import median_interval
from labkit.bench.stub import stub
from labkit.progress import Progress, silent

DIRECT = Path(__file__).with_name("direct.py")
CONTEXT, MAX_TOKENS = 512, 32


@dataclass(frozen=True)
class ClientCost:
    """Milliseconds a call (medians over `calls`): labkit, openai, and the median of the paired differences."""

    calls: int
    labkit_ms: float
    openai_ms: float
    difference_ms: float
    difference_low_ms: float
    difference_high_ms: float


@dataclass(frozen=True)
class Throughput:
    """Completion tokens a second at one concurrency: labkit's endpoint, xllamacpp directly, and their ratio with its range."""

    concurrency: int
    rounds: int
    labkit_tokens_per_second: float
    direct_tokens_per_second: float
    ratio: float
    ratio_low: float
    ratio_high: float


def measure(calls: int = 400, rounds: int = 5, progress: Progress | None = None) -> dict:
    """Return {"client": …, "monitoring": …, "throughput": […]} as JSON-ready dicts.

    About three minutes and a half; the machine should be idle.
    """
    tell = progress or silent
    client = client_cost(calls, tell)
    watching = asdict(monitoring_cost(calls, tell))
    return {
        "client": asdict(client),
        "monitoring": watching,
        "throughput": [asdict(row) for row in throughput(rounds, tell)],
    }


def client_cost(calls: int, tell: Progress) -> ClientCost:
    """Time `calls` pairs of calls to one stub server: labkit's `chat`, then openai's `create`, in alternating order."""
    with stub() as endpoint:
        return _compare_clients(endpoint, calls, tell)


def _compare_clients(endpoint, calls: int, tell: Progress) -> ClientCost:
    create = endpoint.client().chat.completions.create
    message = [{"role": "user", "content": "What is the capital of France?"}]
    sides = {
        "labkit": lambda: endpoint.chat(message),
        "openai": lambda: create(model="stub", messages=message, temperature=0, max_tokens=256),
    }
    times = {name: [] for name in sides}
    for call in range(-20, calls):  # the first 20 pairs are warm-up
        for name in sorted(sides, reverse=call % 2):
            started = time.perf_counter()
            sides[name]()
            if call >= 0:
                times[name].append(1000 * (time.perf_counter() - started))
        if call % 50 == 0:
            tell("client calls", max(call, 0), calls)
    differences = [a - b for a, b in zip(times["labkit"], times["openai"], strict=True)]
    low, high = median_interval(differences)
    return ClientCost(
        calls,
        statistics.median(times["labkit"]),
        statistics.median(times["openai"]),
        statistics.median(differences),
        low,
        high,
    )


def throughput(rounds: int, tell: Progress, levels: tuple[int, ...] = (1, 4, 16)) -> Iterator[Throughput]:
    """Run each concurrency level `rounds` times on each side, alternating, and yield one row a level."""
    import labkit
    from labkit import catalog, weights

    model = catalog.default_model()
    job = {"model": str(weights.ensure(model)), "context": CONTEXT, "threads": 1}
    for level in levels:
        requests = [_request(i) for i in range(max(6, 3 * level))]  # long enough for starting and ending not to count
        pairs = []
        for number in range(rounds):
            with labkit.connect("llamacpp", model.alias, context=CONTEXT, parallel=level, threads=1) as endpoint:
                ours = _through_endpoint(endpoint, requests, level)
            direct = _directly({**job, "parallel": level, "requests": requests, "concurrency": level})
            pairs.append((ours, direct))
            tell(f"throughput at {level}", number + 1, rounds)
        ratios = [ours / direct for ours, direct in pairs]
        ours, direct = (statistics.median(side) for side in zip(*pairs, strict=True))
        yield Throughput(level, rounds, ours, direct, statistics.median(ratios), min(ratios), max(ratios))


def _request(number: int) -> dict:
    # ignore_eos makes every answer equally long; a fresh prompt each time keeps the prompt cache out of it.
    text = f"Write a short story about traveller number {number}."
    return {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": MAX_TOKENS,
        "temperature": 0,
        "ignore_eos": True,
        "cache_prompt": False,
    }


def _through_endpoint(endpoint, requests: list[dict], concurrency: int) -> float:
    extra = {"ignore_eos": True, "cache_prompt": False}

    def ask(request: dict) -> int:
        return endpoint.chat(request["messages"], max_tokens=MAX_TOKENS, extra_body=extra).completion_tokens

    ask(requests[0])  # warm-up
    with ThreadPoolExecutor(concurrency) as pool:
        started = time.perf_counter()
        tokens = sum(pool.map(ask, requests))
        return tokens / (time.perf_counter() - started)


def _directly(job: dict) -> float:
    from labkit.backends.process import ServerProcess

    runner = ServerProcess(
        [sys.executable, "-I", DIRECT],
        label="direct threads=1",
        ready=lambda s: s.find(r"DIRECT RESULT (.+)"),
        env={"LABKIT_DIRECT": json.dumps(job)},
    )
    try:
        result = json.loads(runner.start(300))
    finally:
        runner.stop()
    return result["tokens"] / result["seconds"]
