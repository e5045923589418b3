"""What monitoring costs: a call that is watched beside one that is not, and a monitor at one sample a second on a real engine.

Calls alternate on one stub server, so that only the difference is left. The monitor's share is the processor time of this process
while it watches, beside the same time without it; the engine is another process, and the work it has with being asked is its own.

Explained in notebook 11, section "Out of this program".
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from labkit.bench.stats import median_interval
from labkit.bench.stub import stub
from labkit.progress import Progress, silent

__all__ = ["MonitoringCost", "monitoring_cost"]

MOST_MS, MOST_PERCENT = 1.0, 2.0  # a call; of one core, at 1 Hz


@dataclass(frozen=True)
class MonitoringCost:
    """What watching adds.

    call_*: milliseconds to a call, median of the paired differences and its interval; call_cpu_ms: processor time of them, which a
    busy machine does not blur. chunk_us: microseconds to each chunk of a stream. core_percent: of one core, at 1 Hz, beyond
    idle_percent. sample_ms: wall time of one sample. within: at most 1 ms a call and 2 % of a core.
    """

    calls: int
    call_ms: float
    call_low_ms: float
    call_high_ms: float
    call_cpu_ms: float
    chunk_us: float
    seconds: int
    core_percent: float
    idle_percent: float
    sample_ms: float
    within: bool


def monitoring_cost(calls: int = 400, progress: Progress | None = None, seconds: int = 20) -> MonitoringCost:
    """Return what monitoring costs, from `calls` pairs of calls and `seconds` of watching the bundled engine at 1 Hz."""
    tell = progress or silent
    pairs, chunk_us = _calls(calls, tell)
    walls, cpu = [wall for wall, _ in pairs], statistics.median(cpu for _, cpu in pairs)
    low, high = median_interval(walls)
    call = statistics.median(walls)
    idle, share, sample_ms = _share(seconds, tell)
    within = call <= MOST_MS and share <= MOST_PERCENT
    return MonitoringCost(calls, call, low, high, cpu, chunk_us, seconds, share, idle, sample_ms, within)


def _calls(calls: int, tell: Progress) -> tuple[list[tuple[float, float]], float]:
    from labkit.operate.telemetry import Telemetry

    with stub() as plain, Telemetry().watch(plain) as watched:
        return _differences(plain, watched, calls, tell), _chunk_us(watched.telemetry)


def _differences(plain, watched, calls: int, tell: Progress) -> list[tuple[float, float]]:
    pairs = []
    for number in range(-20, calls):  # the first 20 pairs are warm-up
        took = {}
        for endpoint in (plain, watched) if number % 2 else (watched, plain):
            wall, cpu = time.perf_counter(), time.thread_time()
            endpoint.chat("What is the capital of France?")
            took[endpoint is watched] = time.perf_counter() - wall, time.thread_time() - cpu
        if number >= 0:
            pairs.append(tuple(1000 * (a - b) for a, b in zip(took[True], took[False], strict=True)))
        if number % 50 == 0:
            tell("watched calls", max(number, 0), calls)
    return pairs


def _chunk_us(telemetry, chunks: int = 2000) -> float:
    """What is done at each chunk of a stream is one figure into one histogram."""
    from labkit.operate import semconv

    labels = telemetry.labels.bounded(
        {semconv.OPERATION: "chat", semconv.PROVIDER: "stub", semconv.REQUEST_MODEL: "stub"}
    )
    started = time.perf_counter()
    for _ in range(chunks):
        telemetry.record(semconv.TIME_PER_OUTPUT_CHUNK, 0.01, labels)
    return 1e6 * (time.perf_counter() - started) / chunks


def _share(seconds: int, tell: Progress) -> tuple[float, float, float]:
    """Return (idle percent, percent of one core beyond that, milliseconds a sample)."""
    import labkit
    from labkit.operate.exporter import Exporter
    from labkit.operate.monitor import Monitor

    with labkit.connect("llamacpp") as engine, Monitor(engine) as monitor, Exporter(monitor):
        started = time.perf_counter()
        for _ in range(10):
            monitor.sample()
        sample_ms = 100 * (time.perf_counter() - started)
        idle = _busy(seconds // 2, tell, "idle")
        monitor.start(every=1.0)
        watching = _busy(seconds, tell, "watched")
    return idle, max(watching - idle, 0.0), sample_ms


def _busy(seconds: int, tell: Progress, label: str) -> float:
    wall, cpu = time.perf_counter(), time.process_time()
    for second in range(seconds):
        time.sleep(1)
        tell(label, second + 1, seconds)
    return 100 * (time.process_time() - cpu) / (time.perf_counter() - wall)
