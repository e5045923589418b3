"""The table of checks: every row of the capability matrix, in the order in which they are asked.

The cheap probes that gate parameters at run time (labkit/backends/probes.py) are rows of it, not a second version of them.

Taught in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

from labkit.backends.probes import PROBES
from labkit.conformance import flow, limits, parity
from labkit.conformance.check import Check

__all__ = ["CHECKS"]


def _probe(name: str, title: str, proves: str) -> Check:
    return Check(name, title, proves, lambda endpoint, reference: PROBES[name](endpoint))


CHECKS = (
    # the probes come first: what they find is what `ignored_raises` holds labkit to
    _probe("streaming", "streaming", "the answer comes in pieces, as it is written"),
    _probe("stream_usage", "counts in a stream", "a stream says at its end how many tokens it took"),
    _probe("json_schema", "JSON schema", "an answer obeys the schema, even one that no model fulfils by itself"),
    _probe("json_object", "JSON object", "an answer is a JSON object when asked for one"),
    _probe("stop", "stop texts", "the answer ends before a stop text"),
    _probe("max_completion_tokens", "max_completion_tokens", "the newer name of the limit on an answer is obeyed"),
    _probe("seed", "seed", "the same seed gives the same random answer, another seed another"),
    _probe("top_k", "top_k", "only the k likeliest tokens are drawn from"),
    _probe("min_p", "min_p", "tokens much less likely than the likeliest are left out"),
    _probe("logit_bias", "logit_bias", "a forbidden token stays away"),
    _probe("logprobs", "log-probabilities", "each token tells its chance and its rivals'"),
    _probe("n", "several answers (n)", "one request gets as many answers as it asks for"),
    _probe("tools", "tools", "the tools of a request are shown to the model"),
    _probe("tool_choice", "required tool call", "a tool call comes when one is required"),
    Check(
        "same_prompts",
        "same prompts",
        "template and tokenizer make llama.cpp's tokens of a conversation",
        parity.same_prompts,
    ),
    Check(
        "same_answers",
        "same answers",
        "greedy answers part from llama.cpp's only at a near tie of its own",
        parity.same_answers,
        telling=True,
    ),
    Check(
        "clean_stream",
        "clean stream",
        "pieces, one finish reason, true counts, [DONE], nothing after",
        flow.clean_stream,
    ),
    Check(
        "unicode",
        "whole characters",
        "no piece of a stream cuts a character in two, and none is lost",
        flow.unicode_stream,
    ),
    Check("max_tokens", "max_tokens", "the answer ends at the limit, and says so", limits.max_tokens),
    Check("long_prompt", "long prompt", "a prompt that almost fills the window is read whole", limits.long_prompt),
    Check("too_long", "too long a prompt", "endpoint.chat raises ContextTooLong", limits.too_long),
    Check(
        "too_long_plain", "… by plain client", "any client gets an error, and no prompt is cut", limits.too_long_plain
    ),
    Check("wrong_key", "wrong key", "who has another key gets nothing", limits.wrong_key),
    Check(
        "unknown_model",
        "unknown model",
        "another model's name is refused, not answered by this one",
        limits.unknown_model,
    ),
    Check(
        "ignored_raises",
        "ignored → error",
        "what the engine would ignore, labkit refuses by name",
        limits.ignored_raises,
    ),
    Check(
        "loopback_only", "loopback only", "no process of ours can be reached from another machine", limits.loopback_only
    ),
    Check(
        "eight_at_once",
        "eight at once",
        "each of eight callers at once gets the answer he gets alone",
        flow.eight_at_once,
    ),
    Check("cancel", "a caller who leaves", "the engine stops computing when its caller is gone", flow.cancel),
    Check(
        "killed", "a killed engine", "a stream cut by a crash raises EngineDied, and no process is left", flow.killed
    ),  # last
)
