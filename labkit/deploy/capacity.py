"""How many devices, how long the line, what it costs: a plan on paper, from figures that were measured.

    speed = Speed.of(report.levels[1])                            # of labkit bench: what one device does with 4 at once
    found = capacity(Assumptions(speed, requests_per_day=1e6))
    found.results["devices"], found.results["wait_s"].high

Every quantity is a Span: low, middle, high. Results are worked out for every corner of the assumptions, and their Span is what
comes out least and most: all that can come out, where a result goes one way in each assumption. Formulas with their sources stand
in data/capacity.toml; prices are those of labkit.costs. A device is a queue of its own: balancing the load over peers makes waits
shorter than this says.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

import itertools
import math
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from labkit.costs import Prices, break_even_tasks, prices
from labkit.deploy.span import FIX, Span
from labkit.errors import ConfigError
from labkit.paths import read_table

__all__ = ["Assumptions", "Capacity", "Span", "Speed", "capacity", "erlang_c", "table", "variation"]

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Speed:
    """What one device does with `concurrency` requests at once, all of them together: tokens read and written a second."""

    concurrency: int
    prompt_tokens_per_s: Span
    tokens_per_s: Span

    @classmethod
    def of(cls, level: Any) -> Speed:
        """Return the speed that a level of labkit bench has (labkit.bench.results.Level): from TTFT and TPOT, with 95 % intervals.

        Raises ConfigError for a level at which nothing was measured.
        """
        if not level.completed or math.isnan(level.tpot_ms.p50):
            raise ConfigError("Nothing was measured at this level.", f"errors: {level.errors}", "labkit bench --json")
        at_once, read = 1000 * level.concurrency, statistics.fmean(level.prompt_tokens)
        return cls(level.concurrency, _rate(at_once * read, level.ttft_ms), _rate(at_once, level.tpot_ms))


def _rate(amount: float, took: Any) -> Span:
    """An amount divided by a median time with its interval (labkit.bench.stats.Spread)."""
    return Span(amount / took.p50_high, amount / took.p50, amount / took.p50_low)


@cache
def table() -> dict[str, dict[str, dict[str, Any]]]:
    """Return data/capacity.toml: "assume" and "result", each name -> unit, says, and the rest."""
    return read_table("capacity.toml")


@dataclass(frozen=True)
class Assumptions:
    """What the plan stands on. Units, sources and values (in place of None) are in data/capacity.toml.

    A number, a pair or "LOW:MIDDLE:HIGH" will do for a Span; they are Spans once this is made.

    devices: how many there are; None works out how many it takes. target: the utilisation to stay at, 0 to 1. peers: devices
    that step in for one. cloud: a row of the price table. variation: of the service times (`variation`), 1 for M/M/c.
    Raises ConfigError for what is out of range.
    """

    speed: Speed
    requests_per_day: Span | None = None
    peak_factor: Span | None = None
    tokens_in: Span | None = None
    tokens_out: Span | None = None
    local_share: Span | None = None
    availability: Span | None = None
    uplink: Span | None = None
    power_share: Span | None = None
    cloud_price: Span | None = None
    devices: int | None = None
    target: float = 0.7
    peers: int = 1
    cloud: str = "large"
    variation: float = 1.0

    def __post_init__(self):
        for name, row in table()["assume"].items():
            given = getattr(self, name)
            span = Span.of([row[end] for end in ("low", "middle", "high")] if given is None else given)
            object.__setattr__(self, name, span)
            if span.high > (1 if row["unit"] == "share" else sys.float_info.max):
                raise ConfigError(f"{name} = {span.high:g} is out of range.", "a share is 0 to 1", FIX)
        above_zero = ("requests_per_day", "peak_factor", "tokens_out", "availability")
        for name in above_zero:
            if not getattr(self, name).low > 0:
                raise ConfigError(f"{name} must be above 0.", "nothing can be divided by it otherwise", FIX)
        if not 0 < self.target < 1:
            raise ConfigError(f"No line can be kept at a utilisation of {self.target:g}.", ENDLESS, FIX)
        if (self.devices is not None and self.devices < 1) or self.peers < 0 or self.variation < 0:
            raise ConfigError("devices is at least 1, peers and variation at least 0.", "", FIX)

    def spans(self) -> dict[str, Span]:
        """Return every Span of the assumptions by name, the two speeds included."""
        own = {name: getattr(self, name) for name in table()["assume"]}
        return own | {name: getattr(self.speed, name) for name in ("prompt_tokens_per_s", "tokens_per_s")}


ENDLESS = "at a utilisation of 1 or more requests come faster than they are answered, and the line grows without end"


@dataclass(frozen=True)
class Capacity:
    """A plan: what was assumed, and `results` by name (data/capacity.toml says unit and formula of each)."""

    assumptions: Assumptions
    prices: Prices
    results: dict[str, Span]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON; what grows without end is None."""
        said = {"assumptions": asdict(self.assumptions), "currency": self.prices.currency}
        found = {
            name: {"unit": row["unit"], "formula": row["formula"], **_plain(self.results[name])}
            for name, row in table()["result"].items()
        }
        return {**said, "prices": self.prices.table(), "results": found}

    def text(self) -> str:
        """Return assumptions and results as two tables: low, middle, high, unit, and what each is."""
        rows = {**table()["assume"], "prompt_tokens_per_s": READS, "tokens_per_s": WRITES}
        lines = [f"{'assumed':20}{'low':>12}{'middle':>12}{'high':>12}"]
        lines += [_row(name, span, rows[name], "") for name, span in self.assumptions.spans().items()]
        lines += ["", f"{'worked out':20}{'low':>12}{'middle':>12}{'high':>12}"]
        lines += [_row(name, self.results[name], row, self.prices.currency) for name, row in table()["result"].items()]
        return "\n".join([*lines, "", self.prices.table()])


