"""The guards as Agent Framework middleware.

    agent = Agent(client=endpoint.chat_client(), tools=[…], middleware=guarded())

What the user says is judged before anything is stored; what a tool returns before the model reads it; what the model answers before
anybody sees it or it enters the history: a streamed answer is held back until it is whole. Blocked is raised out of agent.run.

Taught in notebook 10, section "A kiosk", and in notebook 11, section "A poisoned result".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Any

from agent_framework import (
    AgentContext,
    AgentMiddleware,
    ChatContext,
    ChatMiddleware,
    ChatResponse,
    ChatResponseUpdate,
    Content,
    FunctionInvocationContext,
    FunctionMiddleware,
    Message,
)
from agent_framework.exceptions import MiddlewareException

from labkit.errors import ToolFailed
from labkit.operate.guardrails import Guardrails, standard
from labkit.operate.limits import RateLimit
from labkit.tools.execute import shown

__all__ = ["GuardAnswers", "GuardQuestions", "GuardTools", "guarded"]

Next = Callable[[], Awaitable[None]]
RESULT = 1_000_000  # characters of a tool's result that are looked at; the guard of its size then cuts it further


def guarded(rails: Guardrails | None = None, rate: RateLimit | None = None, key: str = "") -> list:
    """Return the middleware of one agent. rate: how often `key` may ask it; RateLimited comes out of agent.run.

    Taught in notebook 10, section "A kiosk".
    """
    rails = rails or standard()
    return [GuardQuestions(rails, rate, key), GuardAnswers(rails, key), GuardTools(rails, key)]


class GuardQuestions(AgentMiddleware):
    """Judges what comes in from outside, whoever is named as its author; what may be system text comes from the agent itself."""

    def __init__(self, rails: Guardrails, rate: RateLimit | None = None, key: str = ""):
        self.rails, self.rate, self.key = rails, rate, key

    async def process(self, context: AgentContext, call_next: Next) -> None:
        """Let the run begin, with the texts that may go on. Raises RateLimited, Blocked."""
        if self.rate:
            self.rate.take(self.key)
        context.messages = [_judged(one, self._check) for one in context.messages]
        await call_next()

    def _check(self, text: str) -> str:
        return self.rails.check("input", text, key=self.key)


class GuardAnswers(ChatMiddleware):
    """Judges what the model writes, each time that it is asked."""

    def __init__(self, rails: Guardrails, key: str = ""):
        self.rails, self.key = rails, key

    async def process(self, context: ChatContext, call_next: Next) -> None:
        """Pass on the model's answer as the guards let it through. Raises Blocked."""
        if context.stream:
            context.stream_buffer_updates = True
            context.stream_result_transforms.append(self._response)
            context.stream_result_to_updates = _updates
            return await call_next()
        await call_next()
        if isinstance(context.result, ChatResponse):
            context.result = self._response(context.result)

    def _response(self, response: ChatResponse) -> ChatResponse:
        response.messages = [_judged(one, self._check) for one in response.messages]
        return response

    def _check(self, text: str) -> str:
        return self.rails.check("output", text, key=self.key)


class GuardTools(FunctionMiddleware):
    """Judges what a tool returns: it is data, and no instruction."""

    def __init__(self, rails: Guardrails, key: str = ""):
        self.rails, self.key = rails, key

    async def process(self, context: FunctionInvocationContext, call_next: Next) -> None:
        """Run the tool and put what the guards let through in place of its result; what they block, the model never reads."""
        name = context.function.name

        def check(text: str) -> str:
            return self.rails.check("tool result", text, tool=name, key=self.key)

        try:
            await call_next()
        except MiddlewareException:  # another layer's decision, and no words from outside
            raise
        except Exception as error:  # a tool may raise anything, and its words come from outside as its result does
            raise ToolFailed(f"{name} failed.", check(f"{type(error).__name__}: {error}"[:RESULT]), "") from error
        context.result = _checked_result(context.result, check)


def _checked_result(result: Any, check: Callable[[str], str]) -> Any:
    if result is None:
        return None
    if isinstance(result, Content):
        return _judged_content(result, check)
    if isinstance(result, list) and any(isinstance(one, Content) for one in result):
        return [
            _judged_content(one, check) if isinstance(one, Content) else check(shown(one, RESULT)) for one in result
        ]
    return check(shown(result, RESULT))


def _judged(message: Message, check: Callable[[str], str]) -> Message:
    """Return the message with its texts as `check` gives them back; the caller's own stays as it was."""
    new = copy(message)
    new.contents = [_judged_content(one, check) for one in message.contents]
    return new


def _judged_content(content: Content, check: Callable[[str], str]) -> Content:
    if content.type not in ("text", "text_reasoning") or not content.text:
        return content
    text = check(content.text)
    if text == content.text:
        return content
    new = copy(content)
    new.text = text
    return new


def _updates(response: ChatResponse) -> Sequence[ChatResponseUpdate]:
    return [
        ChatResponseUpdate(contents=one.contents, role=one.role, finish_reason=response.finish_reason)
        for one in response.messages
    ]
