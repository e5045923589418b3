"""What an endpoint answers: a `Reply`, or a `Stream` that becomes one.

Taught in notebook 00, sections "The first answer" and "Streaming".
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.errors import EngineDied

if TYPE_CHECKING:
    from labkit.backends.base import Endpoint

__all__ = ["Reply", "Stream"]


@dataclass(frozen=True)
class Reply:
    """One finished answer.

    text: the answer. prompt_tokens, completion_tokens: counts by the engine. seconds: the whole call. first_token_seconds:
    until the first piece of content (None if not streamed). finish_reason: "stop", "length", "tool_calls". raw: the openai
    object (the last chunk of a stream). replayed: "" for a live engine, else where and when the answer was recorded.
    """

    text: str
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    first_token_seconds: float | None
    finish_reason: str
    raw: object = field(repr=False, default=None)
    replayed: str = ""

    @property
    def tokens_per_second(self) -> float:
        """Completion tokens per second of decoding: the time to the first token does not count when it is known."""
        if self.first_token_seconds is None or self.completion_tokens < 2:
            return self.completion_tokens / self.seconds if self.seconds else 0.0
        return (self.completion_tokens - 1) / max(self.seconds - self.first_token_seconds, 1e-9)

    def __str__(self) -> str:
        return self.text


class Stream:
    """An answer as it is written: iterate for pieces of text; afterwards `reply` holds the whole. `close()` cancels."""

    def __init__(self, endpoint: Endpoint, chunks, started: float):
        self.reply: Reply | None = None
        self._chunks = chunks
        self._pieces = self._read(endpoint, started)

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def __next__(self) -> str:
        return next(self._pieces)

    def close(self) -> None:
        """Stop reading and drop the connection, so that the engine stops generating."""
        self._chunks.close()
        if not self._pieces.gi_running:  # called from another thread while a piece is read: that read ends by itself
            self._pieces.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def _read(self, endpoint: Endpoint, started: float):
        text, first, finish, usage, chunk = [], None, None, None, None
        with endpoint._translated_errors():
            for chunk in self._chunks:
                usage = chunk.usage or usage
                if not chunk.choices:
                    continue
                finish = chunk.choices[0].finish_reason or finish
                if piece := chunk.choices[0].delta.content:
                    first = first or time.perf_counter() - started
                    text.append(piece)
                    yield piece
        if finish is None:
            raise EngineDied(
                f"{endpoint.backend} closed the connection in the middle of the answer.",
                "the engine was killed, or ran out of memory",
                "labkit doctor",
            )
        self.reply = Reply(
            text="".join(text),
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else len(text),
            seconds=time.perf_counter() - started,
            first_token_seconds=first,
            finish_reason=finish,
            raw=chunk,
            replayed=endpoint.replayed,
        )
