"""More engines, or fewer? Advice from what the line really looks like, and none when nobody knows.

    advice(monitor.samples, slots=4)        # Advice(action="scale_out", why="…")

Little's law, L = λW: what is in the system on average is what comes a second times how long it stays. It says how many places a
load needs, and it is a check: where measured L and λW are far apart, some figure is wrong, and no advice stands on it.

Taught in notebook 11, section "A flood".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.operate.monitor import Sample

__all__ = ["Advice", "advice"]

# The module's thresholds, and ours where it has none.
LATENCY_MS, GPU_BUSY, GPU_IDLE, RATE_IDLE = 3000.0, 95.0, 20.0, 1.0
WAITING_SHARE = 0.5  # of the samples had somebody waiting
LEAST_SAMPLES, LEAST_SECONDS = 10, 60.0
LITTLE_APART = 2.0  # measured L and λW may differ by this factor


@dataclass(frozen=True)
class Advice:
    """action: "scale_out" (one more engine), "scale_up" (a faster one), "scale_down", "stay", or "unknown".

    figures: what it stands on; None is unknown.
    Taught in notebook 11, section "A flood".
    """

    action: str
    why: str
    figures: dict[str, float | None] = field(default_factory=dict)


def advice(samples: Sequence[Sample], slots: int | None = None, window: float = 300.0) -> Advice:
    """Return what the samples of the last `window` seconds advise. slots: conversations that the engine takes at once, if known.

    An outage, a gap, or too short a time gives "unknown": an engine that does not answer looks idle to nobody here.
    Taught in notebook 11, section "A flood".
    """
    recent = [one for one in samples if one.at >= samples[-1].at - window] if samples else []
    if reason := _too_little(recent):
        return Advice("unknown", reason)
    figures = _figures(recent)
    if reason := _disagree(figures):
        return Advice("unknown", reason, figures)
    for action, reason in (_out(figures, slots), _up(figures), _down(figures, slots)):
        if reason:
            return Advice(action, reason, figures)
    return Advice("stay", "nobody waits for long, and the engine is in use", figures)


def _too_little(recent: Sequence[Sample]) -> str:
    if len(recent) < LEAST_SAMPLES or recent[-1].at - recent[0].at < LEAST_SECONDS:
        return f"fewer than {LEAST_SAMPLES} samples over {LEAST_SECONDS:g} s"
    if down := sum(one.values.get("up") != 1 for one in recent):
        return f"the engine was down in {down} of {len(recent)} samples: that is an outage, and not little use"
    if all(one.values.get("requests_waiting") is None or one.values.get("requests_running") is None for one in recent):
        return "this engine does not say how many requests run and wait"
    return ""


def _figures(recent: Sequence[Sample]) -> dict[str, float | None]:
    def mean(name: str) -> float | None:
        known = [value for one in recent if (value := one.values.get(name)) is not None]
        return sum(known) / len(known) if known else None

    waiting = [value for one in recent if (value := one.values.get("requests_waiting")) is not None]
    rate = mean("requests_per_second")
    rate = mean("calls_per_second") if rate is None else rate
    took = mean("request_ms")
    took = mean("response_time_ms") if took is None else took
    found = {
        "running": mean("requests_running"),
        "waiting": mean("requests_waiting"),
        "rate": rate,
        "response_ms": took,
    }
    found["share_waiting"] = sum(one > 0 for one in waiting) / len(waiting)
    found["gpu_percent"] = mean("gpu_utilization_percent")
    found["in_system"] = found["running"] + found["waiting"]
    found["little"] = rate * took / 1000 if rate is not None and took is not None else None
    return found


def _disagree(figures: dict) -> str:
    measured, little = figures["in_system"], figures["little"]
    if little is None or max(measured, little) < 1:  # below one request, chance decides what a sample meets
        return ""
    if max(measured, little) <= LITTLE_APART * max(min(measured, little), 1e-9):
        return ""
    return (
        f"{measured:.1f} requests are in the system, and rate times duration makes {little:.1f}: "
        "others ask as well, or a figure is wrong"
    )


def _out(figures: dict, slots: int | None) -> tuple[str, str]:
    if figures["share_waiting"] >= WAITING_SHARE:
        places = f", and {slots} places" if slots else ""
        share = (
            f"{figures['share_waiting']:.0%} of the samples had somebody waiting, {figures['waiting']:.1f} in the mean"
        )
        return "scale_out", f"{share}{places}"
    if (figures["gpu_percent"] or 0) > GPU_BUSY:
        return "scale_out", f"the busiest GPU is at {figures['gpu_percent']:.0f} %"
    return "", ""


def _up(figures: dict) -> tuple[str, str]:
    took = figures["response_ms"]
    if took is not None and took > LATENCY_MS:  # nobody waits in line, so more engines would not help
        return "scale_up", f"an answer takes {took:.0f} ms without any waiting"
    return "", ""


def _down(figures: dict, slots: int | None) -> tuple[str, str]:
    rate, gpu = figures["rate"], figures["gpu_percent"]
    if rate is None or rate >= RATE_IDLE or (gpu is not None and gpu >= GPU_IDLE) or figures["share_waiting"] > 0:
        return "", ""
    if figures["in_system"] > (slots or 1) * 0.2:
        return "", ""
    return "scale_down", f"{rate:.2f} requests a second, {figures['in_system']:.2f} in the system, nobody ever waited"
