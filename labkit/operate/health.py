"""Is it well? One word with its reason, and the summary of an hour. No models loaded is never well, and no data never good.

Taught in notebook 11, section "An engine dies".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.operate.alerts import Event
    from labkit.operate.monitor import Sample

__all__ = ["Health", "judge", "report", "together"]


@dataclass(frozen=True)
class Health:
    """status: "healthy", "degraded" (it answers, and something is wrong), "unhealthy" or "unknown" (nobody looked yet).

    percent: the share of the expected models that are loaded; of no models it is 0.
    Taught in notebook 11, section "An engine dies".
    """

    status: str
    percent: float
    why: str = ""


def judge(sample: Sample | None, firing: Sequence[Event] = (), expected: Sequence[str] = ()) -> Health:
    """Return the health that a `sample` shows. expected: names that must be loaded; without them, one model must be.

    Taught in notebook 11, section "An engine dies".
    """
    if sample is None:
        return Health("unknown", 0.0, "there is no sample of the last half minute")
    if sample.models is None:
        return Health("unhealthy", 0.0, sample.why or "the engine does not answer")
    if not sample.models:
        return Health("unhealthy", 0.0, "the engine answers and has no model loaded")
    missing = [name for name in expected if name not in sample.models]
    percent = 100 * (1 - len(missing) / len(expected)) if expected else 100.0
    if expected and len(missing) == len(expected):
        return Health("unhealthy", percent, f"not loaded: {', '.join(missing)}")
    wrong = [f"not loaded: {', '.join(missing)}"] if missing else []
    wrong += [f"{event.alert}: {event.text}" for event in firing]
    return Health("degraded" if wrong else "healthy", percent, "; ".join(wrong))


def together(healths: Mapping[str, Health]) -> Health:
    """Return the health of several engines by name: healthy only if all are, and there is one; percent is the share that are.

    Taught in notebook 11, section "What became of the original".
    """
    if not healths:
        return Health("unhealthy", 0.0, "no engine is watched")
    well = [name for name, one in healths.items() if one.status == "healthy"]
    if len(well) == len(healths):
        return Health("healthy", 100.0)
    status = "degraded" if any(one.status in ("healthy", "degraded") for one in healths.values()) else "unhealthy"
    why = "; ".join(f"{name} is {one.status}" for name, one in healths.items() if name not in well)
    return Health(status, 100 * len(well) / len(healths), why)


def report(samples: Sequence[Sample], seconds: float = 3600.0) -> dict[str, float | None]:
    """Return the summary of the last `seconds`: samples, availability, and mean, least and most of what was known.

    A sample without an answer lowers the availability; it adds no zero to any mean. Without samples everything is None.
    Taught in notebook 11, section "What became of the original".
    """
    recent = [one for one in samples if one.at >= samples[-1].at - seconds] if samples else []
    found: dict[str, float | None] = {"samples": float(len(recent))}
    up = [one.values.get("up") == 1 for one in recent]
    found["availability_percent"] = 100 * sum(up) / len(up) if up else None
    for name, sums in SUMMED.items():
        known = [value for one in recent if (value := one.values.get(name)) is not None]
        found |= {f"{name}_{how}": _SUMS[how](known) if known else None for how in sums}
    return found


SUMMED = {
    "response_time_ms": ("mean", "least", "most"),
    "requests_per_second": ("mean", "most"),
    "output_tokens_per_second": ("mean", "most"),
    "requests_waiting": ("mean", "most"),
    "error_rate_percent": ("mean", "most"),
    "memory_usage_percent": ("mean", "most"),
    "gpu_utilization_percent": ("mean", "most"),
}
_SUMS = {"mean": lambda known: sum(known) / len(known), "least": min, "most": max}
