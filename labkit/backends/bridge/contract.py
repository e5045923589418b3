"""What the bridge and an engine say to each other: an `Ask` goes in, text comes out piece by piece, a `Finish` ends it.

An engine is a module with `load(options) -> Engine`; the options are those of `bridge.launch`. It never sees HTTP, and the
bridge never sees tokens.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Ask", "Engine", "Finish", "Refusal", "Turn"]


@dataclass(frozen=True)
class Ask:
    """One request, checked. `messages`: {"role", "content"} with text contents.

    max_tokens: the most tokens to answer with, None for as many as fit. temperature 0 is greedy; top_p 1, top_k 0 and min_p 0
    leave every token in. seed: always a number, a random one where the caller gave none.
    stop: texts that end the answer and are not part of it. schema: the JSON schema that it has to obey, as text, or None.
    stream, usage: how the caller wants to be told.
    """

    messages: tuple[dict[str, str], ...]
    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    schema: str | None = None
    stream: bool = False
    usage: bool = False


@dataclass(frozen=True)
class Finish:
    """How an answer ended: `reason` is "stop" or "length"; `tokens` is how many the engine made, the end mark included."""

    reason: str
    tokens: int


class Refusal(Exception):
    """The request cannot be answered as asked: HTTP `status`, `message`, OpenAI's `code`, and the parameter at fault."""

    def __init__(self, status: int, message: str, code: str | None = None, param: str | None = None):
        super().__init__(message)
        self.status, self.message, self.code, self.param = status, message, code, param


class Turn(Protocol):
    """One request inside the engine: its prompt is made, and nothing is generated yet."""

    prompt_tokens: int

    def run(self, most: int, on_text: Callable[[str], None], stopped: Callable[[], bool]) -> Finish:
        """Generate at most `most` tokens, in whole characters, until the end mark or until `stopped()` is true.

        Raises Refusal for what the engine cannot do (a schema that it cannot read), RuntimeError when it fails.
        """


class Engine(Protocol):
    """An engine with a model in it. `context`: tokens of prompt and answer together. `at_once`: turns that may run together.

    honours: those of "seed", "json_schema", "temperature", "top_p", "top_k", "min_p" that it really obeys; the bridge refuses
    the others.
    """

    name: str
    context: int
    at_once: int
    honours: frozenset[str]

    def begin(self, ask: Ask) -> Turn:
        """Make the prompt of `ask`. Raises Refusal."""
