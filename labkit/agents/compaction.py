"""Ways to make a conversation shorter, mildest first. Each yields ever shorter ones, and the first that fits is taken.

    for shorter in drop_oldest_turns(conversation): …

A Conversation is cut where nothing is torn apart: between turns, and around a call together with its results. So no strategy can
split such a pair, lose the system prompt, or lose what the user said last.

Taught in notebook 13, section "A small window".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labkit.errors import LabkitError
from labkit.tools.execute import shown
from labkit.tools.schema import record, response_format

__all__ = [
    "Conversation",
    "Strategy",
    "drop_oldest_turns",
    "drop_tool_results",
    "keep_last",
    "shorten_results",
    "summarize",
]

Turns = tuple[tuple[dict, ...], ...]
LENGTHS = (2000, 1000, 500, 250, 120)  # characters that are left of a result


@dataclass(frozen=True)
class Conversation:
    """system: the prompt that stays. notes: what is known besides (facts, a summary). turns: each begins with a user message."""

    system: str
    notes: tuple[str, ...]
    turns: Turns

    @classmethod
    def of(cls, system: str, notes: Sequence[str], messages: Sequence[dict]) -> Conversation:
        """Return the conversation of these messages (none of them a system message)."""
        turns: list[list[dict]] = []
        for message in messages:
            if message["role"] == "user" or not turns:
                turns.append([])
            turns[-1].append(message)
        return cls(system, tuple(notes), tuple(map(tuple, turns)))

    def messages(self) -> list[dict]:
        """Return it as chat messages; system prompt and notes become the system message, if there is anything to say."""
        head = "\n".join(filter(None, [self.system, *self.notes]))
        return [{"role": "system", "content": head}] * bool(head) + [one for turn in self.turns for one in turn]


Strategy = Callable[[Conversation], Iterator[Conversation]]


def drop_tool_results(talk: Conversation) -> Iterator[Conversation]:
    """Leave out calls with their results, oldest turn first; the turn that is going on keeps its own."""
    for number in range(len(talk.turns) - 1):
        bare = tuple(one for one in talk.turns[number] if one["role"] != "tool" and not one.get("tool_calls"))
        if bare != talk.turns[number]:
            talk = replace(talk, turns=(*talk.turns[:number], bare, *talk.turns[number + 1 :]))
            yield talk


def drop_oldest_turns(talk: Conversation) -> Iterator[Conversation]:
    """Leave out whole turns, oldest first, down to the one that is going on."""
    for first in range(1, len(talk.turns)):
        yield replace(talk, turns=talk.turns[first:])


def keep_last(turns: int) -> Strategy:
    """Return the strategy that keeps the last `turns` turns (at least one), at once."""

    def strategy(talk: Conversation) -> Iterator[Conversation]:
        if len(talk.turns) > max(1, turns):
            yield replace(talk, turns=talk.turns[-max(1, turns) :])

    return strategy


def shorten_results(talk: Conversation) -> Iterator[Conversation]:
    """Cut what tools gave to fewer and fewer characters, with a note; the calls stay with them."""
    before = talk.turns
    for most in LENGTHS:
        shorter = tuple(tuple(_cut(message, most) for message in turn) for turn in talk.turns)
        if shorter != before:
            yield replace(talk, turns=shorter)
        before = shorter


def summarize(endpoint: Any, keep: int = 1, characters: int = 300) -> Strategy:
    """Return the strategy that puts a summary by the model in the place of all but the last `keep` turns.

    The model writes it turn by turn into what it had before, held to a schema of at most so many characters. Each turn is summed
    up once. A turn that the engine will not read leaves the summary as it was. What a tiny model writes there is worth a look.
    """
    made: dict[str, str] = {}

    def add(summary: str, turn: tuple[dict, ...]) -> str:
        said = "\n".join(f"{one['role']}: {one['content']}" for one in turn if one.get("content"))
        known = json.dumps([summary, said])
        if known not in made:
            made[known] = _summed_up(endpoint, summary, said, characters)
        return made[known]

    def strategy(talk: Conversation) -> Iterator[Conversation]:
        old, new = talk.turns[: -max(1, keep)], talk.turns[-max(1, keep) :]
        summary = ""
        for turn in old:
            summary = add(summary, turn)
        if old:
            yield replace(talk, notes=(*talk.notes, *([f"Earlier: {summary}"] if summary else [])), turns=new)

    return strategy


def _summed_up(endpoint: Any, summary: str, said: str, characters: int) -> str:
    schema = record({"summary": {"type": "string", "minLength": 1, "maxLength": characters}})
    asked = [
        {"role": "system", "content": "Sum up the conversation in one sentence, as JSON. Keep names and numbers."},
        {"role": "user", "content": f"{summary}\n{said}".strip()},
    ]
    try:
        reply = endpoint.chat(
            asked, response_format=response_format("summary", schema), max_tokens=characters, temperature=0
        )
        return json.loads(reply.text)["summary"]
    except (LabkitError, ValueError, KeyError, TypeError):
        return summary


def _cut(message: dict, most: int) -> dict:
    text = message.get("content") or ""
    if message["role"] != "tool" or len(text) <= most + 40:  # the note that something was cut is as long
        return message
    return {**message, "content": shown(text, most)}
