"""When an engine fails: try again, leave it alone for a while, ask the next one.

    retrying(lambda: endpoint.chat(prompt))                       # stamina's pauses, only for what may pass by itself
    Breaker().call(lambda: endpoint.chat(prompt))                 # after five failures in a row: CircuitOpen, at once
    Fallback([fast, slow]).chat(prompt).by                        # who gave the answer
    call_tool(ledger, tool, arguments)                            # again only if the tool says that it is repeatable

A chat request changes nothing, so it may be repeated. A tool may change something: one that is not repeatable is called once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import stamina

from labkit.backends.answer import Reply
from labkit.backends.base import Endpoint, Messages
from labkit.errors import (
    CircuitOpen,
    ConfigError,
    EngineDied,
    EngineError,
    EngineTimeout,
    LabkitError,
    Refused,
    ToolTimeout,
)
from labkit.tools.execute import Ledger, Result
from labkit.tools.tool import Tool

__all__ = ["Answer", "Breaker", "Fallback", "call_tool", "retrying", "transient"]

T = TypeVar("T")


def transient(error: BaseException) -> bool:
    """Return whether the same request may well succeed later: the engine died or was late, or it said 429 or 5xx."""
    if isinstance(error, Refused):
        status = getattr(error.__cause__, "status_code", None) or 0
        return status == 429 or status >= 500
    return isinstance(error, EngineDied | EngineTimeout)


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


class Breaker:
    """A circuit breaker. "closed": calls pass. After `failures` transient ones in a row "open": CircuitOpen at once, for
    `rest` seconds. Then "half-open": one call may try; it closes the circuit, or opens it again. Thread-safe.

    Taught in notebook 10, section "When it fails".
    """

    def __init__(
        self, failures: int = 5, rest: float = 30.0, clock: Callable[[], float] = time.monotonic, name: str = ""
    ):
        if failures < 1 or not rest > 0:
            raise ConfigError(f"A breaker of {failures} failures and {rest} s makes no sense.", "both are above 0", "")
        self.failures, self.rest, self.clock, self.name = failures, rest, clock, name
        self._failed, self._opened, self._trying, self._epoch = 0, None, False, 0
        self._lock = threading.Lock()

    @property
    def state(self) -> str:
        """ "closed", "open" or "half-open"."""
        with self._lock:
            return self._state()

    def call(self, function: Callable[[], T]) -> T:
        """Return what `function()` returns. Raises CircuitOpen without calling it, or whatever it raises."""
        epoch = self._enter()
        try:
            value = function()
        except BaseException as error:
            # Stopped by hand, it says nothing about the engine; a bad request was answered, so the engine is there.
            self._leave(epoch, transient(error) if isinstance(error, Exception) else None)
            raise
        self._leave(epoch, False)
        return value

    def _state(self) -> str:
        if self._opened is None:
            return "closed"
        self._opened = min(self._opened, self.clock())  # a clock that went back must not keep it open for longer
        return "half-open" if self.clock() - self._opened >= self.rest else "open"

    def _enter(self) -> int:
        with self._lock:
            state = self._state()
            if state == "open" or self._trying:
                what = f"{self.name or 'The endpoint'} failed {self._failed} times and is left alone."
                raise CircuitOpen(what, f"the next try is {self.rest:g} s after the last failure", "labkit doctor")
            self._trying = state == "half-open"
            return self._epoch

    def _leave(self, epoch: int, failed: bool | None) -> None:
        with self._lock:
            if epoch != self._epoch:
                return  # begun before the circuit last opened or closed: old news
            trying, self._trying = self._trying, False
            if failed:
                self._failed += 1
                if trying or self._failed >= self.failures:
                    self._opened, self._epoch = self.clock(), self._epoch + 1
            elif failed is not None:
                self._failed = 0
                if trying:
                    self._opened, self._epoch = None, self._epoch + 1


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
            except (EngineError, Refused, CircuitOpen) as error:
                if not (transient(error) or isinstance(error, CircuitOpen)):
                    raise
                tried.append(f"{_name(endpoint)}: {type(error).__name__}: {error.what}")
        raise EngineDied(f"None of {len(self.endpoints)} endpoints answered.", "; ".join(tried), "labkit doctor")


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.backend}/{endpoint.model}"
