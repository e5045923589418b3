"""A failure drill on a deployment under load: what becomes of each request when an engine, a replica and Ray's proxy are killed.

    found = drill(load(Path("shop.yaml")), callers=6, seconds=10)
    found["ok"], found["lost"], found["phases"]["after"]["ratio"]

Three phases of one run: before, during (three kills), after. Throughput is told as a ratio to the phase before.

Explained in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import itertools
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

from labkit.deploy.manifest import Manifest
from labkit.deploy.ray_asked import RETRIED
from labkit.deploy.ray_up import Deployment, up
from labkit.progress import Progress, silent

__all__ = ["drill", "words"]

PROMPT = "Count to twenty."
TOKENS = 16
KILLS = ("engine", "replica", "proxy")
BACK_S = 60.0  # how long the replicas have to be all there again


@dataclass
class _Request:
    """When it was sent and answered (seconds of time.monotonic), how often it was asked again, and what was wrong at last."""

    sent: float
    ended: float = 0.0
    by_router: int = 0
    by_client: int = 0
    error: str = ""


@dataclass
class _Load:
    """Callers in a closed loop on one model, for the length of a `with` block."""

    deployment: Deployment
    callers: int
    over: threading.Event = field(default_factory=threading.Event)
    done: list[_Request] = field(default_factory=list)

    def __enter__(self) -> _Load:
        self.threads = [threading.Thread(target=self.call, daemon=True) for _ in range(self.callers)]
        for one in self.threads:
            one.start()
        return self

    def __exit__(self, kind, error, traceback) -> None:
        self.over.set()
        for one in self.threads if error is None else ():  # after a failure nobody waits for their last answers
            one.join()

    def call(self) -> None:
        import openai

        client = self.deployment.client()
        while not self.over.is_set():
            one = _Request(time.monotonic())
            try:
                self._ask(client, one)
            except openai.OpenAIError as error:
                one.error = f"{type(error).__name__}: {error}"
            one.ended = time.monotonic()
            self.done.append(one)

    def _ask(self, client: Any, one: _Request) -> None:
        raw = client.chat.completions.with_raw_response.create(
            model=next(iter(self.deployment.keys)),
            messages=[{"role": "user", "content": PROMPT}],
            max_tokens=TOKENS,
            temperature=0,
        )
        one.by_router, one.by_client = int(raw.headers.get(RETRIED, 0)), raw.retries_taken
        if not raw.parse().choices[0].message.content:
            one.error = "an answer without text"


def drill(
    manifest: Manifest,
    *,
    callers: int = 6,
    seconds: float = 10.0,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Deploy `manifest`, load its first model, kill an engine, a replica and the proxy, and return what became of it all.

    seconds: of each phase. "ok": no request was lost, and every replica came back. Raises what `up` raises.
    """
    progress("Deploying", 0, 5)
    model = manifest.models[0]
    with up(manifest) as deployment:
        with _Load(deployment, callers) as load:
            scale = {"up_s": _wait_for(deployment, model.name, model.replicas.max)}
            marks = {"before": time.monotonic()}
            progress("Before", 1, 5)
            time.sleep(seconds)
            marks["during"] = time.monotonic()
            kills = _kill_each(deployment, load, seconds, progress)
            back_s = _wait_for(deployment, model.name, model.replicas.max)
            marks["after"] = time.monotonic()
            time.sleep(seconds)
            marks["end"] = time.monotonic()
        scale["down_s"] = _wait_for(deployment, model.name, model.replicas.min)
    scale |= {"min": model.replicas.min, "max": model.replicas.max}
    progress("Done", 5, 5)
    return _report(load.done, marks, kills, back_s) | {"scale": scale}


def _kill_each(deployment: Deployment, load: _Load, seconds: float, progress: Progress) -> list[dict[str, Any]]:
    """Kill one of each kind, spread over `seconds`."""
    kills = []
    for i, what in enumerate(KILLS):
        progress(f"Killing the {what}", 2 + i, 5)
        kills.append(_kill(what, deployment, load))
        time.sleep(max(0.0, seconds / len(KILLS) - (time.monotonic() - kills[-1]["at"])))
    return kills


def _kill(what: str, deployment: Deployment, load: _Load) -> dict[str, Any]:
    """Kill one process with KILL; return which, and the seconds until the next request that was sent after it was answered."""
    status = deployment.status()
    name = next(iter(deployment.keys))
    replica = status["replica_pids"][name][0]
    pid = {"engine": (replica["engine_pids"] or [None])[0], "replica": replica["pid"], "proxy": status["proxy_pid"]}[
        what
    ]
    at = time.monotonic()
    psutil.Process(pid).kill()
    while time.monotonic() - at < BACK_S:
        if answered := [one.ended for one in list(load.done) if one.sent > at and not one.error]:
            return {"killed": what, "at": at, "answered_s": min(answered) - at}
        time.sleep(0.02)
    return {"killed": what, "at": at, "answered_s": None}


def _wait_for(deployment: Deployment, name: str, replicas: int) -> float | None:
    """Return the seconds until so many replicas of a model run, and no other starts or stops; None where that never comes."""
    began = time.monotonic()
    while time.monotonic() - began < BACK_S:
        found = deployment.status()
        if found.get("models", {}).get(name, {}).get("replicas") == {"RUNNING": replicas}:
            return time.monotonic() - began
        time.sleep(0.2)
    return None


def _report(done: list[_Request], marks: dict[str, float], kills: list[dict], back_s: float | None) -> dict[str, Any]:
    names = list(marks)
    phases: dict[str, dict[str, float]] = {}
    for name, after in itertools.pairwise(names):
        answered = [one for one in done if marks[name] <= one.ended < marks[after] and not one.error]
        phases[name] = {"answered": len(answered), "per_s": len(answered) / (marks[after] - marks[name])}
    for one in phases.values():
        one["ratio"] = one["per_s"] / (phases["before"]["per_s"] or 1)
    lost = [one.error for one in done if one.error]
    return {
        "ok": not lost and back_s is not None and all(one["answered_s"] is not None for one in kills),
        "requests": len(done),
        "lost": len(lost),
        "errors": sorted(set(lost)),
        "asked_again_by_router": sum(one.by_router > 0 for one in done),
        "asked_again_by_client": sum(one.by_client > 0 for one in done),
        "kills": [{key: one[key] for key in ("killed", "answered_s")} for one in kills],
        "all_back_s": back_s,
        "phases": phases,
    }


def words(found: dict[str, Any]) -> str:
    """Return a report for people."""
    lines = [f"{found['requests']} requests, {found['lost']} lost"]
    lines += [f"  {error}" for error in found["errors"]]
    lines += [
        f"asked again: {found['asked_again_by_router']} by the router, {found['asked_again_by_client']} by clients"
    ]
    for one in found["kills"]:
        took = "never" if one["answered_s"] is None else f"after {one['answered_s']:.2f} s"
        lines.append(f"killed the {one['killed']:8} the next request was answered {took}")
    scale = found["scale"]
    for direction, count in (("up", scale["max"]), ("down", scale["min"])):
        took = scale[f"{direction}_s"]
        lines.append(f"{direction} to {count} replicas: {'never' if took is None else f'{took:.1f} s'}")
    for name, one in found["phases"].items():
        lines.append(
            f"{name:7} {one['answered']:4} answered, {one['per_s']:.2f} a second, {one['ratio']:.2f} of before"
        )
    return "\n".join(lines)
