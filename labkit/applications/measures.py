"""The module's five measures of an agent, on this machine, each with n and a 95 % interval.

    scored = load(kit, requests=26, callers=2)             # while a Monitor takes samples
    print(table([completion(scored), response(scored), resources(monitor.samples), cost(kit, scored), reliability(broken)]))

A share has Wilson's interval; a median that of its order statistics, which assumes no distribution; a ratio of sums one by
bootstrap.

Taught in notebook 13, section "Five measures".
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

from labkit import costs, hardware
from labkit.agents.tokens import TokenCounter
from labkit.applications.agent import Answered, Kit
from labkit.bench.stats import median_interval
from labkit.errors import ConfigError
from labkit.intervals import Rate
from labkit.progress import Progress, silent
from labkit.tools.items import Item
from labkit.tools.prompt import call_messages

__all__ = [
    "FIVE",
    "Measure",
    "Scored",
    "completion",
    "cost",
    "load",
    "reliability",
    "resources",
    "response",
    "strangers",
    "table",
]

FIVE = ("completion", "response time", "memory", "cost", "reliability")
ROUNDS = 2000


@dataclass(frozen=True)
class Measure:
    """One figure: `value` in `unit`, the 95 % interval from `low` to `high`, over `n` observations. note: what else is known."""

    name: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name:14}{self.value:9.3g} {self.unit:24}({self.low:.3g} to {self.high:.3g}, n = {self.n})  {self.note}"


@dataclass(frozen=True)
class Scored:
    """A request, what came of it, and whether that is right."""

    item: Item
    answered: Answered

    @property
    def right(self) -> bool:
        """Whether the agent did what the item wants."""
        return self.answered.right(self.item)


def load(kit: Kit, requests: int = 0, callers: int = 2, progress: Progress = silent) -> list[Scored]:
    """Ask the kit's items, in turn and as often as `requests` says (0: once each), by so many callers at once.

    Raises ConfigError if there is nothing to ask or nobody to ask it.
    """
    items = list(itertools.islice(itertools.cycle(kit.items), requests or len(kit.items)))
    if not items or callers < 1:
        raise ConfigError("There is no load.", f"{len(items)} requests by {callers} callers", "labkit run 13")
    found = []
    with ThreadPoolExecutor(callers, "labkit caller") as pool:
        for one in pool.map(lambda item: Scored(item, kit.ask(item.text)), items):
            found.append(one)
            progress("Asking", len(found), len(items))
    return found


def completion(scored: Sequence[Scored]) -> Measure:
    """Return the share of requests that were completed, in percent, with nothing from outside this machine."""
    rate = Rate(sum(one.right for one in scored), len(scored))
    return _share(
        FIVE[0], rate, "% completed offline", f"{sum(one.answered.by == 'model' for one in scored)} asked the model"
    )


def response(scored: Sequence[Scored]) -> Measure:
    """Return the median response time, in seconds; the note has the share of requests under one second."""
    took = [one.answered.seconds for one in scored]
    under = Rate(sum(one < 1 for one in took), len(took))
    return _median(FIVE[1], took, "s (median)", f"under a second: {under}; slowest {max(took):.2f} s")


def resources(samples: Iterable[Any]) -> Measure:
    """Return the engine's memory, in GB, from a Monitor's samples; the note has its processor share. Raises ConfigError."""
    values = [one.values for one in samples]
    memory = [one["process_memory_gb"] for one in values if one.get("process_memory_gb")]
    if not memory:
        raise ConfigError("No sample shows the engine's memory.", "nobody watched while it worked", "labkit run 13")
    busy = [one["process_cpu_percent"] for one in values if one.get("process_cpu_percent") is not None]
    share = f"processor {median(busy):.0f} % of one core (median)" if busy else "processor unknown"
    return _median(FIVE[2], memory, "GB of memory (median)", f"{share}; {_battery()}")


def cost(kit: Kit, scored: Sequence[Scored], cloud: str = "small") -> Measure:
    """Return what all requests together cost here, as a multiple of a hosted model's price (below 1: cheaper here).

    Here: the whole machine, with its energy, for the seconds that it took. There: a prompt with all tools and the request, and one
    call, in tokens of this engine's model, at the row `cloud` of the prices. Raises ConfigError for an unknown row, and what the
    engine raises.
    """
    here, counter, pairs = costs.prices(), TokenCounter(kit.endpoint), []
    tools = counter.estimate(call_messages(kit.tools, "."))
    for one in scored:
        prompt = tools + counter.estimate([{"role": "user", "content": one.item.text}])
        wrote = counter.estimate([{"role": "assistant", "content": str(one.answered.call or "none")}])
        pairs.append((here.local(one.answered.seconds), here.hosted(cloud, prompt, wrote)))
    (value, low, high), name = _of_sums(pairs), here.cloud[cloud]["name"]
    note = f"against {name}, prices of {here.dated}"
    return Measure(FIVE[3], value, low, high, len(pairs), "times the cloud's price", note)


def reliability(outage: Any) -> Measure:
    """Return the share of requests that were answered although the engine was killed before them, in percent.

    Taught in notebook 13, section "An outage".
    """
    note = f"{outage.without_engine} of them with no engine at all; back after {outage.seconds:.1f} s"
    return _share(FIVE[4], Rate(len(outage.scored) - outage.lost, len(outage.scored)), "% answered in an outage", note)


def strangers(pids: Iterable[int]) -> list[str]:
    """Return the addresses outside this machine that these processes are connected to: for an offline agent, none.

    Raises ConfigError where the system does not show the connections.
    Taught in notebook 13, section "At the edge".
    """
    import psutil

    try:
        open_ones = [one for pid in pids for one in psutil.Process(pid).net_connections("inet") if one.raddr]
    except psutil.Error as error:
        raise ConfigError("The connections cannot be seen.", str(error), "labkit doctor") from error
    return sorted({f"{one.raddr.ip}:{one.raddr.port}" for one in open_ones if not _loopback(one.raddr.ip)})


def table(measures: Iterable[Measure]) -> str:
    """Return the measures as text, one line each, with the machine that they were taken on."""
    return "\n".join([hardware.machine().summary, *map(str, measures)])


def _loopback(address: str) -> bool:
    return address.removeprefix("::ffff:").startswith("127.") or address == "::1"


def _battery() -> str:
    import psutil

    sensors = getattr(psutil, "sensors_battery", lambda: None)()
    return f"battery at {sensors.percent:.0f} %" if sensors else "no battery here"


def _share(name: str, rate: Rate, unit: str, note: str) -> Measure:
    return Measure(name, 100 * rate.share, 100 * rate.low, 100 * rate.high, rate.of, unit, note)


def _median(name: str, values: Sequence[float], unit: str, note: str) -> Measure:
    low, high = median_interval(values)
    return Measure(name, median(values), low, high, len(values), unit, note)


def _of_sums(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float]:
    """Return the ratio of two sums over requests, and its 95 % interval over samples of the requests (with a fixed seed)."""
    dice, ratio = random.Random(13), lambda these: sum(one for one, _ in these) / sum(other for _, other in these)
    drawn = sorted(ratio(dice.choices(pairs, k=len(pairs))) for _ in range(ROUNDS))
    return ratio(pairs), drawn[int(0.025 * ROUNDS)], drawn[int(0.975 * ROUNDS)]
