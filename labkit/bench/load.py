"""Put load on an endpoint, and write down when each piece of each answer came.

    target = Target.of(endpoint)
    answers = run(target, prompts, at_once=4, max_tokens=32)      # a list of Answer, one a prompt, failed ones included

A closed loop: `at_once` callers, each of whom sends his next prompt when his last answer is complete. The caller is a thread
with a socket and reads server-sent events itself: at 32 at once the openai client takes five times the processor time, and
its clock readings come milliseconds late (`labkit bench reader` measures both), which an engine on the same cores would feel.

Taught in notebook 12, section "More servers".
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from urllib.parse import urlsplit

__all__ = ["Answer", "Failed", "Target", "Transcript", "run"]


@dataclass(frozen=True)
class Target:
    """Where to ask: the parts of an Endpoint that a request needs. `stall` is the longest silence in seconds."""

    host: str
    port: int
    path: str
    model: str
    api_key: str = field(repr=False)
    stall: float = 120.0

    @classmethod
    def of(cls, endpoint) -> Target:
        """Return the target that `endpoint` (labkit.Endpoint) is."""
        parts = urlsplit(endpoint.base_url)
        path = f"{parts.path.rstrip('/')}/chat/completions"
        return cls(parts.hostname, parts.port, path, endpoint.model, endpoint.api_key, endpoint.timeout)


@dataclass(frozen=True)
class Answer:
    """One request, as its caller saw it. All times in seconds of time.perf_counter().

    sent: when the request was written. arrivals: when each chunk with text came. ended: when the last chunk with a choice came
    (text, or the reason for the end). prompt_tokens, output_tokens: as the engine counts them, the end mark included.
    timings: what llama.cpp's server says of itself, {} elsewhere. error: "" or what went wrong; then nothing else may be relied on.
    """

    sent: float
    arrivals: tuple[float, ...] = ()
    ended: float = 0.0
    prompt_tokens: int = 0
    output_tokens: int = 0
    finish: str = ""
    timings: dict = field(default_factory=dict)
    error: str = ""

    @property
    def ttft(self) -> float:
        """Seconds from sending to the first text (TTFT)."""
        return self.arrivals[0] - self.sent

    @property
    def tpot(self) -> float | None:
        """Seconds a token after the first (TPOT); None for an answer of one token."""
        return (self.ended - self.arrivals[0]) / (self.output_tokens - 1) if self.output_tokens > 1 else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between one chunk with text and the next (ITL)."""
        return [after - before for before, after in zip(self.arrivals, self.arrivals[1:], strict=False)]

    @property
    def latency(self) -> float:
        """Seconds from sending to the end."""
        return self.ended - self.sent


class Failed(Exception):
    """This request failed; the text says why."""


def run(
    target: Target,
    prompts: Sequence[str],
    at_once: int,
    max_tokens: int,
    extra: dict | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Answer]:
    """Send every prompt, `at_once` at a time, and return the answers in the order of the prompts.

    extra: more parameters of the request (such as ignore_eos). progress(done, total) is called as answers come. A request
    that fails is an Answer with an `error`. Ctrl-C closes all connections, so that the engine stops too, and goes on as
    KeyboardInterrupt.
    """
    tell, callers = progress or (lambda done, total: None), _Callers(target, max_tokens, extra or {})
    with ThreadPoolExecutor(at_once, thread_name_prefix="caller") as pool:
        try:
            work = [pool.submit(callers.ask, prompt) for prompt in prompts]
            left = set(work)
            while left:
                _, left = wait(left, timeout=0.5, return_when=FIRST_COMPLETED)
                tell(len(work) - len(left), len(work))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            callers.hang_up()
            raise
    return [one.result() for one in work]


class _Callers:
    """What the callers of one run share: the request's frame, and their open connections."""

    def __init__(self, target: Target, max_tokens: int, extra: dict):
        self.target, self.open, self.stopped = target, {}, threading.Event()
        self.frame = {
            "model": target.model,
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **extra,
        }

    def ask(self, prompt: str) -> Answer:
        body = json.dumps({**self.frame, "messages": [{"role": "user", "content": prompt}]})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.target.api_key}"}
        # A connection of its own for each request: llama.cpp's server closes it after a stream, and all should be alike.
        connection = http.client.HTTPConnection(self.target.host, self.target.port, timeout=self.target.stall)
        reading = Transcript(time.perf_counter())
        try:
            connection.connect()
            self.open[connection] = connection.sock  # http.client forgets it once the answer has begun
            if self.stopped.is_set():
                raise Failed("stopped")
            reading.sent = time.perf_counter()
            connection.request("POST", self.target.path, body, headers)
            reading.read(connection.getresponse())
        except TimeoutError:
            reading.error = f"stalled: nothing came for {self.target.stall:g} s"
        except (OSError, http.client.HTTPException) as error:
            reading.error = f"connection lost: {type(error).__name__}"
        except Failed as error:
            reading.error = str(error)
        finally:
            self.open.pop(connection, None)
            connection.close()
        return reading.answer()

    def hang_up(self) -> None:
        self.stopped.set()
        for one in list(self.open.values()):
            with contextlib.suppress(OSError):  # it ended by itself just now
                one.shutdown(socket.SHUT_RDWR)  # unlike close(), this wakes the thread that reads from it


class Transcript:
    """One answer while it comes: give it every line of the stream with its time, and `close()` it at the end.

    Raises Failed for a line that says that the request failed, and at the end of an answer that is not whole.
    """

    def __init__(self, sent: float):
        self.sent, self.ended, self.finish, self.error = sent, 0.0, "", ""
        self.arrivals: list[float] = []
        self.usage: dict = {}
        self.timings: dict = {}

    def read(self, response: http.client.HTTPResponse) -> None:
        if response.status != 200:
            raise Failed(f"HTTP {response.status}: {response.read(300).decode('utf-8', 'replace')}")
        for line in response:
            self.take(time.perf_counter(), line)  # before the text is parsed: parsing is our time, not the engine's
        self.close()

    def close(self) -> None:
        if not self.finish:
            raise Failed("broken off: the stream ended before the answer did")
        if not self.arrivals:
            raise Failed("empty: the answer has no text")
        if not self.usage:
            raise Failed("uncounted: the engine sent no token counts")

    def take(self, now: float, line: bytes) -> None:
        if not line.startswith(b"data: {"):
            return
        try:
            event = json.loads(line[6:])
            if event.get("error"):
                raise Failed(f"error in the stream: {event['error']}")
            self.usage, self.timings = event.get("usage") or self.usage, event.get("timings") or self.timings
            for choice in event.get("choices", ())[:1]:
                self.ended, self.finish = now, choice.get("finish_reason") or self.finish
                if choice["delta"].get("content"):
                    self.arrivals.append(now)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failed(f"not a chat chunk: {line[6:80]!r}") from error

    def answer(self) -> Answer:
        return Answer(
            sent=self.sent,
            arrivals=tuple(self.arrivals),
            ended=self.ended,
            prompt_tokens=self.usage.get("prompt_tokens", 0),
            output_tokens=self.usage.get("completion_tokens", 0),
            finish=self.finish,
            timings=self.timings,
            error=self.error,
        )
