"""When an engine fails: try again, leave it alone for a while, ask the next one.

    retrying(lambda: endpoint.chat(prompt))                       # stamina's pauses, only for what may pass by itself
    Breaker().call(lambda: endpoint.chat(prompt))                 # after five failures in a row: CircuitOpen, at once
    Fallback([fast, slow]).chat(prompt).by                        # who gave the answer; stream(prompt): as it is written
    call_tool(ledger, tool, arguments)                            # again only if the tool says that it is repeatable

A chat request changes nothing, so it may be repeated, until a piece of its answer was shown: then it breaks off, and says what was
said. A tool may change something: one that is not repeatable is called once.

Taught in notebook 10, section "When it fails".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

import stamina

from labkit.backends.answer import Reply, Stream
from labkit.backends.base import Endpoint, Messages
from labkit.errors import (
    AnswerBroken,
    CircuitOpen,
    ConfigError,
    EngineDied,
    EngineError,
    LabkitError,
    ToolTimeout,
)
from labkit.operate.breaker import Breaker, transient
from labkit.tools.execute import Ledger, Result
from labkit.tools.tool import Tool

__all__ = ["Answer", "Breaker", "Fallback", "FallbackStream", "call_tool", "retrying", "transient"]

T = TypeVar("T")


def retrying(call: Callable[[], T], attempts: int = 3, seconds: float = 30.0, pause: float = 0.1) -> T:
    """Return what `call()` returns, tried up to `attempts` times within `seconds`, after growing pauses with jitter.

    Only for calls that change nothing. Raises what the last attempt raised; at once if it is not `transient`.
    """
    hook = lambda error: transient(error)  # noqa: E731 - stamina wants a hook, and takes a class for an exception type
    for attempt in stamina.retry_context(hook, attempts, seconds, wait_initial=pause, wait_jitter=pause):
        with attempt:
            return call()
    raise AssertionError("stamina ends with a value or an error")


def call_tool(ledger: Ledger, tool: Tool, arguments: dict, attempts: int = 3, pause: float = 0.1) -> Result:
    """Execute a tool; again, after what may pass by itself, only if it is `repeatable`. Never raises: see Ledger.run.

    Taught in notebook 10, section "When it fails".
    """
    last = Result("", False)

    def once() -> Result:
        nonlocal last
        last = ledger.run(tool, arguments)
        if _passing(last):
            raise last.error
        return last

    if not tool.repeatable:
        return ledger.run(tool, arguments)
    try:
        for attempt in stamina.retry_context(LabkitError, attempts, wait_initial=pause, wait_jitter=pause):
            with attempt:
                once()
    except LabkitError:
        pass  # it stands in the result, as every failure of a tool does
    return last


def _passing(result: Result) -> bool:
    error = result.error
    return isinstance(error, ToolTimeout) or isinstance(getattr(error, "__cause__", None), OSError | EngineError)


@dataclass(frozen=True)
class Answer:
    """A reply, `by` whom (engine and model), and what went wrong before: one line an endpoint."""

    reply: Reply
    by: str
    tried: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The reply's text."""
        return self.reply.text


class Fallback:
    """Endpoints in order of preference: each behind a breaker of its own, the next asked when one does not answer.

    Taught in notebook 10, section "When it fails".
    """

    def __init__(self, endpoints: Sequence[Endpoint], attempts: int = 1, failures: int = 3, rest: float = 30.0):
        if not endpoints:
            raise ConfigError("There is no endpoint to ask.", "the list is empty", "labkit backends")
        self.attempts = attempts
        self.endpoints = [(one, Breaker(failures, rest, name=_name(one))) for one in endpoints]

    def chat(self, prompt: Messages, **parameters) -> Answer:
        """Return the first answer. Raises EngineDied when none answers; what every endpoint would refuse, it raises at once."""
        tried: list[str] = []
        for endpoint, breaker in self.endpoints:
            try:
                reply = retrying(lambda: breaker.call(lambda: endpoint.chat(prompt, **parameters)), self.attempts)  # noqa: B023
                return Answer(reply, _name(endpoint), tuple(tried))
            except LabkitError as error:
                tried.append(_noted(endpoint, error))
        raise self._silence(tried)

    def stream(self, prompt: Messages, **parameters) -> FallbackStream:
        """Return the answer as it is written: nobody is asked before it is read, and the next one only while nothing was said.

        Reading raises what `chat` raises, and AnswerBroken when the engine fails after its first piece.
        """
        return FallbackStream(self, prompt, parameters)

    def _silence(self, tried: Sequence[str]) -> EngineDied:
        return EngineDied(f"None of {len(self.endpoints)} endpoints answered.", "; ".join(tried), "labkit doctor")


class FallbackStream:
    """Pieces of one answer, never of two: iterate for texts.

    `by` whom, what was `tried` before, what was `said` so far, and at the end the `reply`. `close()` cancels.
    """

    def __init__(self, fallback: Fallback, prompt: Messages, parameters: dict):
        self.by, self.said, self.reply = "", "", None
        self.tried: list[str] = []
        self._stream: Stream | None = None
        self._pieces = self._read(fallback, prompt, parameters)

    def __iter__(self) -> Iterator[str]:
        return self._pieces

    def __next__(self) -> str:
        return next(self._pieces)

    def __enter__(self) -> FallbackStream:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading, so that the engine stops generating."""
        if self._stream:
            self._stream.close()
        if not self._pieces.gi_running:
            self._pieces.close()

    def _read(self, fallback: Fallback, prompt: Messages, parameters: dict) -> Iterator[str]:
        for endpoint, breaker in fallback.endpoints:
            try:
                pieces, first = retrying(lambda: self._begun(endpoint, breaker, prompt, parameters), fallback.attempts)  # noqa: B023
                self.by = _name(endpoint)
                with closing(pieces):
                    if first is not None:
                        yield first
                        yield from pieces
                return
            except LabkitError as error:
                if self.said:
                    what = f"{self.by} broke off in the middle of its answer, after {len(self.said)} characters."
                    raise AnswerBroken(what, error.what, "ask again, or go on from `said`", self.said) from error
                self.tried.append(_noted(endpoint, error))
        raise fallback._silence(self.tried)

    def _begun(self, endpoint: Endpoint, breaker: Breaker, prompt: Messages, parameters: dict) -> tuple:
        """Return the pieces of one engine's answer, and the first of them: until it is there, another one may be asked."""
        pieces = self._of(endpoint, breaker, prompt, parameters)
        return pieces, next(pieces, None)

    def _of(self, endpoint: Endpoint, breaker: Breaker, prompt: Messages, parameters: dict) -> Iterator[str]:
        with breaker.attempt(), endpoint.stream(prompt, **parameters) as self._stream:
            for piece in self._stream:
                self.said += piece
                yield piece
            self.reply = self._stream.reply


def _noted(endpoint: Endpoint, error: LabkitError) -> str:
    """Return the line that says who could not answer and why. Raises what every endpoint would refuse."""
    if not (transient(error) or isinstance(error, CircuitOpen)):
        raise error
    return f"{_name(endpoint)}: {type(error).__name__}: {error.what}"


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.backend}/{endpoint.model}"
