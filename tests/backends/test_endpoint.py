"""Endpoint against servers that misbehave, and against the real embedded engine."""

import json

import pytest
from bad_servers import SSE, SSE_CHUNKED, chunk, error, serving

import labkit
from labkit.backends import Capabilities, Capability, Endpoint
from labkit.backends.loopback import check_identity
from labkit.errors import ContextTooLong, EngineDied, EngineStartError, EngineTimeout, Refused, UnsupportedParameter


def at(address: str, **options) -> Endpoint:
    return Endpoint(backend="demo", base_url=f"{address}/v1", model="m", api_key="k", **options)


# -- servers that misbehave ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        SSE,
        SSE + chunk("half an"),
        SSE_CHUNKED + b"400\r\n" + chunk("half an"),
        SSE + chunk("half") + b'data: {"id": "x", "cho',
    ],
    ids=["nothing", "no-end", "cut-chunk", "cut-json"],
)
def test_a_stream_that_breaks_off_is_an_error_not_a_short_answer(answer):
    with serving(answer) as address, at(address) as endpoint:
        stream = endpoint.stream("hello")
        with pytest.raises(EngineDied):
            list(stream)
        assert stream.reply is None


def test_a_whole_stream_is_a_reply():
    with serving(SSE + chunk("Par") + chunk("is.") + chunk(finish="stop") + b"data: [DONE]\n\n") as address:
        stream = at(address).stream("hello")
        assert list(stream) == ["Par", "is."]
    assert (stream.reply.text, stream.reply.finish_reason, stream.reply.completion_tokens) == ("Paris.", "stop", 2)


def test_no_connection_is_used_again():
    """Engines hang up after a stream, and on idle ones; who asks at that very moment would read that the engine died."""
    said = {"message": {"role": "assistant", "content": "Paris"}, "index": 0, "finish_reason": "stop"}
    body = json.dumps({"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [said]}).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with serving(head + body, hold=0.3) as address:  # one answer, some waiting, and the door shuts
        endpoint = Endpoint("toy", f"{address}/v1", "m", "key")
        assert [endpoint.chat("Where?").text for _ in range(3)] == ["Paris"] * 3


def test_garbage_is_an_error_of_ours():
    with serving(b"\x16\x03\x01 not http at all\r\n\r\n") as address, pytest.raises(EngineDied):
        at(address).chat("hello")


def test_nobody_there():
    with serving(b"") as address:
        pass
    with pytest.raises(EngineDied, match="is not there"):
        at(address).chat("hello")


def test_silence_ends_in_a_timeout():
    with serving(b"", hold=30) as address, pytest.raises(EngineTimeout, match=r"0\.3 s"):
        at(address, timeout=0.3).chat("hello")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            error(400, "request (9 tokens) exceeds the available context size", "exceed_context_size_error"),
            ContextTooLong,
        ),
        (error(400, "This model's maximum context length is 8 tokens"), ContextTooLong),
        (error(401, "Invalid API Key"), Refused),
        (error(404, "model `x` does not exist"), Refused),
        (error(500, "boom"), Refused),
    ],
)
def test_refusals_are_typed_and_say_what_to_try(answer, kind):
    with serving(answer) as address, pytest.raises(kind) as caught:
        at(address).chat("hello")
    assert caught.value.why and caught.value.fix


def test_no_proxy_for_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # the discard port: whoever goes there is lost
    with serving(SSE + chunk("yes") + chunk(finish="stop") + b"data: [DONE]\n\n") as address:
        assert list(at(address).stream("hello")) == ["yes"]


class Process:
    label, stopped = "demo", False

    def stop(self):
        self.stopped = True


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", error(401, "no"), b"what?\r\n\r\n"]
)
def test_a_stranger_on_the_port_is_not_taken_for_our_engine(answer):
    process = Process()
    with serving(answer) as address, pytest.raises(EngineStartError, match="is not the demo"):
        check_identity(address, "/props", "our-key", process)
    assert process.stopped


def test_a_parameter_that_would_be_ignored_raises():
    endpoint = at("http://127.0.0.1:9")
    endpoint.capabilities = Capabilities("demo", "1", "m", "2026-01-01", {"seed": Capability(False, "two answers")})
    with pytest.raises(UnsupportedParameter, match="two answers"):
        endpoint.chat("hello", seed=1)


