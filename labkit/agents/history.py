"""The same memory under Agent Framework: it keeps the history, and gives the model only what fits the window.

    history = MemoryHistory(lambda session: Memory.of(endpoint, file=folder / f"{session}.json"))
    agent = Agent(client=endpoint.chat_client(), tools=[…], context_providers=[history])
    await agent.run("I am Ada.", session=session)

Agent Framework has compaction of its own (agent_framework.CompactionProvider, ContextWindowCompactionStrategy). It estimates tokens
from characters or takes a tokenizer, which no OpenAI-compatible server offers; here the engine counts, and what cannot fit raises.

Explained in notebook 13, section "A small window".
"""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from agent_framework import Content, HistoryProvider, Message

from labkit.agents.memory import Memory

__all__ = ["MemoryHistory", "from_message", "to_message"]


class MemoryHistory(HistoryProvider):
    """Keeps a Memory for each session: `make(session_id)` makes it, on the session's first run.

    The memory's system prompt and facts go to the model as instructions, after the agent's own.
    """

    def __init__(self, make: Callable[[str], Memory], source_id: str = "labkit_memory"):
        super().__init__(source_id)
        self.make = make
        self._memories: weakref.WeakKeyDictionary = (
            weakref.WeakKeyDictionary()
        )  # a session that is gone takes its own along

    def memory(self, session: Any) -> Memory:
        """Return the memory of a session."""
        if session not in self._memories:
            self._memories[session] = self.make(session.session_id)
        return self._memories[session]

    async def before_run(self, *, agent: Any, session: Any, context: Any, state: dict) -> None:
        """Give the model the part of the conversation that fits beside what is asked now. Raises ContextTooLong."""
        more = [one for message in context.input_messages for one in from_message(message)]
        own = (getattr(agent, "default_options", None) or {}).get("instructions") or ""
        told = "\n".join([str(own), *context.instructions]).strip()
        # The engine counts, over the network: not in the event loop.
        fitted = await asyncio.to_thread(self.memory(session).fit, *more, system=told)
        head = fitted[0]["content"] if fitted[0]["role"] == "system" else ""
        if added := head.removeprefix(told).strip():
            context.extend_instructions(self.source_id, added)
        earlier = [one for one in fitted if one["role"] != "system"]
        context.extend_messages(self, [to_message(one) for one in earlier[: len(earlier) - len(more)]])

    async def get_messages(self, session_id: str | None, *, state: dict | None = None, **kwargs: Any) -> list[Message]:
        """Return all that is kept of a session, uncut."""
        memory = next((kept for one, kept in self._memories.items() if one.session_id == session_id), None)
        return [to_message(one) for one in memory.messages] if memory else []

    async def after_run(self, *, agent: Any, session: Any, context: Any, state: dict) -> None:
        """Keep what was said and done in this run."""
        answered = context.response.messages if context.response else []
        new = [one for message in [*context.input_messages, *answered] for one in from_message(message)]
        await asyncio.to_thread(self.memory(session).add, *new)

    async def save_messages(self, session_id: str | None, messages: Sequence[Message], **kwargs: Any) -> None:
        """Keep messages of a session that has run before."""
        for session, memory in self._memories.items():
            if session.session_id == session_id:
                memory.add(*[one for message in messages for one in from_message(message)])


def from_message(message: Message) -> list[dict]:
    """Return an Agent Framework message as OpenAI chat messages: each result is one of its own; system messages are left out."""
    found: list[dict] = []
    calls = [one for one in message.contents if one.type == "function_call"]
    if str(message.role) in ("user", "assistant") and (message.text or calls):
        found.append({"role": str(message.role), "content": message.text or ""})
    if calls:
        found[-1]["tool_calls"] = [_call(one) for one in calls]
    for one in message.contents:
        if one.type == "function_result":
            text = f"Error: {one.exception}" if one.exception else str("" if one.result is None else one.result)
            found.append({"role": "tool", "tool_call_id": one.call_id, "content": text})
    return found


def to_message(message: dict) -> Message:
    """Return an OpenAI chat message as one of Agent Framework."""
    if message["role"] == "tool":
        return Message("tool", [Content.from_function_result(message["tool_call_id"], result=message["content"])])
    contents = [Content.from_text(message["content"])] if message.get("content") else []
    for one in message.get("tool_calls") or ():
        function = one["function"]
        contents.append(Content.from_function_call(one["id"], function["name"], arguments=function["arguments"]))
    return Message(message["role"], contents)


def _call(content: Content) -> dict:
    arguments = content.arguments if isinstance(content.arguments, str) else json.dumps(dict(content.arguments or {}))
    return {"id": content.call_id, "type": "function", "function": {"name": content.name, "arguments": arguments}}
