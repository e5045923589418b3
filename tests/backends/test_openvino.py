"""OpenVINO behind the bridge: the real engine, on the weights that llama.cpp serves."""

import json

import pytest

import labkit
from labkit.backends import available, process
from labkit.errors import ContextTooLong, EngineDied, Refused, UnsupportedParameter

FRANCE = "What is the capital of France?"


@pytest.fixture(scope="module")
def openvino(require):
    here = available()["openvino"]
    require("openvino", here, here.fix)
    with labkit.connect("openvino", model="smollm2-135m") as endpoint:
        yield endpoint


def test_it_answers_like_llamacpp_from_the_same_weights(openvino, endpoint):
    ours, theirs = openvino.chat(FRANCE), endpoint.chat(FRANCE)
    assert "Paris" in ours.text
    assert (ours.text, ours.prompt_tokens, ours.finish_reason) == (
        theirs.text,
        theirs.prompt_tokens,
        theirs.finish_reason,
    )


def test_streamed_and_whole_answers_agree(openvino):
    stream = openvino.stream(FRANCE)
    pieces = list(stream)
    assert len(pieces) > 1 and "".join(pieces) == openvino.chat(FRANCE).text
    assert stream.reply.completion_tokens > 1


def test_a_schema_holds(openvino):
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["zinnober", "aureolin"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    wish = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    answer = json.loads(openvino.chat("How are you?", response_format=wish, max_tokens=40).text)
    assert answer["mood"] in ("zinnober", "aureolin")


def test_capabilities_are_probed_and_what_would_be_ignored_raises(openvino):
    found = openvino.capabilities
    assert found["streaming"] and found["json_schema"] and found["stop"]
    missing = [name for name in ("tools", "logprobs", "logit_bias") if not found[name]]
    wishes = {"tools": [{"type": "function", "function": {"name": "f"}}], "logprobs": True, "logit_bias": {"5": 1}}
    for name in missing:
        with pytest.raises(UnsupportedParameter):
            openvino.chat("hello", **{name: wishes[name]})


def test_too_long_a_prompt_and_a_wrong_key(openvino):
    from dataclasses import replace

    with pytest.raises(ContextTooLong):
        openvino.chat("again and " * 3000)
    with pytest.raises(Refused, match="wrong key"):
        replace(openvino, api_key="wrong", on_close=None).chat("hello")
    assert "Paris" in openvino.chat(FRANCE).text


def test_killed_in_the_middle_of_a_stream(require):
    here = available()["openvino"]
    require("openvino", here, here.fix)
    with labkit.connect("openvino", context=512, parallel=1) as endpoint:
        stream = endpoint.stream("Write a long story about the sea.", max_tokens=400)
        next(stream)
        endpoint.process.kill()
        with pytest.raises(EngineDied):
            list(stream)
    assert not [one for one in process.running_servers() if one["pid"] == endpoint.process._leash.pid]