READS = {"unit": "tokens/s", "says": "a device reads, all requests at once together; measured"}
WRITES = {"unit": "tokens/s", "says": "a device writes, all requests at once together; measured"}


def capacity(assumptions: Assumptions, priced: Prices | None = None) -> Capacity:
    """Return the plan. priced: default `labkit.costs.prices()`.

    Raises ConfigError where the given devices have a utilisation of 1 or more at any corner of the assumptions: such a line never
    ends, and a plan that its own assumptions can break is none.
    """
    priced, spans = priced or prices(), assumptions.spans()
    ends = itertools.product(*({span.low, span.high} for span in spans.values()))
    corners = [dict(zip(spans, corner, strict=True)) for corner in ends]
    _refuse_endless(assumptions, max(_load(assumptions, at) for at in corners))
    found = [_one(assumptions, at, priced) for at in corners]
    middle = _one(assumptions, {name: span.middle for name, span in spans.items()}, priced)
    results = {}
    for name, value in middle.items():
        values = [value, *(one[name] for one in found)]
        results[name] = Span(min(values), value, max(values))
    return Capacity(assumptions, priced, results)


def erlang_c(places: int, offered: float) -> float:
    """Return the share of requests that wait in M/M/c. offered: load in Erlang; at `places` or above, ConfigError."""
    if not 0 <= offered < places:
        raise ConfigError(f"The utilisation would be {offered / places:.2f}.", ENDLESS, "add devices")
    blocked = 1.0
    for number in range(1, places + 1):  # Erlang B by its recursion: no factorials, so no overflow
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / places * (1 - blocked))


def variation(seconds: Sequence[float]) -> float:
    """Return the squared coefficient of variation of measured service times: 0 where all are alike, 1 as M/M/c assumes."""
    return statistics.pvariance(seconds) / statistics.fmean(seconds) ** 2


def _service(a: Assumptions, at: dict[str, float]) -> float:
    """Seconds of one request in a device whose places are all taken."""
    return a.speed.concurrency * (at["tokens_in"] / at["prompt_tokens_per_s"] + at["tokens_out"] / at["tokens_per_s"])


def _load(a: Assumptions, at: dict[str, float]) -> float:
    """How many devices would be busy all the time at the peak: with fewer, the line grows without end."""
    peak = at["requests_per_day"] / DAY * at["peak_factor"]
    return peak * _service(a, at) / (a.speed.concurrency * at["availability"])


def _one(a: Assumptions, at: dict[str, float], priced: Prices) -> dict[str, float]:
    """Every result at one point of the assumptions."""
    places, day, service = a.speed.concurrency, at["requests_per_day"], _service(a, at)
    devices = a.devices or max(1, math.ceil(_load(a, at) / a.target))
    offered = places * _load(a, at) / devices
    waiting, drain = erlang_c(places, offered), service / (places - offered)
    return {
        "peak_rate": day / DAY * at["peak_factor"], "service_s": service, "devices": devices,
        "utilisation": offered / places, "waiting_share": waiting, "wait_s": waiting * drain * (1 + a.variation) / 2,
        "wait_p95_s": max(0.0, math.log(waiting / 0.05) * drain) if waiting else 0.0,
        "most_per_day": day * devices * a.target / _load(a, at),
        "stored_per_day": day * (1 - at["local_share"]) * (1 - at["uplink"]),
        "homeless_per_day": day * (1 - at["availability"]) ** (1 + a.peers),
        **_costs(a, at, devices, priced),
    }  # fmt: skip


def _costs(a: Assumptions, at: dict[str, float], devices: int, priced: Prices) -> dict[str, float]:
    watts = priced.machine["watts"] * at["power_share"]
    always = replace(priced, machine={**priced.machine, "hours_a_day": 24.0, "watts": watts})
    own = devices * 24 * always.hour
    hosted = priced.hosted(a.cloud, at["tokens_in"], at["tokens_out"]) * at["cloud_price"]
    passed_on = (1 - at["local_share"]) * hosted
    return {
        "edge_per_1000": 1000 * (own / at["requests_per_day"] + passed_on),
        "cloud_per_1000": 1000 * hosted,
        "break_even_per_day": break_even_tasks(own, passed_on, hosted),
    }


def _refuse_endless(a: Assumptions, load: float) -> None:
    if a.devices is not None and load >= a.devices:
        what = (
            f"{a.devices} devices would have a utilisation of {load / a.devices:.2f} at one corner of the assumptions."
        )
        raise ConfigError(what, ENDLESS, f"labkit deploy capacity --devices {math.ceil(load / a.target)}")


def _plain(span: Span) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in asdict(span).items()}


def _row(name: str, span: Span, row: dict[str, Any], currency: str) -> str:
    ends = "".join(f"{_number(value):>12}" for value in (span.low, span.middle, span.high))
    return f"{name:20}{ends}  {row['unit'].replace('money', currency)}: {row['says']}"


def _number(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
