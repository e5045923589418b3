"""The questions behind `Capabilities`: one function each, one or two short requests, judged by structure alone."""

from __future__ import annotations

import json

from labkit.backends.capabilities import Capability
from labkit.errors import RequestError

QUESTION = [{"role": "user", "content": "Name three colours."}]
SCHEMA = {
    "type": "object",
    "properties": {
        "colour": {"type": "string", "enum": ["zinnober", "aureolin"]},
        "count": {"type": "integer", "maximum": 9},
    },
    "required": ["colour", "count"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Tell the time in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def _create(endpoint, **parameters):
    """Send one request unchecked; return the openai object, or the RequestError with which the engine refused."""
    request = {"model": endpoint.model, "messages": QUESTION, "temperature": 0, "max_tokens": 24, **parameters}
    try:
        with endpoint._translated_errors():
            return endpoint.client().chat.completions.create(**request)
    except RequestError as refusal:
        return refusal


def _streaming(endpoint) -> Capability:
    chunks = _create(endpoint, stream=True)
    if isinstance(chunks, RequestError):
        return Capability(False, chunks.what)
    pieces = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    return Capability(len(pieces) > 1, f"{len(pieces)} pieces")


def _stream_usage(endpoint) -> Capability:
    chunks = _create(endpoint, stream=True, stream_options={"include_usage": True})
    if isinstance(chunks, RequestError):
        return Capability(False, chunks.what)
    usage = [c.usage for c in chunks if c.usage]
    return Capability(bool(usage), "token counts at the end" if usage else "no token counts")


def _json_schema(endpoint) -> Capability:
    # The enum holds words that no model says by itself, so an engine that ignores the schema is found out.
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA}}
    answer = _create(endpoint, response_format=schema, max_tokens=64)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    text = answer.choices[0].message.content or ""
    try:
        obeyed = json.loads(text).get("colour") in SCHEMA["properties"]["colour"]["enum"]
    except (ValueError, AttributeError):
        obeyed = False
    return Capability(obeyed, "the schema holds" if obeyed else f"answered {text[:40]!r} in spite of the schema")


def _json_object(endpoint) -> Capability:
    answer = _create(endpoint, response_format={"type": "json_object"}, max_tokens=48)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    text = answer.choices[0].message.content or ""
    ok = text.lstrip().startswith("{")
    return Capability(ok, "an object comes" if ok else f"answered {text[:40]!r} in spite of it")


def _stop(endpoint) -> Capability:
    free = _create(endpoint, max_tokens=24)
    if isinstance(free, RequestError):
        return Capability(False, free.what)
    text = free.choices[0].message.content or ""
    if len(words := text.split()) < 3:
        return Capability(False, "the answer was too short to tell")
    stopped = _create(endpoint, stop=[words[2]])
    if isinstance(stopped, RequestError):
        return Capability(False, stopped.what)
    # Held against the free answer: who only takes the stop text out, and writes on, says other words after it.
    ok = (stopped.choices[0].message.content or "").strip() == text.partition(words[2])[0].strip()
    return Capability(ok, "ends before the stop text" if ok else "runs past the stop text")


def _seed(endpoint) -> Capability:
    answers = [_create(endpoint, temperature=1.5, seed=seed) for seed in (1, 1, 2, 3)]
    for answer in answers:
        if isinstance(answer, RequestError):
            return Capability(False, answer.what)
    first, again, *others = [a.choices[0].message.content for a in answers]
    if first != again:
        return Capability(False, "the same seed gave two answers")
    varied = any(other != first for other in others)
    return Capability(
        varied, "same seed, same answer; another seed, another" if varied else "every seed gives one answer"
    )


def _max_completion_tokens(endpoint) -> Capability:
    answer = _create(endpoint, max_tokens=24, max_completion_tokens=3)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    count = answer.usage.completion_tokens
    return Capability(count <= 3, f"asked for 3 tokens at most, got {count}")


def _greedy_by(parameter: str, value: float):
    """Return the probe of a sampling parameter whose extreme value leaves one choice: then hot sampling is greedy."""

    def probe(endpoint) -> Capability:
        greedy = _create(endpoint)
        narrow = _create(endpoint, temperature=1.5, seed=5, extra_body={parameter: value})
        for answer in (greedy, narrow):
            if isinstance(answer, RequestError):
                return Capability(False, answer.what)
        ok = narrow.choices[0].message.content == greedy.choices[0].message.content
        return Capability(
            ok, f"{parameter}={value:g} leaves one choice" if ok else f"{parameter}={value:g} changes nothing"
        )

    return probe


def _logit_bias(endpoint) -> Capability:
    # The first tokens of a vocabulary are its letters, digits and signs: an answer without any of them is another answer.
    free, biased = _create(endpoint), _create(endpoint, logit_bias={str(token): -100 for token in range(2000)})
    for answer in (free, biased):
        if isinstance(answer, RequestError):
            return Capability(False, answer.what)
    ok = biased.choices[0].message.content != free.choices[0].message.content
    return Capability(ok, "forbidden tokens stay away" if ok else "forbidden tokens come all the same")


def _logprobs(endpoint) -> Capability:
    answer = _create(endpoint, logprobs=True, top_logprobs=3, max_tokens=4)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    found = answer.choices[0].logprobs
    count = len(found.content[0].top_logprobs) if found and found.content else 0
    return Capability(count >= 3, f"{count} alternatives a token")


def _n(endpoint) -> Capability:
    # Drawn at random: of the likeliest answer there is only one, and vLLM refuses to give it twice.
    answer = _create(endpoint, n=2, temperature=1.0, max_tokens=4)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    return Capability(len(answer.choices) == 2, f"asked for 2 answers, got {len(answer.choices)}")


def _tools(endpoint) -> Capability:
    with_tools = _create(endpoint, tools=[TOOL], max_tokens=1)
    without = _create(endpoint, max_tokens=1)
    for answer in (with_tools, without):
        if isinstance(answer, RequestError):
            return Capability(False, answer.what)
    # A template that shows the tools to the model makes the prompt longer; one that drops them does not.
    extra = with_tools.usage.prompt_tokens - without.usage.prompt_tokens
    return Capability(extra > 0, f"the tools add {extra} tokens to the prompt")


def _tool_choice(endpoint) -> Capability:
    answer = _create(endpoint, tools=[TOOL], tool_choice="required", max_tokens=64)
    if isinstance(answer, RequestError):
        return Capability(False, answer.what)
    calls = answer.choices[0].message.tool_calls or []
    return Capability(bool(calls), "a required call came" if calls else "required, but no call came")


PROBES = {
    "streaming": _streaming,
    "stream_usage": _stream_usage,
    "json_schema": _json_schema,
    "json_object": _json_object,
    "stop": _stop,
    "max_completion_tokens": _max_completion_tokens,
    "seed": _seed,
    "top_k": _greedy_by("top_k", 1),
    "min_p": _greedy_by("min_p", 1.0),
    "logit_bias": _logit_bias,
    "logprobs": _logprobs,
    "n": _n,
    "tools": _tools,
    "tool_choice": _tool_choice,
}
