"""The memory of a conversation that has to fit a small window: all of it is kept, what the model reads is cut to size.

    memory = Memory.of(endpoint, system="You help at a shop's desk.")
    memory.add({"role": "user", "content": "I am Ada. Where is order 1002?"})
    memory.fit()                     # the messages to send: at most so many tokens, by the engine's own count
    memory.facts                     # {"name": "Ada", "order": "1002"}: read by rules, never cut

What never happens: the system prompt is lost, a call loses its result, what the user said last is cut. If that alone is too long,
`fit` raises ContextTooLong.

Taught in notebook 13, section "A small window".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit import disk
from labkit.agents.compaction import Conversation, Strategy, drop_oldest_turns, drop_tool_results, shorten_results
from labkit.agents.facts import facts_in
from labkit.agents.tokens import TokenCounter, window_of
from labkit.errors import ConfigError, ContextTooLong
from labkit.tools.schema import check

__all__ = ["MILD_FIRST", "Memory"]

MILD_FIRST: tuple[Strategy, ...] = (drop_tool_results, drop_oldest_turns, shorten_results)
ANSWER_TOKENS = 256
MOST_MESSAGES = 400
MESSAGE = {
    "type": "object",
    "properties": {"role": {"enum": ["user", "assistant", "tool"]}},
    "required": ["role"],
    "if": {"properties": {"role": {"const": "tool"}}},
    "then": {"required": ["tool_call_id", "content"]},
}
STORED = {
    "type": "object",
    "properties": {"messages": {"type": "array", "items": MESSAGE}, "facts": {"type": "object"}},
    "required": ["messages", "facts"],
}


class Memory:
    """One conversation as OpenAI chat messages.

    fits(messages, room): whether they are no more than `room` tokens. window: tokens of prompt and answer together, of which
    `answer` stay free. strategies: how to shorten, one after the other.
    file: where to keep it (JSON, replaced as a whole); one that is there is read. Raises ConfigError if it can't be.
    """

    def __init__(
        self,
        fits: Callable[[Sequence[dict], int], bool],
        window: int,
        *,
        system: str = "",
        answer: int = ANSWER_TOKENS,
        strategies: Sequence[Strategy] = MILD_FIRST,
        file: Path | None = None,
    ):
        self.fits, self.room = fits, window - answer
        self.system, self.strategies, self.file = system, tuple(strategies), file
        self.messages: list[dict] = []
        self.facts: dict[str, str] = {}
        if file and file.exists():
            self.messages, self.facts = _read(file)

    @classmethod
    def of(cls, endpoint: Any, window: int | None = None, **settings) -> Memory:
        """Return a memory that counts as `endpoint` does and fits its window. Raises ConfigError if that is not known."""
        return cls(TokenCounter(endpoint).fits, window or window_of(endpoint), **settings)

    def add(self, *messages: dict) -> None:
        """Put messages at the end; what the user says is searched for facts. The oldest turns beyond 400 messages are forgotten."""
        for message in messages:
            if message["role"] == "system":
                raise ConfigError(
                    "A system message is no part of a memory.", "it must never be cut", "Memory(system=…)"
                )
            self.messages.append(message)
            if message["role"] == "user":
                self.facts |= facts_in(message["content"])
        while len(self.messages) > MOST_MESSAGES and (second := _second_turn(self.messages)):
            del self.messages[:second]
        if self.file:
            self._write()

    def fit(self, *more: dict, system: str = "") -> list[dict]:
        """Return the messages to send, with `more` at the end and more `system` prompt; nothing of it is stored.

        Raises ContextTooLong if what must stay does not fit, and what the engine raises that counts.
        """
        talk = Conversation.of("\n".join(filter(None, [system, self.system])), self._notes(), [*self.messages, *more])
        for candidate in self._ever_shorter(talk):
            messages = candidate.messages()
            if self.fits(messages, self.room):
                return messages
        raise ContextTooLong(
            f"System prompt and last turn do not fit {self.room} tokens.",
            "they are never cut, and the rest of the window is for the answer",
            "labkit.connect(context=8192)  # or say it in fewer words",
        )

    def plain(self) -> list[dict]:
        """Return `fit` without calls and results, for models that would echo their JSON."""
        return [one for one in self.fit() if one["role"] != "tool" and one.get("content")]

    def open_calls(self) -> list[str]:
        """Return the ids of calls that have no result yet."""
        answered = {one["tool_call_id"] for one in self.messages if one["role"] == "tool"}
        wanted = [call["id"] for one in self.messages for call in one.get("tool_calls") or ()]
        return [one for one in wanted if one not in answered]

    def _notes(self) -> list[str]:
        return [f"Known: {'; '.join(f'{name}: {value}' for name, value in self.facts.items())}."] if self.facts else []

    def _ever_shorter(self, talk: Conversation) -> Iterator[Conversation]:
        """Yield the whole, then what each strategy makes of what the one before it left; in the end without the notes."""
        yield talk
        for strategy in self.strategies:
            for candidate in strategy(talk):
                yield candidate
                talk = candidate
        if talk.notes:
            yield Conversation(talk.system, (), talk.turns)

    def _write(self) -> None:
        stored = json.dumps({"facts": self.facts, "messages": self.messages}, ensure_ascii=False).encode()
        with disk.errors(self.file):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with disk.one_writer(self.file), disk.placed(self.file) as file:
                file.write(stored)


def _second_turn(messages: Sequence[dict]) -> int | None:
    """Return where the second turn begins; None if there is but one."""
    return next((n for n, message in enumerate(messages) if n and message["role"] == "user"), None)


def _read(file: Path) -> tuple[list[dict], dict[str, str]]:
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        wrong = "; ".join(check(stored, STORED))[:200]
    except (ValueError, RecursionError) as error:
        wrong = str(error)
    if wrong:
        why = f"it was changed by hand, or is of another program ({wrong})"
        raise ConfigError(f"The memory in {file} cannot be read.", why, disk.remove_command(file))
    return stored["messages"], stored["facts"]
