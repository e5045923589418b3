"""What an engine must refuse, and where an answer has to end.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

from dataclasses import replace

from labkit.backends.base import Endpoint
from labkit.backends.capabilities import Capability
from labkit.backends.probes import SCHEMA, TOOL
from labkit.conformance.check import WINDOW, brief, raised
from labkit.conformance.reference import LONG, Reference
from labkit.errors import ContextTooLong, Refused, RequestError, UnsupportedParameter

__all__ = [
    "ignored_raises", "long_prompt", "loopback_only", "max_tokens", "too_long", "too_long_plain", "unknown_model", "wrong_key",
]  # fmt: skip

QUESTION = "Name three colours."
TOO_LONG = "again and " * WINDOW
# What needs each capability of NEEDS, as a request would ask for it.
ASKING = {
    "tools": {"tools": [TOOL]},
    "tool_choice": {"tools": [TOOL], "tool_choice": "required"},
    "json_schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
    "json_object": {"response_format": {"type": "json_object"}},
    "max_completion_tokens": {"max_completion_tokens": 3},
    "top_k": {"extra_body": {"top_k": 1}},
    "min_p": {"extra_body": {"min_p": 0.9}},
    "logit_bias": {"logit_bias": {"1": -100}},
    "logprobs": {"logprobs": True},
    "seed": {"seed": 1},
    "stop": {"stop": ["\n"]},
    "n": {"n": 2},
}
NONSENSE = {"response_format": {"type": "nonsense"}}


def max_tokens(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask for seven tokens of a long answer."""
    reply = endpoint.chat("Write a long story.", max_tokens=7)
    seen = (reply.completion_tokens, reply.finish_reason)
    return Capability(seen == (7, "length"), f"asked for 7 tokens, got {seen[0]}, finish reason {seen[1]!r}")


def long_prompt(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask with a prompt that almost fills the window: all of it must be read, and the answer must end with the window."""
    reply = endpoint.chat(LONG, max_tokens=WINDOW)
    used, written = reply.prompt_tokens, reply.completion_tokens
    whole = used == reference.long_tokens and used + written <= WINDOW
    return Capability(
        whole, f"{used} of {reference.long_tokens} prompt tokens read, {written} written, in a window of {WINDOW}"
    )


def too_long(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask `endpoint.chat` with a prompt beyond the window."""
    error = raised(endpoint, TOO_LONG, max_tokens=8)
    return Capability(isinstance(error, ContextTooLong), _kind(error))


def too_long_plain(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask the plain openai client with a prompt beyond the window: an error, never a prompt that is cut without a word."""
    messages = [{"role": "user", "content": TOO_LONG}]
    try:
        with endpoint._translated_errors():
            answer = endpoint.client().chat.completions.create(model=endpoint.model, messages=messages, max_tokens=8)
    except RequestError as error:
        return Capability(isinstance(error, ContextTooLong), _kind(error))
    return Capability(False, f"the prompt was cut to {answer.usage.prompt_tokens} tokens without a word")


def wrong_key(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask with another key, and with none worth the name."""
    error = raised(replace(endpoint, api_key="wrong", on_close=None), QUESTION, max_tokens=1)
    return Capability(isinstance(error, Refused) and "wrong key" in error.what, _kind(error))


def unknown_model(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask for a model that is not there."""
    error = raised(endpoint, QUESTION, model="no-such-model", max_tokens=1)
    return Capability(isinstance(error, Refused), _kind(error))


def ignored_raises(endpoint: Endpoint, reference: Reference) -> Capability:
    """Ask for everything that a probe found ignored, and for a form of answer that does not exist: labkit must refuse."""
    asking = {name: ASKING[name] for name in ASKING if not endpoint.capabilities[name]}
    answered = [
        name for name, one in asking.items() if not isinstance(raised(endpoint, QUESTION, **one), UnsupportedParameter)
    ]
    if not isinstance(raised(endpoint, QUESTION, **NONSENSE), RequestError):
        answered.append("response_format=nonsense")
    if answered:
        return Capability(False, f"answered as if it were honoured: {', '.join(answered)}")
    return Capability(True, f"refused by name: {', '.join(asking) or 'nothing to refuse'}")


def loopback_only(endpoint: Endpoint, reference: Reference) -> Capability:
    """Look, during an answer, at every socket on which this process and its children listen."""
    import psutil

    with endpoint.stream("Write a long story.", max_tokens=40) as stream:
        next(stream)
        here = psutil.Process()
        listening = [sock for one in (here, *here.children(recursive=True)) for sock in _listening(one)]
    outside = sorted({f"{ip}:{port}" for ip, port in listening if not (ip.startswith("127.") or ip == "::1")})
    if outside:
        return Capability(False, f"reachable from outside: {', '.join(outside)}")
    return Capability(True, f"{len(listening)} listening sockets, all on loopback")


def _listening(process) -> list[tuple[str, int]]:
    import psutil

    try:
        return [sock.laddr for sock in process.net_connections("tcp") if sock.status == psutil.CONN_LISTEN]
    except psutil.Error:  # it ended meanwhile
        return []


def _kind(error: Exception | None) -> str:
    return brief(error) if error else "answered as if nothing were wrong"
