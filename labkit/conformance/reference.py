"""What llama.cpp answers on the same weights, asked live: the measure for every other engine.

It also tells how likely its candidates were, token by token, so that a different answer can be judged: two engines that round
differently may part where two candidates are almost equally likely, and nowhere else.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from labkit.backends.base import Endpoint

__all__ = ["CONVERSATIONS", "LONG", "UNICODE", "Answer", "Reference", "Step", "ask"]

UNICODE = "Zürich, Ђоковић, 東京, 👩‍👩‍👧‍👦"
QUESTION = "What is the capital of France?"
LONG = "one two three four " * 270  # near the window of the suite, with room for a short answer
MOST = 40  # tokens an answer


def _talk(*contents: str, system: str = "") -> list[dict]:
    """Return messages: `system` if there is one, then user and assistant by turns."""
    roles = itertools.cycle(("user", "assistant"))
    opening = [{"role": "system", "content": system}] if system else []
    return opening + [{"role": role, "content": content} for role, content in zip(roles, contents, strict=False)]


CONVERSATIONS = {
    "question": _talk(QUESTION),
    "system": _talk(QUESTION, system="Answer in one word."),
    "turns": _talk("Hello!", "Hello! How can I help?", "Count to five."),
    "unicode": _talk(f"Repeat: {UNICODE}"),
    "white space": _talk("  def f(x):\n\treturn x  \n\n12345.67 <|im_end|> What does it do?"),
    "story": _talk("Write a short story about a lighthouse."),
}


@dataclass(frozen=True)
class Step:
    """One token of an answer: its text as bytes, and the likeliest candidates as (bytes, log-probability), best first."""

    token: bytes
    candidates: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True)
class Answer:
    """One greedy answer: how many tokens the prompt had, the text, and its tokens as Steps."""

    prompt_tokens: int
    text: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Reference:
    """llama.cpp's answers to CONVERSATIONS, and how many tokens it counts in LONG."""

    version: str
    answers: dict[str, Answer]
    long_tokens: int

    def to_dict(self) -> dict:
        """Return a JSON-ready dict: what was answered, without the candidates."""
        answers = {name: {"prompt_tokens": one.prompt_tokens, "text": one.text} for name, one in self.answers.items()}
        return {"engine": "llamacpp", "version": self.version, "answers": answers, "long_tokens": self.long_tokens}


def ask(endpoint: Endpoint) -> Reference:
    """Ask llama.cpp everything that the checks compare with (about ten seconds)."""
    answers = {name: _answer(endpoint, messages) for name, messages in CONVERSATIONS.items()}
    long_tokens = endpoint.chat(LONG, max_tokens=1).prompt_tokens
    return Reference(endpoint.engine_version, answers, long_tokens)


def _answer(endpoint: Endpoint, messages: list[dict]) -> Answer:
    reply = endpoint.chat(messages, max_tokens=MOST, logprobs=True, top_logprobs=10)
    steps = tuple(
        Step(bytes(one.bytes or b""), tuple((bytes(top.bytes or b""), top.logprob) for top in one.top_logprobs))
        for one in reply.raw.choices[0].logprobs.content
    )
    return Answer(reply.prompt_tokens, reply.text, steps)
