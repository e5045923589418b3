"""Who decides what an agent does next: labkit's tool layer, or the engine with tools of its own. And how it puts it into words.

A policy takes (endpoint, memory, tools, usage) and returns a Move. Write your own to try another one:
ToolAgent(endpoint, tools, decide=my_policy).

At work in notebook 13, section "A first agent".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.agents.memory import Memory
from labkit.agents.trace import Outcome
from labkit.agents.watch import Watch
from labkit.errors import LabkitError, RequestError
from labkit.tools import Call, Tool, Usage, call
from labkit.tools.decide import named, request_of
from labkit.tools.prompt import answer_messages
from labkit.tools.reading import read_arguments

__all__ = ["Move", "Policy", "answer_from", "by_engine", "by_layer", "policy_for", "results_of"]

ANSWER_TOKENS = 120


@dataclass
class Move:
    """What to do next: make `calls`; without any, say `text`; without that, let the model answer. why: the reasons, in a line."""

    calls: list[Call] = field(default_factory=list)
    text: str = ""
    why: str = ""
    outcome: Outcome = Outcome.ANSWERED
    error: LabkitError | None = None


Policy = Callable[[Any, Memory, Sequence[Tool], Usage], Move]


def policy_for(endpoint: Any) -> Policy:
    """Return `by_engine` where engine and model were seen to call tools by themselves, else `by_layer`."""
    probed = endpoint.capabilities
    return by_engine if probed["tools"] and probed["tool_choice"] else by_layer


def by_layer(endpoint: Any, memory: Memory, tools: Sequence[Tool], usage: Usage) -> Move:
    """Let labkit.tools decide: words and types first, the model where they don't. Once there are results, it is answered.

    A request of several sentences may want several calls (under Agent Framework: options={"allow_multiple_tool_calls": True}).
    """
    if results_of(memory):
        return Move(why="the results are here")
    decision = call(endpoint, memory.messages, tools, parallel=True, usage=usage)
    why = "; ".join(decision.trace)
    if decision.question:
        return Move(text=decision.question, why=why, outcome=Outcome.ASKED)
    if decision.error:
        text = f"I could not do that. {decision.error.what} {decision.error.why}".strip()
        return Move(text=text, why=why, outcome=Outcome.REFUSED, error=decision.error)
    return Move(decision.calls, why=why)


def by_engine(endpoint: Any, memory: Memory, tools: Sequence[Tool], usage: Usage) -> Move:
    """Let the engine's own tool calls decide, every time anew. Raises UnsupportedParameter where it would ignore the tools."""
    parameters = {"tools": [tool.to_openai() for tool in tools]} if tools else {}
    reply = endpoint.chat(memory.fit(), **parameters)
    usage.add(reply, reply.seconds)
    written = reply.raw.choices[0].message.tool_calls or []
    calls = [_call(one.function.name, one.function.arguments, tools) for one in written]
    return Move(calls, reply.text, f"the engine wrote {len(calls)} calls" if calls else "the engine answered")


def _call(name: str, arguments: str, tools: Sequence[Tool]) -> Call:
    """Return what the engine wrote as a Call; its arguments are checked where it is executed. Raises UnknownTool, BadCall."""
    return Call(named(name, tools), read_arguments(arguments))


def results_of(memory: Memory) -> list[str]:
    """Return what the tools have given since the user spoke last, as texts."""
    found: list[str] = []
    for message in reversed(memory.messages):
        if message["role"] == "user":
            break
        if message["role"] == "tool":
            found.insert(0, message["content"])
    return found


def answer_from(endpoint: Any, memory: Memory, tokens: int, watch: Watch, usage: Usage) -> str:
    """Return the model's answer: from this turn's results, or from the conversation. At most `tokens` long.

    Results that do not fit the window are given as they are: they are worth more than no answer. Raises Stopped, ContextTooLong.
    """
    results, most = results_of(memory), max(1, min(ANSWER_TOKENS, tokens))
    if not results:
        return _written(endpoint, memory.plain(), most, watch, usage)
    asked = answer_messages(request_of(memory.messages).text, results)
    try:
        return _written(endpoint, asked, most, watch, usage)
    except RequestError:
        return "\n".join(results)


def _written(endpoint: Any, messages: list[dict], most: int, watch: Watch, usage: Usage) -> str:
    with endpoint.stream(messages, max_tokens=most) as stream:
        for _ in stream:
            watch.check()  # leaving the block drops the connection, so the engine stops writing
    usage.add(stream.reply, stream.reply.seconds)
    return stream.reply.text