def test_a_form_of_answer_that_does_not_exist_raises():
    endpoint = at("http://127.0.0.1:9")
    endpoint.capabilities = Capabilities("demo", "1", "m", "2026-01-01", {})
    with pytest.raises(UnsupportedParameter, match="no engine of this course"):
        endpoint.chat("hello", response_format={"type": "nonsense"})
    with pytest.raises(EngineDied):
        endpoint.chat("hello", response_format={"type": "text"})


def test_the_key_does_not_show():
    assert "s3cret" not in repr(Endpoint(backend="demo", base_url="http://127.0.0.1:9/v1", model="m", api_key="s3cret"))


# -- the real engine ----------------------------------------------------------------------------------------------------


def test_paris(endpoint):
    reply = endpoint.chat("What is the capital of France?")
    assert "Paris" in reply.text and reply.finish_reason == "stop"
    assert reply.prompt_tokens > reply.completion_tokens > 0


def test_streamed_and_whole_answers_agree(endpoint):
    stream = endpoint.stream("What is the capital of France?")
    assert "".join(stream) == stream.reply.text == endpoint.chat("What is the capital of France?").text
    assert 0 < stream.reply.first_token_seconds < stream.reply.seconds


def test_unicode_is_whole_in_every_piece(endpoint):
    text = "Zürich, Ђоковић, 東京, 👩‍👩‍👧‍👦"
    messages = [{"role": "user", "content": f"Repeat exactly: {text}"}]
    pieces = list(endpoint.stream(messages, max_tokens=80))
    assert "\ufffd" not in "".join(pieces)


def test_cancel_frees_the_engine(endpoint):
    from labkit.backends.loopback import get

    with endpoint.stream("Write a very long story.", max_tokens=1500) as stream:
        for _ in range(3):
            next(stream)
    address = endpoint.base_url.removesuffix("/v1")
    for _ in range(200):
        if "llamacpp:requests_processing 0" in get(address, "/metrics", endpoint.api_key)[1]:
            return
    pytest.fail("the engine still works on the cancelled request")


def test_too_long_a_prompt(endpoint):
    with pytest.raises(ContextTooLong, match="tokens"):
        endpoint.chat("again and " * 3000)
    assert "Paris" in endpoint.chat("What is the capital of France?").text


def test_a_wrong_key(endpoint):
    from dataclasses import replace

    with pytest.raises(Refused, match="wrong key"):
        replace(endpoint, api_key="wrong", on_close=None).chat("hello")


def test_capabilities_are_what_the_engine_does(endpoint):
    found = endpoint.capabilities
    assert found["streaming"] and found["json_schema"] and found["seed"] and found["logprobs"]
    assert found["json_object"] and found["max_completion_tokens"] and found["logit_bias"]
    assert found["top_k"] and found["min_p"]
    assert not found["tool_choice"]  # this model's template has no place for tools
    with pytest.raises(UnsupportedParameter):
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        endpoint.chat("hello", tools=[tool], tool_choice="required")


def test_capabilities_are_cached_and_a_damaged_cache_is_probed_again(endpoint, tmp_path, monkeypatch):
    from dataclasses import replace

    from labkit.backends import capabilities

    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    asked = []
    monkeypatch.setattr(capabilities, "probe", lambda e, real=capabilities.probe: asked.append(1) or real(e))
    first = replace(endpoint).capabilities
    assert replace(endpoint).capabilities == first and len(asked) == 1
    (cached,) = tmp_path.rglob("*.json")
    cached.write_text("{half")
    assert replace(endpoint).capabilities.results == first.results and len(asked) == 2
    assert replace(endpoint, engine_version="other").capabilities.engine_version == "other" and len(asked) == 3


def test_the_plain_clients_work(endpoint):
    import asyncio

    async def ask():
        async with endpoint.async_client() as client:
            return await client.chat.completions.create(
                model=endpoint.model,
                messages=[{"role": "user", "content": "What is the capital of France?"}],
                temperature=0,
            )

    assert "Paris" in asyncio.run(ask()).choices[0].message.content


def test_agent_framework_runs_on_it(endpoint):
    import asyncio

    from agent_framework import Agent

    async def run():
        agent = Agent(client=endpoint.chat_client(), default_options={"temperature": 0})
        return await agent.run("What is the capital of France?")

    assert "Paris" in asyncio.run(run()).text


def test_closing_twice_is_fine(endpoint):
    mine = labkit.connect("llamacpp", model="smollm2-135m")
    assert mine.process is endpoint.process, "equal wishes share one engine"
    mine.close()
    mine.close()
    assert endpoint.alive
