"""A load and fault run: many clients, an engine that is killed again and again; then every request is accounted for.

    report = soak(seconds=180)
    report["ok"], report["requests"], report["recovery_s"]

Each client counts on its own what became of its requests, and the sums must be those of Resources. Work that must not happen twice
writes its number down; no number may stand there twice.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import itertools
import random
import statistics
import threading
import time
from collections import Counter
from typing import Any

from labkit.errors import LabkitError
from labkit.operate.resources import Resources
from labkit.progress import Progress, silent

__all__ = ["soak"]

PROMPTS = ["What is the capital of France?", "Name a colour.", "Count to five.", "Say hello."]
# How often a client does what: ordinary requests, ones it takes back, ones it is slow to look at, short times, bursts, work
# that must not be repeated.
KINDS = {"ordinary": 6, "cancelled": 2, "slow": 1, "hurried": 1, "burst": 1, "once": 3}
GROWTH = 0.10  # of this process's memory, between the second and the last quarter of the run
QUEUE, BURST, PROBES = 24, 8, 2


class _Run:
    """What the clients, the fault and the watch of one run share."""

    def __init__(self, resources: Resources, seconds: float):
        self.resources, self.until = resources, time.monotonic() + seconds
        self.ends: Counter[str] = Counter()
        self.done_once: Counter[int] = Counter()
        self.numbers = itertools.count()
        self.answers: list[tuple[float, int]] = []  # when, and how many engine starts there had been when it began
        self.kills: list[tuple[float, int]] = []
        self.memory: list[int] = []
        self.longest_queue = 0
        self.finished = 0  # clients that came to the end of their work
        self.lock = threading.Lock()

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until


def soak(
    backend: str = "auto",
    model: str = "auto",
    *,
    seconds: float = 180.0,
    clients: int = 16,
    kill_s: float = 20.0,
    seed: int = 1,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Run it and return the report: `ok` (no `problems`, which are in words), `requests` by their end, `recovery_s` from each kill
    to the next answer, memory of this process (the engine's is new after each kill) in bytes, the queue's bound and longest.

    ok says that each request had one end, not that each was answered: refusals are counted by type, and belong to a full house.
    kill_s: seconds between two kills of the engine. Raises what labkit.connect raises if the engine does not start at all.
    """
    own = {"backend": backend, "model": model, "shared": False}  # this one is killed
    with Resources({"model": own}, queue=QUEUE) as resources:
        _probe(resources)
        run = _Run(resources, seconds)
        works = [
            lambda number=number: _client(run, random.Random(f"{seed}-{number}"), number) for number in range(clients)
        ]
        threads = [threading.Thread(target=work, daemon=True) for work in [*works, lambda: _fault(run, kill_s)]]
        for thread in threads:
            thread.start()
        _watch(run, seconds, progress)
        for thread in threads:
            thread.join(60)
        hung = sum(thread.is_alive() for thread in threads)
        _probe(resources)
        run.answers.append((time.monotonic(), resources.fleet.loads))
        return _report(run, seconds, clients, hung)


def _probe(resources: Resources) -> None:
    """Ask one thing before and after the run: else the last kill might have nobody left to recover for."""
    resources.submit("model", PROMPTS[0], seconds=300, max_tokens=4).result()


def _client(run: _Run, rng: random.Random, number: int) -> None:
    while not run.over:
        kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
        tickets = [_submit(run, rng, kind, number) for _ in range(BURST if kind == "burst" else 1)]
        for ticket in tickets:
            if ticket is not None:
                _await(run, rng, kind, ticket)
        if None in tickets:
            time.sleep(0.2)  # back-pressure: come again a little later
    with run.lock:
        run.finished += 1


def _submit(run: _Run, rng: random.Random, kind: str, number: int) -> Any:
    options: dict[str, Any] = {"client": str(number), "priority": rng.choice(["high", "normal", "low"])}
    options["seconds"] = 0.3 if kind == "hurried" else 60
    prompt, mark = rng.choice(PROMPTS), next(run.numbers)

    def work(endpoint: Any, ticket: Any) -> Any:
        begun = run.resources.fleet.loads
        if kind == "once":
            with run.lock:
                run.done_once[mark] += 1
        reply = endpoint.chat(prompt, max_tokens=8, timeout=max(ticket.left, 0.1))
        with run.lock:
            run.answers.append((time.monotonic(), begun))
        return reply

    try:
        return run.resources.submit("model", work=work, repeatable=kind != "once", **options)
    except LabkitError as error:
        _ended(run, type(error).__name__)
        return None


