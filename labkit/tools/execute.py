"""Execute one checked call: with a time limit, a limit on the size of its result, and never twice if it may be half done.

    ledger = Ledger()
    ledger.run(tool, {"order_id": "A-1"}).text

What goes wrong inside a tool becomes a typed error whose words the agent sees; nothing else gets out.

Taught in notebook 04, section "When a tool fails".
"""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import BadCall, Denied, LabkitError, ToolError, ToolFailed, ToolTimeout, UnfinishedCall
from labkit.tools.schema import check
from labkit.tools.tool import Tool

__all__ = ["Ledger", "Result", "key", "shown"]

SECONDS, CHARACTERS = 30.0, 4000


@dataclass(frozen=True)
class Result:
    """What a call gave: `text` for the model (cut to a size), `ok`, the raw `value`, the typed `error` if any, `seconds`.

    Taught in notebook 04, section "When a tool fails".
    """

    text: str
    ok: bool
    value: Any = field(repr=False, default=None)
    error: ToolError | None = None
    seconds: float = 0.0

    @classmethod
    def of_error(cls, error: ToolError, seconds: float = 0.0) -> Result:
        """Return what a call gives that failed, or was not made: the error's words."""
        return cls(f"Error: {error.what} {error.why}".strip(), False, None, error, seconds)


@dataclass
class Ledger:
    """Remembers which calls were begun and have not finished. One ledger a conversation.

    seconds: time limit of a call. characters: how much of a result the model gets to see. A call that was begun and has no end
    (it hung, or the turn was cancelled) may have happened or not: it is not made again unless the tool is `repeatable`.

    Taught in notebook 04, section "When a tool fails".
    """

    seconds: float = SECONDS
    characters: int = CHARACTERS
    begun: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def run(self, tool: Tool, arguments: dict) -> Result:
        """Execute `tool`; every failure is a Result with `ok` False. Cancelling (KeyboardInterrupt) leaves the call unfinished."""
        started = time.perf_counter()
        try:
            value = self.call(tool, arguments)
            return Result(shown(value, self.characters), True, value, None, time.perf_counter() - started)
        except ToolError as error:
            return Result.of_error(error, time.perf_counter() - started)

    def call(self, tool: Tool, arguments: dict) -> Any:
        """Return what `tool` returns. Raises BadCall, ToolFailed, ToolTimeout, UnfinishedCall."""
        if tool.function is None:
            raise ToolFailed(f"{tool.name} has no function here.", "it is only declared", "")
        if problems := check(arguments, tool.parameters):
            raise BadCall(f"{tool.name} was not called.", "; ".join(problems)[:300], "")
        mark = key(tool.name, arguments)
        self.begin(mark, tool)
        return _with_limit(tool, arguments, self.seconds, lambda: self.finish(mark))

    def begin(self, mark: str, tool: Tool) -> None:
        """Note that a call begins. Raises UnfinishedCall if the same one was begun before and not finished."""
        with self._lock:
            if self.begun.get(mark) == "begun" and not tool.repeatable:
                raise UnfinishedCall(
                    f"{tool.name} was begun before with the same arguments and not finished.",
                    "it may have happened or not, so it is not repeated",
                    "",
                )
            self.begun[mark] = "begun"

    def finish(self, mark: str) -> None:
        """Note that a call has come to its end, well or badly."""
        with self._lock:
            self.begun.pop(
                mark, None
            )  # a ledger that lives as long as an engine's client must not grow with every call

    def unfinished(self) -> list[str]:
        """Return the calls that were begun and never finished, as name and arguments."""
        with self._lock:
            return [mark for mark, state in self.begun.items() if state == "begun"]


def key(name: str, arguments: dict) -> str:
    """Return the same text for the same call."""
    return f"{name}({json.dumps(arguments, sort_keys=True, default=str)})"


def shown(value: Any, characters: int = CHARACTERS) -> str:
    """Return `value` as text for the model, at most `characters` long, with a note if something was cut."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolFailed("The tool's result cannot be shown as text.", str(error)[:200], "") from error
    if len(text) <= characters:
        return text
    return f"{text[:characters]} [cut: {characters} of {len(text)} characters]"


def _with_limit(tool: Tool, arguments: dict, seconds: float, finished: Callable[[], None]) -> Any:
    box: dict[str, Any] = {}

    def work() -> None:
        try:
            value = tool.function(**arguments)
            box["value"] = asyncio.run(_awaited(value)) if inspect.isawaitable(value) else value
        except BaseException as error:  # noqa: BLE001 - it crosses over to the waiting thread and is raised there
            box["error"] = error
        finished()

    thread = threading.Thread(target=work, name=f"tool {tool.name}", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise ToolTimeout(f"{tool.name} did not end within {seconds:g} s.", "it goes on in the background", "")
    if error := box.get("error"):
        raise _failure(tool, error) from error
    return box.get("value")


async def _awaited(value: Any) -> Any:
    return await value


def _failure(tool: Tool, error: BaseException) -> ToolError:
    if isinstance(error, Denied):
        return error  # it was not executed: that is another thing than failing
    if isinstance(error, LabkitError):
        return ToolFailed(f"{tool.name}: {error.what}", error.why, error.fix)
    return ToolFailed(f"{tool.name} failed.", f"{type(error).__name__}: {str(error)[:200]}", "")
