"""Tool calls for Agent Framework: `Agent(client=endpoint.chat_client(), tools=[…])` works on every engine.

ToolLayer takes an agent's tools out of the request, decides by itself (`decide`), and hands the call back as a function_call that
the framework then executes; results go to the model as plain text. Where engine and model call tools well by themselves, as
`endpoint.capabilities` probed, it steps aside. CallGuard runs each function with a time limit, a limit on its result, and never
repeats a call that may be half done.

Taught in notebook 04, section "Agent Framework".
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from agent_framework import (
    ChatContext,
    ChatMiddleware,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationContext,
    FunctionMiddleware,
    Message,
    ResponseStream,
)
from agent_framework.exceptions import MiddlewareException

from labkit.errors import ToolError
from labkit.tools.decide import Decision, decide
from labkit.tools.execute import Ledger, Result, key, shown
from labkit.tools.parallel import decide_all
from labkit.tools.prompt import answer_messages
from labkit.tools.talk import Usage, drive_async
from labkit.tools.tool import Tool, as_tools

__all__ = ["CallGuard", "ToolLayer", "layers"]

Next = Callable[[], Awaitable[None]]


def layers(endpoint: Any) -> list:
    """Return the middleware of an endpoint's chat client: the tool layer and the guard of its calls."""
    return [ToolLayer(endpoint), CallGuard()]


class ToolLayer(ChatMiddleware):
    """Decides tool calls instead of the engine.

    mode: "auto" (step aside where native calls work) or "two-stage", "schema", "native". `last` is the latest Decision,
    `usage` what all of them cost.

    Taught in notebook 04, section "Agent Framework".
    """

    def __init__(self, endpoint: Any, mode: str = "auto"):
        self.endpoint, self.mode = endpoint, mode
        self.last: Decision | None = None
        self.usage = Usage()

    async def process(self, context: ChatContext, call_next: Next) -> None:
        """Decide, answer from results, or let the request through without tools."""
        options = dict(context.options or {})
        things = options.get("tools") or []
        if not things or await self._native_works():
            return await call_next()
        results = _results(context.messages)
        choice = _choice(options.get("tool_choice"))
        context.options = {name: value for name, value in options.items() if name not in _TOOL_OPTIONS}
        if results:
            context.messages = _answering(context.messages, results)
            # Instructions come as an option too; beside the worked exchange they only distract a small model.
            context.options = {
                "temperature": 0,
                **{name: value for name, value in context.options.items() if name != "instructions"},
            }
            return await call_next()
        several = bool(options.get("allow_multiple_tool_calls") or options.get("parallel_tool_calls"))
        decision = await self._decide(context.messages, as_tools(_functions(things)), choice, several)
        if contents := _contents(decision):
            context.result = _response(contents, context.stream)
            return None
        context.messages = _plain(context.messages)
        return await call_next()

    async def _decide(self, messages: Sequence[Message], tools: list[Tool], choice: str, several: bool) -> Decision:
        talk = [{"role": str(one.role), "content": one.text} for one in messages if one.text]
        if several:
            steps = decide_all(talk, tools, choice)
        else:
            steps = decide(talk, tools, choice, "schema" if self.mode == "schema" else "two-stage")
        self.last = await drive_async(self.endpoint, steps, self.usage)
        return self.last

    async def _native_works(self) -> bool:
        if self.mode != "auto":
            return self.mode == "native"
        probed = await asyncio.to_thread(lambda: self.endpoint.capabilities)  # the first time takes seconds
        return probed["tools"] and probed["tool_choice"]


_TOOL_OPTIONS = ("tools", "tool_choice", "allow_multiple_tool_calls", "parallel_tool_calls")


def _functions(things: Any) -> list:
    return list(things) if isinstance(things, Sequence) else [things]


def _choice(wish: Any) -> str:
    """Return "auto", "required", "none" or a tool's name for what Agent Framework calls tool_choice."""
    if isinstance(wish, Mapping):
        return wish.get("required_function_name") or str(wish.get("mode", "auto"))
    return wish if wish in ("required", "none") else "auto"


