"""A check that cannot say "no" proves nothing: each is shown the real engine with one thing spoiled."""

from __future__ import annotations

import socket
import threading

import pytest
from faulty_relay import Fault, spoiled

import labkit
from labkit import backends
from labkit.backends import capabilities
from labkit.conformance import CHECKS, run, suite

CHECK = {check.name: check for check in CHECKS}


def forget(*names: str) -> Fault:
    return Fault(ask=lambda body: [body.pop(name, None) for name in names])


def change(**values) -> Fault:
    return Fault(ask=lambda body: body.update(values))


def content(event: dict) -> str:
    return event["choices"][0]["delta"].get("content") or "" if event.get("choices") else ""


def spoil_text(old: str, new: str) -> Fault:
    def event(event):
        if old in content(event):
            event["choices"][0]["delta"]["content"] = content(event).replace(old, new)
        return event

    return Fault(event=event)


def only_the_first_piece() -> Fault:
    seen = []

    def event(event):
        if content(event) and seen:
            return None
        seen.extend([1] if content(event) else [])
        return event

    return Fault(event=event)


def own_system_prompt(body: dict) -> None:
    if body["messages"][0]["role"] != "system":
        body["messages"].insert(0, {"role": "system", "content": "You are a helpful pirate."})


def cut_prompt(body: dict) -> None:
    for message in body["messages"]:
        message["content"] = message["content"][-1500:]


def shout(body: dict) -> None:
    body["messages"].append({"role": "user", "content": "Answer with the one word: no"})


def mix_up() -> Fault:
    """Answer the question that came just before to whoever asks together with others."""
    lock, last = threading.Lock(), {}

    def ask(body):
        with lock:
            body["messages"], last["messages"] = last.get("messages", body["messages"]), body["messages"]

    return Fault(ask=ask)


def only_take_the_stop_text_out() -> Fault:
    """Write on past the stop text, and remove it from the answer."""
    asked = []

    def whole(body):
        message = body["choices"][0]["message"]
        for text in asked.pop():
            message["content"] = message["content"].replace(text, "")

    return Fault(ask=lambda body: asked.append(body.pop("stop", [])), whole=whole)


def refuse_several_likeliest(body: dict) -> None:
    """As vLLM: of the likeliest answer there is one."""
    if body.get("n", 1) > 1 and not body["temperature"]:
        del body["messages"]


def no_usage(event: dict) -> dict | None:
    return None if event.get("usage") and not event.get("choices") else event


def wrong_usage(event: dict) -> dict:
    if event.get("usage"):
        event["usage"]["completion_tokens"] += 1
    return event


def second_finish(event: dict) -> dict:
    if event.get("choices"):
        event["choices"][0]["finish_reason"] = "stop"
    return event


FAULTS = {
    "no stop texts": (forget("stop"), ["stop"]),
    "stop texts only taken out": (only_take_the_stop_text_out(), ["stop"]),
    "no seed": (forget("seed"), ["seed"]),
    "no forms": (forget("response_format"), ["json_schema", "json_object"]),
    "no newer limit": (forget("max_completion_tokens"), ["max_completion_tokens"]),
    "no top_k and min_p": (forget("top_k", "min_p"), ["top_k", "min_p"]),
    "no bias": (forget("logit_bias"), ["logit_bias"]),
    "no chances": (forget("logprobs", "top_logprobs"), ["logprobs"]),
    "one answer": (forget("n"), ["n"]),
    "its own limit": (change(max_tokens=12), ["max_tokens"]),
    "another system prompt": (Fault(ask=own_system_prompt), ["same_prompts"]),
    "another question": (Fault(ask=shout), ["same_prompts", "same_answers"]),
    "cut prompts": (Fault(ask=cut_prompt), ["long_prompt", "too_long", "too_long_plain"]),
    "any key": (Fault(any_key=True), ["wrong_key"]),
    "no counts": (Fault(event=no_usage), ["stream_usage", "clean_stream"]),
    "wrong counts": (Fault(event=wrong_usage), ["clean_stream"]),
    "many ends": (Fault(event=second_finish), ["clean_stream"]),
    "no [DONE]": (Fault(done=False), ["clean_stream"]),
    "one piece": (only_the_first_piece(), ["streaming", "clean_stream"]),
    "half characters": (spoil_text("東", "\ufffd"), ["unicode"]),
    "lost characters": (spoil_text("東", ""), ["unicode"]),
    "mixed up": (mix_up(), ["eight_at_once"]),
    "deaf": (Fault(deaf=True), ["cancel"]),
}


