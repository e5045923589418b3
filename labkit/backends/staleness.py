"""Is a recording still true? Its requests, asked of a live engine again, and the answers compared.

    findings = compare(recording, connect)           # [] or what differs, in words

Compared are the engine's version, the status, the structure of every answer, the length of the prompt in tokens, and the text
of greedy answers (temperature 0): the whole text on the machine that recorded it, else its opening, for another processor rounds
differently, and a long answer drifts. Only requests that change nothing are asked again.

Explained in CONTRIBUTING.md, section "Recordings".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from labkit.backends.base import Endpoint
from labkit.backends.recording import Recording, in_pieces

__all__ = ["compare"]

HARMLESS = {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/api/chat", "/api/generate"}
OPENING = 12  # characters
OWN = "<model>"  # what a recording calls the endpoint's model


def compare(recording: Recording, connect: Callable[..., Endpoint]) -> list[str]:
    """Return what a live engine does otherwise, one line each; [] when the recording is true.

    `connect(model, **settings)` gives the live endpoint of a recorded model. Where a lesson started a model with several
    settings, an answer is stale when it differs under each of them.
    """
    from labkit import hardware

    same_machine = recording.stamp.machine == hardware.machine().summary
    found = []
    for model in recording.models():
        rounds = []
        for settings in recording.settings(model):
            with connect(model, **settings) as endpoint:
                if (here := endpoint.engine_version) != recording.stamp.version:
                    return [f"recorded with {recording.stamp.engine} {recording.stamp.version}, here is {here}"]
                rounds.append(dict(_differences(recording, model, endpoint, same_machine)))
        found += [words for name, words in rounds[0].items() if all(name in one for one in rounds)]
    return found


def _differences(recording: Recording, model: str, endpoint: Endpoint, same_machine: bool) -> Iterator[tuple[str, str]]:
    for of, ask, answers in recording.entries():
        if of != model or not _askable(ask) or any("broken_off" in one or not one["status"] for one in answers):
            continue
        live = _ask(endpoint, ask)
        reasons = [_difference(ask, answer, live, same_machine) for answer in answers]
        if all(reasons):
            yield json.dumps(ask), f"{model}: {ask['method']} {ask['path']} {_question(ask)}: {reasons[-1]}"


def _askable(ask: dict) -> bool:
    """Whether a request can be asked again: it changes nothing, and asks the endpoint's own model, not one that a lesson made."""
    if ask.get("method") == "POST" and ask["path"] in HARMLESS:
        return (ask["body"] or {}).get("model", OWN) == OWN
    return ask.get("method") == "GET"


def _ask(endpoint: Endpoint, ask: dict) -> dict:
    """Send a recorded request to the live engine; return its answer as it would be recorded."""
    import httpx2

    body = dict(ask["body"] or {})
    body |= {name: endpoint.model for name in ("model", "name") if body.get(name) == OWN}
    url = endpoint.base_url.removesuffix("/v1") + ask["path"]
    headers = {"authorization": f"Bearer {endpoint.api_key}"}
    with httpx2.Client(trust_env=False, timeout=endpoint.timeout, headers=headers) as client:
        answer = client.request(ask["method"], url, json=body if ask["body"] else None)
    kind = answer.headers.get("content-type", "")
    return {"status": answer.status_code, "type": kind, "pieces": in_pieces([(0, answer.content)], kind)}


def _difference(ask: dict, then: dict, now: dict, same_machine: bool) -> str:
    """Return in what two answers differ, or ""."""
    if then["status"] != now["status"]:
        return f"status {then['status']} then, {now['status']} now"
    if _kind(then) != _kind(now):
        return f"{_kind(then)} then, {_kind(now)} now"
    was, is_now = list(_values(then)), list(_values(now))
    shape, shape_now = _shape(was), _shape(is_now)
    if shape != shape_now:
        only = ", ".join(sorted(shape ^ shape_now))
        return f"the answer is built differently: {only}"
    if (counted := _prompt_tokens(was)) != (counts := _prompt_tokens(is_now)):
        return f"the prompt had {counted} tokens then, {counts} now"
    text, text_now = _text(was), _text(is_now)
    if (ask["body"] or {}).get("temperature") == 0 and not _agree(text, text_now, same_machine):
        return f"{text[:60]!r} then, {text_now[:60]!r} now"
    return ""


def _agree(then: str, now: str, same_machine: bool) -> bool:
    return then == now if same_machine else then[:OPENING] == now[:OPENING]


def _kind(answer: dict) -> str:
    return answer["type"].partition(";")[0].strip()


def _values(answer: dict) -> Iterator[object]:
    """Yield the JSON of an answer: the whole, or each event of a streamed one. What is no JSON is left out."""
    for _, text in answer["pieces"]:
        for line in [text] if _kind(answer) == "application/json" else text.splitlines():
            try:
                yield json.loads(line.removeprefix("data:"))
            except ValueError:
                continue


def _shape(values: Iterable[object]) -> set[str]:
    """Return the paths to every value, without those under which an engine counts and times, and without empty ones."""
    return {path for value in values for path in _paths(value, "")}


def _paths(value: object, at: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _paths(one, f"{at}.{name}" if at else name)
    elif isinstance(value, list):
        for one in value:
            yield from _paths(one, f"{at}[]")
    elif value is not None and value != "":
        yield at


def _text(values: Iterable[object]) -> str:
    """Return what the model said, from either of OpenAI's shapes or Ollama's own."""
    said = []
    for value in (one for one in values if isinstance(one, dict)):
        for choice in value.get("choices") or [value]:
            message = choice.get("message") or choice.get("delta") or choice
            said.append(message.get("content") or message.get("text") or message.get("response") or "")
    return "".join(one for one in said if isinstance(one, str))


def _prompt_tokens(values: Iterable[object]) -> int | None:
    counts = [(one.get("usage") or {}).get("prompt_tokens") for one in values if isinstance(one, dict)]
    return next((count for count in counts if count is not None), None)


def _question(ask: dict) -> str:
    body = ask["body"] if isinstance(ask["body"], dict) else {}
    messages = body.get("messages") or [{}]
    said = messages[-1].get("content") or body.get("prompt") or ""
    return repr(said[-60:]) if isinstance(said, str) and said else ""
