"""Tool calls on an endpoint: decide, execute, answer.

    from labkit import tools
    tools.call(endpoint, "Where is order A-1002?", [lookup_order_status]).calls     # what to do, nothing done yet
    tools.answer(endpoint, "Where is order A-1002?", [lookup_order_status]).text    # done, and put in words

`call` takes and gives what users of the openai client have: messages, tool dicts, tool_choice.

Taught in notebook 04, sections "Two stages" and "When a tool fails".
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from labkit.errors import RequestError
from labkit.tools.decide import Ask, Call, Decision, decide, request_of
from labkit.tools.execute import Ledger, Result
from labkit.tools.parallel import decide_all
from labkit.tools.prompt import answer_messages
from labkit.tools.tool import as_tools

__all__ = ["Answer", "Usage", "answer", "call", "drive", "drive_async"]


@dataclass
class Usage:
    """What the model's part cost: questions asked, tokens, seconds."""

    asks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0

    def add(self, tokens: Any, seconds: float) -> None:
        """Count one answer that took `seconds`. tokens: a Reply, the openai client's `usage`, or None if nobody counted."""
        self.asks += 1
        self.seconds += seconds
        if tokens:
            self.prompt_tokens += tokens.prompt_tokens
            self.completion_tokens += tokens.completion_tokens


@dataclass
class Answer:
    """The `text` for the user; the `decision` behind it, the `results` of its calls, and what it cost (`usage`)."""

    text: str
    decision: Decision
    results: list[Result] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)


def call(
    endpoint: Any,
    messages: Sequence[dict] | str,
    tools: Iterable,
    choice: str = "auto",
    mode: str = "two-stage",
    *,
    parallel: bool = False,
    usage: Usage | None = None,
) -> Decision:
    """Return the Decision which tool to call with which arguments; nothing is executed.

    tools: functions, Agent Framework tools or OpenAI tool dicts. choice: "auto", "required", "none" or a name. mode: "two-stage"
    or "schema". parallel: several calls if the request wants several. Raises BadTool, UnknownTool, and what `Endpoint.chat` raises.

    Taught in notebook 04, section "Two stages".
    """
    made = as_tools(tools)
    steps = decide_all(messages, made, choice) if parallel else decide(messages, made, choice, mode)
    return drive(endpoint, steps, usage)


def drive(endpoint: Any, steps: Generator[Ask, str, Decision], usage: Usage | None = None) -> Decision:
    """Run the steps of `decide` on an endpoint."""
    usage, said = usage if usage is not None else Usage(), None
    while True:
        try:
            ask = steps.send(said)
        except StopIteration as end:
            return end.value
        reply = endpoint.chat(ask.messages, **ask.parameters())
        usage.add(reply, reply.seconds)
        said = reply.text


async def drive_async(endpoint: Any, steps: Generator[Ask, str, Decision], usage: Usage | None = None) -> Decision:
    """Run the steps of `decide` in an event loop; a cancelled task cancels the request in flight."""
    usage, said, client = usage if usage is not None else Usage(), None, None
    try:
        while True:
            ask = steps.send(said)
            client = client or endpoint.async_client()  # most decisions ask nothing: a client costs more than they do
            said = await _ask(client, endpoint, ask, usage)
    except StopIteration as end:
        return end.value
    finally:
        if client:
            await client.close()


async def _ask(client: Any, endpoint: Any, ask: Ask, usage: Usage) -> str:
    started = time.perf_counter()
    with endpoint._translated_errors():
        reply = await client.chat.completions.create(model=endpoint.model, messages=ask.messages, **ask.parameters())
    usage.add(reply.usage, time.perf_counter() - started)
    return reply.choices[0].message.content or ""


def answer(
    endpoint: Any,
    messages: Sequence[dict] | str,
    tools: Iterable,
    choice: str = "auto",
    *,
    parallel: bool = False,
    ledger: Ledger | None = None,
    max_tokens: int = 120,
) -> Answer:
    """Decide, execute and answer in the model's words; without a call, let it answer by itself or ask for what is missing.

    ledger: keep one for a conversation, so that a call that may be half done is not repeated. Raises as `call` does.

    Taught in notebook 04, section "When a tool fails".
    """
    usage = Usage()
    decision = call(endpoint, messages, tools, choice, parallel=parallel, usage=usage)
    if decision.question:
        return Answer(decision.question, decision, usage=usage)
    results = [(ledger or Ledger()).run(one.tool, one.arguments) for one in decision.calls]
    if decision.error:
        results.append(Result.of_error(decision.error))
    asked = answer_messages(request_of(messages).text, [one.text for one in results]) if results else messages
    try:
        reply = endpoint.chat(asked, max_tokens=max_tokens)
    except RequestError:
        if not results:
            raise
        # The result is worth more than no answer.
        return Answer("\n".join(one.text for one in results), decision, results, usage)
    usage.add(reply, reply.seconds)
    return Answer(reply.text, decision, results, usage)


def as_openai(calls: Sequence[Call]) -> list[dict]:
    """Return calls as the `tool_calls` of an assistant message."""
    import json

    return [
        {"id": one.id, "type": "function", "function": {"name": one.tool.name, "arguments": json.dumps(one.arguments)}}
        for one in calls
    ]
