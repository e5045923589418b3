"""The steps of a turn as they are done: a question to the model or a call of a tool, in the background, watched and written down.

What a cancelled turn leaves under way goes on: a thread cannot be killed. So the call is remembered. Asked for again, it is not
made again: either it is still under way, or it has come to its end since, and then its own late result is the answer.

At work in notebook 13, section "A first agent".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from labkit.agents.memory import Memory
from labkit.agents.policies import Move
from labkit.agents.trace import Step, Turn, call_text
from labkit.agents.watch import Watch, background
from labkit.errors import UnfinishedCall
from labkit.tools import Call, Ledger, Result, Usage
from labkit.tools.execute import key

__all__ = ["Work"]


class Work:
    """Does the steps of one conversation; `ledger` runs the calls."""

    def __init__(self, ledger: Ledger):
        self.ledger, self._left = ledger, {}

    def ask(self, turn: Turn, kind: str, question: Callable[[Usage], Any], watch: Watch) -> Any:
        """Return what `question(usage)` returns, and write the step down, whatever comes. Raises Stopped, and what it raises."""
        usage, started, made = Usage(), time.perf_counter(), None
        try:
            made = watch.wait(background(lambda: question(usage)))
            return made
        finally:
            by = "model" if usage.asks or made is None else "rule"
            what, result = _told(made, kind)
            tokens, seconds = usage.prompt_tokens + usage.completion_tokens, time.perf_counter() - started
            turn.steps.append(Step(kind, by, what, result, made is not None, tokens, seconds))

    def call(self, turn: Turn, call: Call, watch: Watch, memory: Memory) -> None:
        """Make the call once; write the step down and put its result into memory, whatever comes. Raises Stopped."""
        started, result = time.perf_counter(), _unfinished(call)
        try:
            result = self._once(call, watch) or result
        finally:
            memory.add({"role": "tool", "tool_call_id": call.id, "content": result.text})
            made, seconds = {"name": call.tool.name, "arguments": call.arguments}, time.perf_counter() - started
            turn.steps.append(Step("call", "tool", call_text(**made), result.text, result.ok, 0, seconds, made))

    def under_way(self) -> str:
        """Say which calls may have happened or not: begun, and without an end that anybody has seen."""
        return " ".join(f"{mark} was begun and may have happened: I shall not repeat it." for mark in self._left)

    def _once(self, call: Call, watch: Watch) -> Result | None:
        """Return the call's result, an earlier one's if that has come since; None while the earlier one is still under way."""
        mark = key(call.tool.name, call.arguments)
        running = None if call.tool.repeatable else self._left.get(mark)
        if running and not running.done():
            return None
        if not running:
            running = Future()
            if not call.tool.repeatable:
                self._left[mark] = running  # before it starts: then an interrupt cannot come in between
            background(lambda: self.ledger.run(call.tool, call.arguments), running)
        result = watch.wait(running)
        self._left.pop(mark, None)
        return result


def _told(made: Any, kind: str) -> tuple[str, str]:
    """Return what was decided, and the text that came of it."""
    if not isinstance(made, Move):
        return ("put into words" if made is not None else f"{kind}: no end was seen"), made or ""
    calls = ", ".join(call_text(one.tool.name, one.arguments) for one in made.calls)
    return f"{calls or 'no call'} ({made.why})", made.text


def _unfinished(call: Call) -> Result:
    error = UnfinishedCall(
        f"{call.tool.name} was begun with these arguments, and no end was seen.",
        "it may have happened or not, so it is not repeated",
        "",
    )
    return Result.of_error(error)