def _await(run: _Run, rng: random.Random, kind: str, ticket: Any) -> None:
    if kind == "cancelled":
        time.sleep(rng.random() * 0.3)
        ticket.cancel()
    if kind == "slow":
        time.sleep(2)
    try:
        ticket.result()
        _ended(run, "answered")
    except LabkitError as error:
        _ended(run, type(error).__name__)


def _ended(run: _Run, how: str) -> None:
    with run.lock:
        run.ends[how] += 1


def _fault(run: _Run, every: float) -> None:
    next_kill = time.monotonic() + every
    while not run.over:
        time.sleep(0.05)
        if time.monotonic() < next_kill or run.until - time.monotonic() < min(every, 10) / 2:
            continue
        next_kill = time.monotonic() + every
        for endpoint in run.resources.fleet.endpoints():
            run.kills.append((time.monotonic(), run.resources.fleet.loads))
            endpoint.process.kill()


def _watch(run: _Run, seconds: float, progress: Progress) -> None:
    import psutil

    me = psutil.Process()
    while not run.over:
        run.memory.append(me.memory_info().rss)
        run.longest_queue = max(run.longest_queue, run.resources.status()["queue"]["waiting"])
        progress("soak", int(seconds - (run.until - time.monotonic())), int(seconds))
        time.sleep(0.1)


def _report(run: _Run, seconds: float, clients: int, hung: int) -> dict[str, Any]:
    counts = run.resources.counts()
    counts["submitted"] -= PROBES
    counts["answered"] -= PROBES
    ended = sum(run.ends.values())
    recovery = [_recovery(run, *kill) for kill in run.kills]
    quarter = max(1, len(run.memory) // 4)
    before, after = (
        statistics.median(run.memory[quarter : 2 * quarter] or run.memory),
        statistics.median(run.memory[-quarter:]),
    )
    found = _problems(run, counts, recovery, (before, after), hung, clients - run.finished - hung)
    return {
        "ok": not found,
        "problems": found,
        "seconds": seconds,
        "clients": clients,
        "requests": dict(sorted(counts.items())),
        "lost": counts["submitted"] - ended,
        "once_begun": len(run.done_once),
        "once_twice": sum(count > 1 for count in run.done_once.values()),
        "queue_bound": QUEUE,
        "queue_longest": run.longest_queue,
        "kills": len(run.kills),
        "recovery_s": [one if one is None else round(one, 2) for one in recovery],
        "memory_before_bytes": int(before),
        "memory_after_bytes": int(after),
    }


def _problems(
    run: _Run, counts: dict, recovery: list, memory: tuple[float, float], hung: int, broken: int
) -> list[str]:
    lost, open_ones, (before, after) = (
        counts["submitted"] - sum(run.ends.values()),
        counts["waiting"] + counts["running"],
        memory,
    )
    problems = {
        f"{lost} requests lost": bool(lost),
        "clients and Resources count differently": any(counts.get(how) != count for how, count in run.ends.items()),
        f"{open_ones} requests never ended": bool(open_ones),
        "work that must not be repeated was": any(count > 1 for count in run.done_once.values()),
        f"the queue grew to {run.longest_queue}": run.longest_queue > QUEUE,
        f"memory of this process grew from {before:.0f} to {after:.0f} bytes": after > before * (1 + GROWTH),
        "it did not recover from a kill": None in recovery,
        f"{hung} clients hang": bool(hung),
        "nothing was answered": not counts["answered"],
        "the engine was never killed, so no fault was survived": not run.kills,
        f"{broken} clients broke off at an error without a type": bool(broken),
    }
    return [words for words, wrong in problems.items() if wrong]


def _recovery(run: _Run, killed: float, loads: int) -> float | None:
    """Return the seconds from a kill to the first answer of an engine that was started after it."""
    return next((when - killed for when, begun in run.answers if when > killed and begun > loads), None)
