"""Who spoke to whom: every turn of every agent becomes a Hop, with its tokens, its seconds, its tools and its error.

The framework runs the agents; Turn listens, as one of each agent's middlewares. It also holds what a turn may not do: take longer
than its time, or leave the machine with something private.

Taught in notebook 09, section "A line".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent_framework import AgentContext, AgentMiddleware, AgentResponse, Message
from agent_framework.exceptions import AgentFrameworkException

from labkit.agents.hybrid import Request, not_private
from labkit.errors import LabkitError, Refused, UnsupportedParameter
from labkit.tools.middleware import Next, ToolLayer

__all__ = ["USER", "Hop", "Trace", "Turn"]

USER = "user"
FAILURES = (AgentFrameworkException, LabkitError, TimeoutError)


@dataclass(frozen=True)
class Hop:
    """One turn: `agent` heard `source` and said `text`.

    began, seconds: when it began after the run did, and how long it took. tokens_in, tokens_out: of all its model calls, the tool
    layer's among them. calls: (tool, arguments) of what it called. to: to whom it handed over, or "". error: why there is no
    answer, or "".

    Taught in notebook 09, section "A line".
    """

    source: str
    agent: str
    text: str = ""
    began: float = 0.0
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    calls: tuple[tuple[str, dict], ...] = ()
    to: str = ""
    error: str = ""


@dataclass
class Trace:
    """The hops of one run, in the order in which they ended.

    hub: the agent that leads a group, if one does; each then hears whoever spoke last. private: whether
    the request may not leave this machine.

    Taught in notebook 09, section "A line".
    """

    hub: str = ""
    hops: list[Hop] = field(default_factory=list)
    private: bool = False
    started: float = field(default_factory=time.perf_counter)

    def clear(self, private: bool = False) -> None:
        """Forget the hops: a new run begins."""
        self.hops.clear()
        self.private, self.started = private, time.perf_counter()

    def source(self, agent: str, messages: Sequence[Message]) -> str:
        """Return whom `agent` hears: who handed over to it, who spoke last in a led group, else the last message's other author."""
        last = self.hops[-1] if self.hops else None
        if last and last.to == agent:
            return last.agent
        if self.hub:  # one speaks at a time; the hub hears itself when it thinks on without asking anybody
            return last.agent if last else USER
        others = [one.author_name for one in messages if one.author_name and one.author_name != agent]
        return others[-1] if others else USER


@dataclass
class Turn(AgentMiddleware):
    """Notes a turn of an agent in `trace`.

    layer: the tool layer of its client, whose tokens count too. seconds: its time. goes_on: a failure becomes an answer that says
    who failed, so that the others go on; else it is raised. remote: it runs on another machine, so nothing private goes to it.

    Taught in notebook 09, section "Side by side".
    """

    trace: Trace
    layer: ToolLayer
    seconds: float = 60.0
    goes_on: bool = False
    remote: bool = False

    async def process(self, context: AgentContext, call_next: Next) -> None:
        """Let the agent speak, and note how that went. Raises UnsupportedParameter for a streamed run, which has no end to note."""
        if context.stream:
            raise UnsupportedParameter(
                "A traced team does not stream.", "its hops are known at their end", "await team.run(…)"
            )
        name, began, usage = context.agent.name or "", time.perf_counter(), self.layer.usage
        source = self.trace.source(name, context.messages)
        before = usage.prompt_tokens, usage.completion_tokens
        error = "cancelled"
        try:
            self._door(context.messages)
            await asyncio.wait_for(call_next(), self.seconds)
            error = ""
        except FAILURES as failure:
            error = _why(failure, self.seconds)
            if not self.goes_on:
                raise
            context.result = AgentResponse(
                messages=[Message("assistant", [f"{name} failed: {error}"], author_name=name)]
            )
        finally:
            spent = usage.prompt_tokens - before[0], usage.completion_tokens - before[1]
            times = began - self.trace.started, time.perf_counter() - began
            self.trace.hops.append(_hop(source, name, context.result, times, spent, error))

    def _door(self, messages: Sequence[Message]) -> None:
        """Refuse what may not leave: here, at the only way out, whatever way through the team led to it."""
        text = "\n".join(one.text for one in messages)
        if self.remote and not not_private(Request(text, (), private=self.trace.private)):
            raise Refused("This request may not leave.", "it is marked as private", "ask a person")


def _why(failure: BaseException, seconds: float) -> str:
    if isinstance(failure, TimeoutError):
        return f"no answer within {seconds:g} s"
    text = failure.what if isinstance(failure, LabkitError) else str(failure)
    return f"{type(failure).__name__}: {text[:160]}"


def _hop(source: str, name: str, result, times: tuple[float, float], spent: tuple[int, int], error: str) -> Hop:
    messages = result.messages if result is not None else []
    usage = (result.usage_details if result is not None else None) or {}
    contents = [content for one in messages for content in one.contents]
    calls = tuple((one.name, dict(one.parse_arguments() or {})) for one in contents if one.type == "function_call")
    to = next((call.removeprefix("handoff_to_") for call, _ in calls if call.startswith("handoff_to_")), "")
    said = [one.text for one in messages if one.role == "assistant" and one.text]
    return Hop(
        source,
        name,
        said[-1] if said else "",
        *times,
        (usage.get("input_token_count") or 0) + spent[0],
        (usage.get("output_token_count") or 0) + spent[1],
        calls,
        to,
        error,
    )
