"""How many tokens a conversation is, as the engine that will read it counts them.

    counter = TokenCounter(endpoint)
    counter.exact(messages)                # the whole, asked of the engine
    counter.estimate(messages)             # each message is measured once, then remembered
    counter.fits(messages, 1024)           # asks only if it has to

An OpenAI-compatible server has no call that counts. But every answer says how long its prompt was, so an answer of one token does.

Taught in notebook 13, section "A small window", and in notebook 14, section "Two transports".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from labkit.errors import ConfigError, ContextTooLong

__all__ = ["TokenCounter", "as_text", "window_of"]

MOST_REMEMBERED = 2000
TOO_LONG = 10**9  # of a message that no window holds


class TokenCounter:
    """Counts tokens of messages on `endpoint`. Its methods raise what `Endpoint.chat` raises, except ContextTooLong."""

    def __init__(self, endpoint: Any):
        self.endpoint = endpoint
        self._known: dict[str, int] = {}
        self._frames: tuple[int, int] | None = None

    def fits(self, messages: Sequence[dict], room: int) -> bool:
        """Return whether the messages are no more than `room` tokens. A token is at least one byte, so short ones ask nothing."""
        whole, each = self._frame()
        if whole + sum(each + len(as_text(message).encode()) for message in messages) <= room:
            return True
        return self.estimate(messages) <= room and self.exact(messages) <= room

    def estimate(self, messages: Sequence[dict]) -> int:
        """Return about how many tokens the messages are, rather too many than too few: their texts, and a frame each."""
        whole, each = self._frame()
        return whole + sum(each + self._text(as_text(message)) for message in messages)

    def exact(self, messages: Sequence[dict]) -> int:
        """Return how many tokens the engine reads; TOO_LONG if it refuses them. Calls and results are read as plain text."""
        try:
            said = [{"role": _spoken(message["role"]), "content": as_text(message)} for message in messages]
            return self.endpoint.chat(said, max_tokens=1).prompt_tokens
        except ContextTooLong:
            return TOO_LONG

    def _frame(self) -> tuple[int, int]:
        """Return the tokens that the template puts around a conversation, and around each message of it."""
        if self._frames is None:
            turn = [{"role": "user", "content": "."}, {"role": "assistant", "content": "."}]
            one, three = self.exact(turn[:1]), self.exact([*turn, turn[0]])
            self._frames = one - 1, -(-(three - one) // 2) - 1  # less the full stops
        return self._frames

    def _text(self, text: str) -> int:
        if not text:
            return 0
        if text not in self._known:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[text] = max(0, self.exact([{"role": "user", "content": text}]) - self._frame()[0])
        return self._known[text]


def as_text(message: dict) -> str:
    """Return all of a message that a model would read, as text: what was said, and calls as JSON."""
    calls = [one["function"] for one in message.get("tool_calls") or ()]
    return "\n".join(filter(None, [message.get("content") or "", json.dumps(calls) if calls else ""]))


def window_of(endpoint: Any) -> int:
    """Return the context window of an endpoint, in tokens. Raises ConfigError if neither labkit nor the server says."""
    if endpoint.context:
        return endpoint.context
    with endpoint._translated_errors():
        cards = [one.model_dump() for one in endpoint.client().models.list().data if one.id == endpoint.model]
    told = {**cards[0], **(cards[0].get("meta") or {})} if cards else {}
    found = told.get("n_ctx") or told.get("max_model_len")
    if not isinstance(found, int):
        raise ConfigError(
            f"The context window of {endpoint.model} is not known.",
            "the server was already running, and its list of models does not say",
            "Memory.of(endpoint, window=2048)",
        )
    return found


def _spoken(role: str) -> str:
    return "user" if role == "tool" else role
