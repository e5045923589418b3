"""A group's manager on a tiny model: what it writes freely, and what it writes when the engine holds it to a schema.

GroupChat's manager must name who speaks next; Magentic's must fill a ledger of five questions. `Held` gives both a JSON schema in
which a speaker can only be a member's name. That makes every turn valid; whether it is right is counted by `turns`.

Taught in notebook 09, section "A manager".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from agent_framework import ChatContext, ChatMiddleware

from labkit.orchestration.hops import Hop
from labkit.tools.middleware import Next
from labkit.tools.schema import record, response_format

__all__ = ["Held", "Turns", "ledger_schema", "speaker_schema", "turns"]

ASKED = "next_speaker"  # stands in the framework's own question of both managers, and in no other question of theirs
LEDGER = "is_in_loop"  # only in Magentic's
WORDS = {"type": "string", "maxLength": 80}
ROOM = 240  # tokens: the longest ledger that the schema allows takes about as many


class Held(ChatMiddleware):
    """Holds the manager's answers to a schema that names only `members`; other questions to it go through as they are.

    schema: False gives it the same room and no schema, to compare with.

    Taught in notebook 09, section "A manager".
    """

    def __init__(self, members: Sequence[str], schema: bool = True):
        self.members, self.schema = list(members), schema

    async def process(self, context: ChatContext, call_next: Next) -> None:
        """Put the schema in where the framework asks who speaks next."""
        asked = context.messages[-1].text if context.messages else ""
        if ASKED in asked:
            schema = (ledger_schema if LEDGER in asked else speaker_schema)(self.members)
            form = {"response_format": response_format("next", schema)} if self.schema else {}
            context.options = {**(context.options or {}), "max_tokens": ROOM, **form}
        await call_next()


def speaker_schema(members: Sequence[str]) -> dict:
    """Return the schema of a GroupChat manager's turn: who speaks next, or that it ends.

    Taught in notebook 09, section "A manager".
    """
    fields = {
        "terminate": {"type": "boolean"},
        "reason": WORDS,
        "next_speaker": {"type": "string", "enum": list(members)},
        "final_message": WORDS,
    }
    return record(fields)


def ledger_schema(members: Sequence[str]) -> dict:
    """Return the schema of Magentic's progress ledger: five answers, each after its reason.

    Taught in notebook 09, section "A manager".
    """
    answers = {
        "is_request_satisfied": {"type": "boolean"},
        "is_in_loop": {"type": "boolean"},
        "is_progress_being_made": {"type": "boolean"},
        "next_speaker": {"type": "string", "enum": list(members)},
        "instruction_or_question": WORDS,
    }
    return record({name: record({"reason": WORDS, "answer": answer}) for name, answer in answers.items()})


@dataclass(frozen=True)
class Turns:
    """Of `of` turns of a manager, how many parse as JSON, name a member, and name the right one.

    Taught in notebook 09, section "A manager".
    """

    of: int
    parse: int
    member: int
    right: int


def turns(hops: Sequence[Hop], manager: str, members: Sequence[str], right: str = "") -> Turns:
    """Count the turns of `manager` in which it was to name the next speaker; `right` is who should have been named.

    Taught in notebook 09, section "A manager".
    """
    said = [read_speaker(one.text) for one in hops if one.agent == manager]
    parsed = [one for one in said if one is not None]
    return Turns(len(said), len(parsed), sum(one in members for one in parsed), sum(one == right for one in parsed))


def read_speaker(text: str) -> str | None:
    """Return whom a manager's text names as next speaker ("" for nobody), or None if the text is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    speaker = found.get("next_speaker", "")
    speaker = speaker.get("answer", "") if isinstance(speaker, dict) else speaker
    return speaker if isinstance(speaker, str) else ""
