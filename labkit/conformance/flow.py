"""Answers on their way: streams that end cleanly, several at once, a caller who leaves, an engine that dies.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from labkit.backends.base import Endpoint
from labkit.backends.capabilities import Capability
from labkit.conformance.reference import CONVERSATIONS, UNICODE, Reference
from labkit.errors import EngineDied, LabkitError

__all__ = ["cancel", "clean_stream", "eight_at_once", "killed", "unicode_stream"]

COUNTRIES = ("France", "Japan", "Germany", "Egypt", "Kenya", "Italy", "Spain", "Peru")
ENDLESS = "Write a very long story."
LOOK_S = 0.25  # between two looks at the engine's CPU time
QUIET_SHARE = 0.1  # of the CPU time that it spends while it answers


def clean_stream(endpoint: Endpoint, reference: Reference) -> Capability:
    """Read a streamed answer as the bytes on the wire: content, one finish reason, the counts, [DONE], and no more."""
    messages = CONVERSATIONS["question"]
    whole = endpoint.chat(messages, max_tokens=24)
    lines = _wire(endpoint, messages)
    faults = _faults(lines, whole)
    pieces = sum(1 for line in lines if _content(line))
    return Capability(not faults, "; ".join(faults) or f"{pieces} pieces, a finish reason, the counts, [DONE]")


def _wire(endpoint: Endpoint, messages: list[dict]) -> list[str]:
    """Return the data of each server-sent event of a streamed answer."""
    create = endpoint.client().chat.completions.with_streaming_response.create
    asked = {"model": endpoint.model, "messages": messages, "temperature": 0, "max_tokens": 24}
    # llama.cpp hangs up after a stream that was read to its end, and does not say so: the next question could meet a closed door.
    asked["extra_headers"] = {"Connection": "close"}
    with (
        endpoint._translated_errors(),
        create(**asked, stream=True, stream_options={"include_usage": True}) as response,
    ):
        return [line.removeprefix("data:").strip() for line in response.iter_lines() if line.startswith("data:")]


def _faults(lines: list[str], whole) -> list[str]:
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    reasons = [at for at, line in enumerate(lines) if _first(line).get("finish_reason")]
    last_words = max((at for at, line in enumerate(lines) if _content(line)), default=-1)
    usage = next((event["usage"] for event in reversed(events) if event.get("usage")), {})
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    found = {
        "no content comes": last_words < 0,
        "the pieces are not the whole answer": "".join(map(_content, lines)) != whole.text,
        f"{len(reasons)} finish reasons": len(reasons) != 1,
        "content after the finish reason": bool(reasons) and last_words > reasons[0],
        f"counts {counts} instead of {(whole.prompt_tokens, whole.completion_tokens)}": counts
        != (whole.prompt_tokens, whole.completion_tokens),
        "no [DONE] at the end": lines[-1:] != ["[DONE]"],
    }
    return [fault for fault, is_so in found.items() if is_so]


def _first(line: str) -> dict:
    choices = {} if line == "[DONE]" else json.loads(line).get("choices")
    return choices[0] if choices else {}


def _content(line: str) -> str:
    return _first(line).get("delta", {}).get("content") or ""


def unicode_stream(endpoint: Endpoint, reference: Reference) -> Capability:
    """Stream characters that are made of several tokens each: every piece must hold whole ones, and none may be lost."""
    pieces = list(endpoint.stream(CONVERSATIONS["unicode"], max_tokens=60))
    text = "".join(pieces)
    if any("\ufffd" in piece for piece in pieces):
        return Capability(False, f"half a character in a piece: {text[:40]!r}")
    lost = [char for char in dict.fromkeys(UNICODE) if char not in text]
    if lost:
        return Capability(False, f"characters are lost: {' '.join(lost)} of {UNICODE}")
    return Capability(True, f"all of {UNICODE} in {len(pieces)} pieces")


def eight_at_once(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask eight questions one by one, then together: each must get its own answer again."""

    def ask(country: str) -> str:
        return endpoint.chat(f"What is the capital of {country}?", max_tokens=12).text

    alone = [ask(country) for country in COUNTRIES]
    start = threading.Barrier(len(COUNTRIES))

    def ask_with_all(country: str) -> str:
        start.wait()
        return ask(country)

    with ThreadPoolExecutor(len(COUNTRIES)) as callers:
        together = list(callers.map(ask_with_all, COUNTRIES))
    changed = [country for country, one, other in zip(COUNTRIES, alone, together, strict=True) if one != other]
    if changed:
        return Capability(False, f"another answer than alone: {', '.join(changed)}")
    return Capability(True, "eight answers, each as it is alone")


def cancel(endpoint: Endpoint, reference: Reference) -> Capability:
    """Leave in the middle of a long answer: the engine's processes must stop computing long before it would be over."""
    if endpoint.process is None:
        return Capability(None, "the server is not labkit's own, so its processes cannot be watched")
    with endpoint.stream(ENDLESS, max_tokens=900) as stream:
        for _ in range(3):
            next(stream)
        spent = _cpu_seconds(endpoint)
        started = time.monotonic()
        read = sum(1 for _, _ in zip(range(15), stream, strict=False))
        pace = (time.monotonic() - started) / max(read, 1)
        busy = (_cpu_seconds(endpoint) - spent) / (time.monotonic() - started)
    if stream.reply is not None:
        return Capability(None, "the answer ended before it could be left")
    until = time.monotonic() + max(pace * 300, 8 * LOOK_S)  # of some 880 tokens that are left
    return _quiet(endpoint, busy, until)


def _quiet(endpoint: Endpoint, busy: float, until: float) -> Capability:
    """Wait for three looks in a row at which the engine does next to nothing. busy: CPU seconds a second while it answers."""
    left, calm, before = time.monotonic(), 0, _cpu_seconds(endpoint)
    while calm < 3:
        if time.monotonic() > until:
            return Capability(False, f"still computing {time.monotonic() - left:.1f} s after its caller left")
        time.sleep(LOOK_S)
        now = _cpu_seconds(endpoint)
        calm, before = (calm + 1 if now - before <= QUIET_SHARE * busy * LOOK_S else 0), now
    return Capability(True, "the engine's processes are idle soon after the caller leaves")


def _cpu_seconds(endpoint: Endpoint) -> float:
    import psutil

    total = 0.0
    for process in endpoint.process.family():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def killed(endpoint: Endpoint, reference: Reference) -> Capability:
    """Kill the engine in the middle of an answer: a typed error, and nothing left running. Its engine is gone afterwards."""
    import psutil

    if endpoint.process is None:
        return Capability(None, "the server is not labkit's own, and is left alone")
    family = endpoint.process.family()
    stream = endpoint.stream(ENDLESS, max_tokens=600)
    next(stream)
    endpoint.process.kill()
    try:
        list(stream)
        seen = "the cut answer passes for a whole one"
    except EngineDied:
        seen = ""
    except LabkitError as error:
        seen = f"{type(error).__name__} instead of EngineDied"
    _, alive = psutil.wait_procs(family, timeout=10)
    left = f"still running: {', '.join(one.name() for one in alive)}" if alive else ""
    faults = [one for one in (seen, left) if one]
    return Capability(not faults, "; ".join(faults) or "EngineDied, and no process is left")
