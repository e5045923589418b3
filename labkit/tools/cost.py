"""What the tool layer costs beside the model: its own milliseconds, on the development items, with the model's part played at once.

    measure()["median_ms"]

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import statistics
import time

from labkit.tools.decide import Ask, decide
from labkit.tools.items import Item, items

__all__ = ["measure"]


def measure(rounds: int = 3) -> dict:
    """Return milliseconds a decision (median, 90 %) and a tool looked at, and the share of decisions that ask the model."""
    chosen = items("dev")
    for item in chosen:  # word vectors and patterns are read once; that is start-up, not cost
        _decision(item)
    times, asked, tools = [], 0, 0
    for _ in range(rounds):
        for item in chosen:
            started = time.perf_counter()
            asked += bool(_decision(item))
            times.append(1000 * (time.perf_counter() - started))
            tools += len(item.tools)
    times.sort()
    return {
        "decisions": len(times),
        "median_ms": statistics.median(times),
        "p90_ms": times[int(0.9 * (len(times) - 1))],
        "per_tool_ms": sum(times) / tools,
        "asked": asked / len(times),
    }


def _decision(item: Item) -> int:
    """Decide with a stand-in that takes the first value offered; return how often it was asked."""
    steps, said, asks = decide(list(item.messages), item.tools), None, 0
    while True:
        try:
            ask: Ask = steps.send(said)
        except StopIteration:
            return asks
        asks += 1
        said = json.dumps({name: one.get("enum", ["x"])[0] for name, one in ask.schema["properties"].items()})
