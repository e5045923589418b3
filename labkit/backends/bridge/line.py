"""The line before the engine: turns wait, run in threads of their own, and hand their text to the event loop.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, fields

from labkit.backends.bridge.contract import Ask, Engine, Finish, Refusal
from labkit.backends.bridge.text import StopText

__all__ = ["Counts", "Line", "Running"]

END = None  # what the worker puts after its last piece of text


@dataclass
class Counts:
    """What /metrics shows. Written by the event loop alone."""

    requests_processing: int = 0
    requests_deferred: int = 0
    requests_total: int = 0
    requests_cancelled_total: int = 0
    prompt_tokens_total: int = 0
    tokens_predicted_total: int = 0

    def prometheus(self) -> str:
        """Return the counts as Prometheus text; llama.cpp's names, after `labkit:`."""
        lines = []
        for field in fields(self):
            kind = "counter" if field.name.endswith("_total") else "gauge"
            lines += [f"# TYPE labkit:{field.name} {kind}", f"labkit:{field.name} {getattr(self, field.name)}"]
        return "\n".join([*lines, ""])


class Line:
    """Run turns on one engine: as many at once as it takes, the others in their order."""

    def __init__(self, engine: Engine):
        self.engine, self.counts = engine, Counts()
        self.pool = ThreadPoolExecutor(engine.at_once, thread_name_prefix="turn")

    @contextlib.contextmanager
    def enter(self, ask: Ask) -> Iterator[Running]:
        """Put `ask` in line. Leaving the block stops its turn, if it still waits or runs."""
        running = Running(self, ask)
        try:
            yield running
        finally:
            running.stop()


class Running:
    """One turn, waiting or running. `pieces()` is its text; after that `reason` and `usage()` tell how it ended."""

    def __init__(self, line: Line, ask: Ask):
        self.line, self.ask, self.reason, self.prompt_tokens, self.tokens = line, ask, "stop", 0, 0
        self.loop, self.ready, self.stopped = asyncio.get_running_loop(), asyncio.Queue(), threading.Event()
        line.counts.requests_total += 1
        line.counts.requests_deferred += 1
        self.waiting = True
        self.work = line.pool.submit(self._work)
        self.work.add_done_callback(lambda _: self._tell(self._left))

    def stop(self) -> None:
        """End the turn soon: at the next token, or at once if it still waits."""
        if not self.work.done():
            self.stopped.set()
            self.work.cancel()

    async def pieces(self) -> AsyncIterator[str]:
        """Yield the text as it comes. Raises Refusal, RuntimeError (the engine failed)."""
        while (piece := await self.ready.get()) is not END:
            yield piece
        with contextlib.suppress(CancelledError):  # nobody is there to be told
            self.reason = self.work.result()

    def usage(self) -> dict[str, int]:
        """Return the token counts in OpenAI's words."""
        total = self.prompt_tokens + self.tokens
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": self.tokens, "total_tokens": total}

    # ---- in the worker's thread --------------------------------------------------------------------------------------

    def _work(self) -> str:
        self._tell(self._entered)
        turn = self.line.engine.begin(self.ask)
        self.prompt_tokens = turn.prompt_tokens
        room = self.line.engine.context - turn.prompt_tokens
        if room < 1:
            raise _too_long(turn.prompt_tokens, self.line.engine.context)
        stops = StopText(self.ask.stop)

        def on_text(piece: str) -> None:
            self._show(stops.add(piece))

        finish: Finish = turn.run(
            min(self.ask.max_tokens or room, room), on_text, lambda: stops.hit or self.stopped.is_set()
        )
        self.tokens = finish.tokens
        self._show(stops.rest())
        return "stop" if stops.hit else finish.reason

    def _show(self, text: str) -> None:
        if text:
            self._tell(self.ready.put_nowait, text)

    def _tell(self, what, *arguments) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server ends
            self.loop.call_soon_threadsafe(what, *arguments)

    # ---- in the event loop -------------------------------------------------------------------------------------------

    def _entered(self) -> None:
        self.waiting = False
        self.line.counts.requests_deferred -= 1
        self.line.counts.requests_processing += 1

    def _left(self) -> None:
        counts = self.line.counts
        if self.waiting:
            counts.requests_deferred -= 1
        else:
            counts.requests_processing -= 1
        counts.requests_cancelled_total += self.stopped.is_set()
        counts.prompt_tokens_total += self.prompt_tokens
        counts.tokens_predicted_total += self.tokens
        self.ready.put_nowait(END)


def _too_long(tokens: int, context: int) -> Refusal:
    what = (
        f"The request ({tokens} tokens) exceeds the available context size ({context} tokens), which the answer shares."
    )
    return Refusal(400, what, "context_length_exceeded", "messages")
