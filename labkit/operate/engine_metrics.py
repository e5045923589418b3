"""What engines say of themselves, under one set of names (data/metrics.toml), whichever engine it is.

    reading = read(endpoint)
    reading.up, reading.models            # whether it answers, and what it has loaded
    reading.values["requests_waiting"]    # None where this engine does not say: unknown, and never zero
    rates(before, reading)                # requests and tokens a second between two readings

llama.cpp, vLLM and labkit's own servers have Prometheus text at /metrics, behind the key. Ollama has none: what it has loaded
comes from its own API, and its queue is unknown.

Taught in notebook 11, section "What an engine tells".
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from labkit import paths
from labkit.backends.base import Endpoint
from labkit.backends.loopback import get

__all__ = ["Reading", "rates", "read", "table"]

GB = 1e9


@dataclass(frozen=True)
class Reading:
    """One look at an engine. at: time.monotonic(). up: it answered in time, to our key. why: what is wrong, or "".

    models: the names it has loaded; None if nobody answered. values: every name of data/metrics.toml [engine]; None is unknown.
    Taught in notebook 11, section "What an engine tells".
    """

    at: float
    up: bool
    models: tuple[str, ...] | None
    values: dict[str, float | None] = field(default_factory=dict)
    why: str = ""


@cache
def table() -> dict[str, dict[str, dict]]:
    """Return data/metrics.toml: section, name, what it is. Taught in notebook 11, section "What an engine tells"."""
    return paths.read_table("metrics.toml")


def read(endpoint: Endpoint, timeout: float = 5.0) -> Reading:
    """Return what the engine at `endpoint` says now, waiting at most `timeout` seconds a question. An outage is a reading too.

    A recorded endpoint has nobody to ask: its reading is not up, and says so.
    Taught in notebook 11, section "What an engine tells".
    """
    at, unknown = time.monotonic(), dict.fromkeys(table()["engine"])
    if endpoint.replayed:
        return Reading(at, False, None, unknown, f"no engine runs: {endpoint.replayed}")
    try:
        models, values = _asked(endpoint, timeout)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:  # nobody there, or not an engine
        return Reading(at, False, None, unknown, f"{type(error).__name__}: {error}")
    return Reading(at, True, models, unknown | values)


def rates(before: Reading | None, now: Reading) -> dict[str, float | None]:
    """Return requests_per_second, output_tokens_per_second, first_token_ms and request_ms between two readings.

    None where a counter is unknown, or went back: then the engine was started anew in between.
    Taught in notebook 11, section "What an engine tells".
    """

    def grown(name: str) -> float | None:
        old, new = (one.values.get(name) if one else None for one in (before, now))
        return new - old if old is not None and new is not None and new >= old else None

    seconds = now.at - before.at if before else 0.0
    return {
        "requests_per_second": _ratio(grown("requests_total"), seconds),
        "output_tokens_per_second": _ratio(grown("output_tokens_total"), seconds),
        "first_token_ms": _ratio(grown("first_token_seconds_total"), grown("first_token_count_total"), 1000),
        "request_ms": _ratio(grown("request_seconds_total"), grown("request_seconds_count"), 1000),
    }


def parsed(text: str) -> dict[str, float | None]:
    """Return the values of Prometheus `text` that data/metrics.toml names. Raises ValueError for what is no such text."""
    from prometheus_client.parser import text_string_to_metric_families

    wanted = {source: name for name, row in table()["engine"].items() for source in row["sources"]}
    found: dict[str, list[float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if name := wanted.get(sample.name):
                found.setdefault(name, []).append(sample.value)
    return {name: _one(table()["engine"][name], series) for name, series in found.items()}


def _asked(endpoint: Endpoint, timeout: float) -> tuple[tuple[str, ...], dict[str, float | None]]:
    address, key = endpoint.base_url.rstrip("/").removesuffix("/v1"), endpoint.api_key
    status, text = get(address, "/metrics", key, timeout)
    if status == 404:  # Ollama: /v1/models has what is on its disk, /api/ps what is loaded
        loaded = json.loads(_body(address, "/api/ps", key, timeout)).get("models") or []
        return tuple(one["name"] for one in loaded), {"model_memory_gb": sum(one["size"] for one in loaded) / GB}
    if status != 200:
        raise ConnectionError(f"{address}/metrics answers {status}")
    models = json.loads(_body(address, "/v1/models", key, timeout))["data"]
    return tuple(one["id"] for one in models), parsed(text)


def _body(address: str, path: str, key: str, timeout: float) -> str:
    status, text = get(address, path, key, timeout)
    if status != 200:
        raise ConnectionError(f"{address}{path} answers {status}")
    return text


def _one(row: dict, series: Iterable[float]) -> float:
    return row.get("times", 1) * (max(series) if row.get("over") == "max" else sum(series))


def _ratio(top: float | None, bottom: float | None, times: float = 1.0) -> float | None:
    return times * top / bottom if top is not None and bottom else None