def _results(messages: Sequence[Message]) -> list[str]:
    """Return the results at the end of the conversation, as text; none if the user has spoken since."""
    found = []
    for message in reversed(messages):
        texts = [_result_text(one) for one in message.contents if one.type == "function_result"]
        calls = any(one.type == "function_call" for one in message.contents)
        if not texts and not calls:
            break
        found = texts + found
    return found


def _result_text(content: Content) -> str:
    if content.exception:
        return f"Error: {content.exception}"
    return str(content.result if content.result is not None else "done")


def _answering(messages: Sequence[Message], results: list[str]) -> list[Message]:
    question = next((one.text for one in reversed(messages) if str(one.role) == "user" and one.text), "")
    return [Message(one["role"], [one["content"]]) for one in answer_messages(question, results)]


def _plain(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation without calls and results: a small model would echo their JSON."""
    return [one for one in messages if one.text and str(one.role) != "tool"]


def _contents(decision: Decision) -> list[Content]:
    """Return what the assistant says by itself: calls, a question back, or why it cannot; [] if the model shall answer."""
    if decision.calls:
        return [
            Content.from_function_call(call_id=one.id, name=one.tool.name, arguments=one.arguments)
            for one in decision.calls
        ]
    if decision.question:
        return [Content.from_text(decision.question)]
    if decision.error:
        return [Content.from_text(f"I could not do that. {decision.error.what} {decision.error.why}".strip())]
    return []


def _response(contents: list[Content], stream: bool) -> ChatResponse | ResponseStream:
    calls = any(one.type == "function_call" for one in contents)
    reason = "tool_calls" if calls else "stop"
    if not stream:
        return ChatResponse(messages=[Message("assistant", contents)], finish_reason=reason)

    async def updates() -> AsyncIterator[ChatResponseUpdate]:
        yield ChatResponseUpdate(contents=contents, role="assistant", finish_reason=reason)

    return ResponseStream(updates(), finalizer=ChatResponse.from_updates)


class CallGuard(FunctionMiddleware):
    """Runs an agent's functions with a `ledger`: time limit, size limit, nothing half done is repeated. One a conversation.

    Taught in notebook 04, section "Agent Framework".
    """

    def __init__(self, ledger: Ledger | None = None):
        self.ledger = ledger or Ledger()

    async def process(self, context: FunctionInvocationContext, call_next: Next) -> None:
        """Execute the function; what goes wrong becomes a typed error in words that the agent sees."""
        name, ledger = context.function.name, self.ledger
        mark = key(name, dict(context.arguments or {}))
        repeatable = bool(getattr(context.function.func, "repeatable", False))
        try:
            ledger.begin(mark, Tool(name, "", {}, repeatable=repeatable))
        except ToolError as error:
            context.result = Result.of_error(error).text
            return
        try:
            await asyncio.wait_for(_run(context, call_next), ledger.seconds)
        except TimeoutError:
            context.result = f"Error: {name} did not end within {ledger.seconds:g} s."
            return  # it may still go on: the call stays unfinished
        except MiddlewareException:  # the framework's own signal, as of a handoff: no failure of the tool
            ledger.finish(mark)
            raise
        except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the agent shall see what
            ledger.finish(mark)
            context.result = f"Error: {name} failed. {type(error).__name__}: {str(error)[:200]}"
            return
        ledger.finish(mark)
        context.result = _cut(context.result, ledger.characters)


async def _run(context: FunctionInvocationContext, call_next: Next) -> None:
    """Run an async function here, any other in a thread: a function that hangs must not hang the agent."""
    if inspect.iscoroutinefunction(context.function.func):
        return await call_next()
    loop, done = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error else done.set_result(None)

    def work() -> None:
        error: BaseException | None = None
        try:
            asyncio.run(_awaited(call_next))
        except BaseException as raised:  # noqa: BLE001 - it crosses over to the event loop and is raised there
            error = raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, error)

    import contextvars

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True).start()
    await done


async def _awaited(call_next: Next) -> None:
    await call_next()


def _cut(result: Any, characters: int) -> Any:
    """Return a result with no more than so many characters of text."""
    if isinstance(result, str):
        return shown(result, characters)
    if isinstance(result, list):
        return [
            Content.from_text(_cut(one.text, characters)) if getattr(one, "type", "") == "text" else one
            for one in result
        ]
    return result