@pytest.fixture(scope="module")
def real(require):
    here = backends.available()["llamacpp"]
    require("llamacpp", here, here.fix)
    with labkit.connect("llamacpp", **suite.SETTINGS) as endpoint:
        yield endpoint


@pytest.mark.parametrize("name", FAULTS)
def test_a_spoiled_engine_is_found_out(real, known, name):
    fault, checks = FAULTS[name]
    with spoiled(real, fault) as endpoint:
        found = run(endpoint, known, checks=[CHECK[one] for one in checks])
    assert {one: seen.ok for one, seen in found.items()} == dict.fromkeys(checks, False), found


def test_an_honest_relay_changes_nothing(real, known):
    spoilable = list(dict.fromkeys(check for _, checks in FAULTS.values() for check in checks))
    with spoiled(real, Fault()) as endpoint:
        found = run(endpoint, known, checks=[CHECK[name] for name in spoilable])
    assert {name: seen.note for name, seen in found.items() if not seen.ok} == {}


def test_another_system_prompt_is_explained(real, known):
    with spoiled(real, Fault(ask=own_system_prompt)) as endpoint:
        note = CHECK["same_prompts"].run(endpoint, known).note
    assert "no system prompt: the template's own one" in note


def test_a_stream_that_hides_the_crash_is_found_out(require, known):
    own = labkit.connect("llamacpp", model=suite.MODEL, context=640, parallel=1)
    with own, spoiled(own, Fault(fakes_end=True)) as endpoint:
        seen = CHECK["killed"].run(endpoint, known)
    assert not seen.ok and "passes for a whole one" in seen.note


def test_a_socket_that_is_open_to_the_network_is_found_out(real, known):
    with socket.create_server(("0.0.0.0", 0)) as listener:
        seen = CHECK["loopback_only"].run(real, known)
        assert not seen.ok and f"0.0.0.0:{listener.getsockname()[1]}" in seen.note
    assert CHECK["loopback_only"].run(real, known).ok


def test_a_parameter_that_slips_through_is_found_out(real, known, monkeypatch):
    assert CHECK["ignored_raises"].run(real, known).ok
    monkeypatch.setattr("labkit.backends.base.refuse_ignored_parameters", lambda *anything: None)
    seen = CHECK["ignored_raises"].run(real, known)
    assert not seen.ok and "tool_choice" in seen.note


def test_an_unknown_model_that_is_refused_is_noticed(real, known):
    def refuse(body):
        if body["model"] != real.model:
            del body["messages"]

    with spoiled(real, Fault(ask=refuse)) as endpoint:
        assert CHECK["unknown_model"].run(endpoint, known).ok
    assert not CHECK["unknown_model"].run(real, known).ok, "llama.cpp's server answers under any name"


def test_several_answers_are_asked_for_where_there_can_be_several(real, known):
    with spoiled(real, Fault(ask=refuse_several_likeliest)) as endpoint:
        assert CHECK["n"].run(endpoint, known).ok


def test_tools_that_reach_the_model_are_noticed(real, known):
    def show(body):
        if body.pop("tools", None):
            body["messages"] = [{"role": "system", "content": "Tools: get_time(city). " * 20}, *body["messages"]]

    def call(body):
        function = {"name": "get_time", "arguments": "{}"}
        body["choices"][0]["message"]["tool_calls"] = [{"id": "1", "type": "function", "function": function}]

    with spoiled(real, Fault(ask=show, whole=call)) as endpoint:
        found = run(endpoint, known, checks=[CHECK["tools"], CHECK["tool_choice"]])
    assert [seen.ok for seen in found.values()] == [True, True]


def test_a_run_holds_labkit_to_what_it_has_just_seen(real, known):
    probes = [CHECK[name] for name in capabilities_in_order()]
    with spoiled(real, forget("seed")) as endpoint:
        found = run(endpoint, known, checks=probes)
        assert endpoint.capabilities.results == found and not endpoint.capabilities["seed"]


def capabilities_in_order() -> list[str]:
    from labkit.backends.probes import PROBES

    return list(PROBES)


def test_an_engine_that_breaks_on_a_question_has_answered_no(known):
    gone = backends.Endpoint(backend="gone", base_url="http://127.0.0.1:9/v1", model="m", api_key="k")
    gone.capabilities = capabilities.Capabilities("gone", "1", "m", "2026-01-01", {})
    (seen,) = run(gone, known, checks=[CHECK["max_tokens"]]).values()
    assert not seen.ok and seen.note.startswith("EngineDied")
