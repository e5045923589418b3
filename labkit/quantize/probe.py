"""Look at single tokens on a running llama.cpp server: what a text becomes, and what the model would say next.

    ids = token_ids(endpoint, "<|im_start|>user\\nHello")
    after = next_tokens(endpoint, ids, count=8)
    after.text, after.logprob(504)

Token ids go in as they are, so a prompt can begin with any token, or lack one: the chat API always puts its template around.

Taught in notebook 03, section "The flip".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from labkit.backends.base import Endpoint
from labkit.backends.loopback import post_json

__all__ = ["After", "next_tokens", "prompt_of", "token_ids"]

ALTERNATIVES = 64


@dataclass(frozen=True)
class After:
    """The greedy continuation of a prompt. ids: its tokens. likeliest: log-probability by token id, for the first place."""

    ids: list[int]
    text: str
    likeliest: dict[int, float] = field(repr=False)

    def logprob(self, token: int) -> float:
        """Return the log-probability (nats) of `token` in the first place. Raises KeyError beyond the 64 likeliest."""
        return self.likeliest[token]

    def margin(self, token: int, rival: int) -> float:
        """Return by how many nats `token` leads before `rival` (below 0: it trails)."""
        return self.logprob(token) - self.logprob(rival)


def token_ids(endpoint: Endpoint, text: str) -> list[int]:
    """Return the tokens of a text, special ones recognised. Raises what `post_json` raises."""
    return _ask(endpoint, "/tokenize", {"content": text, "parse_special": True, "add_special": False})["tokens"]


def prompt_of(endpoint: Endpoint, question: str) -> str:
    """Return the whole prompt that the model's chat template makes of a question."""
    messages = [{"role": "user", "content": question}]
    return _ask(endpoint, "/apply-template", {"messages": messages})["prompt"]


def next_tokens(endpoint: Endpoint, prompt: Sequence[int], count: int = 8) -> After:
    """Return what the model says after a prompt of token ids, `count` tokens at most, always the likeliest one."""
    wish = {
        "prompt": list(prompt),
        "n_predict": count,
        "temperature": 0,
        "n_probs": ALTERNATIVES,
        "cache_prompt": False,
    }
    found = _ask(endpoint, "/completion", {**wish, "return_tokens": True})
    first = found["completion_probabilities"][0]["top_logprobs"]
    return After(found["tokens"], found["content"], {one["id"]: one["logprob"] for one in first})


def _ask(endpoint: Endpoint, path: str, body: dict) -> dict:
    parts = urlsplit(endpoint.base_url)
    return post_json(f"{parts.scheme}://{parts.netloc}", path, body, endpoint.api_key, timeout=endpoint.timeout)
