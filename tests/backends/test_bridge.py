"""The bridge: one OpenAI-compatible face before a scripted engine, on a real socket."""

import http.client
import json
import threading
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from hypothesis import given
from hypothesis import strategies as st
from scripted_engine import KEY, Scripted, bridged

from labkit.backends.bridge.contract import Refusal
from labkit.backends.bridge.text import StopText, TokenText
from labkit.backends.loopback import get
from labkit.errors import ContextTooLong, Refused

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "What is the capital of France?"}]}


def post(endpoint, body, key=KEY, path="/v1/chat/completions", method="POST"):
    """Send `body` (bytes, or something for JSON) with nothing checked on this side; return (status, text, headers)."""
    parts = urlsplit(endpoint.base_url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, raw, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    response = connection.getresponse()
    found = response.status, response.read().decode(), response.headers
    connection.close()
    return found


def refused(endpoint, body, **options) -> tuple[int, dict]:
    status, text, _ = post(endpoint, body, **options)
    return status, json.loads(text)["error"]


def metric(endpoint, name: str) -> int:
    lines = get(endpoint.base_url.removesuffix("/v1"), "/metrics", KEY)[1].splitlines()
    return int(next(line for line in lines if line.startswith(f"labkit:{name} ")).split()[1])


def until(question, tries=2000):
    """Wait until `question()` is true: for what another thread is about to do."""
    pause = threading.Event()
    for _ in range(tries):
        if question():
            return
        pause.wait(0.005)
    pytest.fail("it never came")


# -- answers ------------------------------------------------------------------------------------------------------------


def test_a_plain_answer():
    with bridged(Scripted()) as endpoint:
        reply = endpoint.chat("What is the capital of France?")
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("Paris.", "stop", 6, 3)
    assert (
        reply.raw.usage.total_tokens == 9
        and reply.raw.model == "m"
        and reply.raw.choices[0].message.role == "assistant"
    )


def test_a_streamed_answer():
    with bridged(Scripted()) as endpoint:
        stream = endpoint.stream("What is the capital of France?")
        assert list(stream) == ["Par", "is", "."]
    assert (stream.reply.text, stream.reply.finish_reason) == ("Paris.", "stop")
    assert (stream.reply.prompt_tokens, stream.reply.completion_tokens) == (6, 3)


@pytest.mark.parametrize("usage", [True, False])
def test_the_stream_on_the_wire(usage):
    with bridged(Scripted()) as endpoint:
        status, text, headers = post(endpoint, {**QUESTION, "stream": True, "stream_options": {"include_usage": usage}})
    events = [line.removeprefix("data: ") for line in text.split("\n\n")[:-1]]
    assert status == 200 and headers["content-type"].startswith("text/event-stream") and events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert ([chunk.get("usage") for chunk in chunks].pop() is not None) == usage
    told = [chunk for chunk in chunks if chunk["choices"]]
    assert [chunk["choices"][0]["finish_reason"] for chunk in told] == [None, None, None, "stop"]
    assert told[0]["choices"][0]["delta"] == {"role": "assistant", "content": "Par"}
    assert told[-1]["choices"][0]["delta"] == {}


def test_an_answer_without_a_word_still_ends():
    with bridged(Scripted([])) as endpoint:
        stream = endpoint.stream("hello")
        assert list(stream) == [] and stream.reply.finish_reason == "stop"


def test_characters_are_whole_in_every_piece():
    text = "Zürich, Ђоковић, 東京, 👩‍👩‍👧‍👦"
    with bridged(Scripted([bytes([byte]) for byte in text.encode()], context=200)) as endpoint:
        stream = endpoint.stream("hello")
        pieces = list(stream)
    assert "".join(pieces) == text and all("\ufffd" not in piece for piece in pieces)


def test_a_cut_character_is_left_out():
    with bridged(Scripted([b"ab", "東".encode()[:1], "東".encode()[1:]])) as endpoint:
        reply = endpoint.chat("hello", max_tokens=2)
    assert (reply.text, reply.finish_reason) == ("ab", "length")


@pytest.mark.parametrize(
    ("stop", "text"),
    [("END", "one "), (["nothing", "ND"], "one E"), ("e ENDt", "on"), ("never", "one ENDtwo"), ("twoo", "one ENDtwo")],
)
def test_a_stop_text_may_be_spread_over_pieces(stop, text):
    with bridged(Scripted(["one", " E", "N", "Dt", "wo"])) as endpoint:
        for reply in (endpoint.client().chat.completions.create(**QUESTION, stop=stop),):
            assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == (text, "stop")
        stream = endpoint.client().chat.completions.create(**QUESTION, stop=stop, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text


def test_after_a_stop_text_the_engine_stops():
    engine = Scripted(["a", "STOP", "b"], gate=threading.Semaphore(2))
    with bridged(engine) as endpoint:
        reply = endpoint.client().chat.completions.create(**QUESTION, stop="STOP", max_tokens=3)
    assert reply.choices[0].message.content == "a" and engine.ended == ["stopped"]


def test_parameters_reach_the_engine():
    engine = Scripted()
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    with bridged(engine) as endpoint:
        create = endpoint.client().chat.completions.create
        form = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
        create(
            **QUESTION,
            temperature=0.5,
            top_p=0.25,
            extra_body={"top_k": 3},
            seed=7,
            max_tokens=2,
            stop="x",
            response_format=form,
        )
        create(**QUESTION, max_completion_tokens=1, response_format={"type": "json_object"})
        create(**QUESTION, user="me", n=1, logprobs=False, frequency_penalty=0.0, tool_choice="auto", tools=[])
    first, second, third = engine.asks
    assert (first.top_k, second.top_k, first.min_p) == (3, 0, 0.0)
    assert (first.temperature, first.top_p, first.seed, first.stop, json.loads(first.schema)) == (
        0.5,
        0.25,
        7,
        ("x",),
        schema,
    )
    assert json.loads(second.schema) == {"type": "object"} and third.schema is None
    assert engine.most == [2, 1, 64 - 6]
    assert second.seed != third.seed, "without a seed, every answer has its own"


def test_text_parts_and_the_developer_role():
    engine = Scripted()
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    with bridged(engine) as endpoint:
        endpoint.chat([{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}])
    assert engine.asks[0].messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one\ntwo"},
    )


def test_max_tokens_beyond_the_window_is_cut_to_what_fits():
    engine = Scripted(["a"] * 100, context=10)
    with bridged(engine) as endpoint:
        reply = endpoint.chat("one two three", max_tokens=500)
    assert (engine.most, reply.completion_tokens, reply.finish_reason) == ([7], 7, "length")


# -- refusals -----------------------------------------------------------------------------------------------------------


def test_the_key_is_wanted_everywhere_but_at_health():
    with bridged(Scripted()) as endpoint:
        address = endpoint.base_url.removesuffix("/v1")
        for path in ("/v1/models", "/metrics", "/v1/chat/completions", "/nowhere"):
            for key in ("", "wrong", KEY + "x"):
                assert get(address, path, key)[0] == 401
        assert refused(endpoint, QUESTION, key="ключ".encode().decode("latin-1"))[1]["code"] == "invalid_api_key"
        assert get(address, "/health") == (200, '{"status":"ok"}')
        assert json.loads(get(address, "/v1/models", KEY)[1])["data"][0]["id"] == "m"


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "other"}, 404, "model"),
        ({"model": None}, 404, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": "hello"}, 400, "messages"),
        ({"messages": ["hello"]}, 400, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0]"),
        ({"messages": [{"role": "user"}]}, 400, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages[0].content"),
        ({"temperature": 3}, 400, "temperature"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"temperature": True}, 400, "temperature"),
        ({"top_p": 0}, 400, "top_p"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": 1.5}, 400, "max_tokens"),
        ({"seed": "one"}, 400, "seed"),
        ({"top_k": -1}, 400, "top_k"),
        ({"min_p": 0.5}, 400, "min_p"),
        ({"stop": [""]}, 400, "stop"),
        ({"stream": "yes"}, 400, "stream"),
        ({"stream_options": {"colour": 1}}, 400, "stream_options"),
        ({"n": 2}, 400, "n"),
        ({"logprobs": True}, 400, "logprobs"),
        ({"presence_penalty": 0.1}, 400, "presence_penalty"),
        ({"tools": [{"type": "function"}]}, 400, "tools"),
        ({"tool_choice": "required"}, 400, "tool_choice"),
        ({"reasoning_effort": "high"}, 400, "reasoning_effort"),
        ({"response_format": "json"}, 400, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, 400, "response_format"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(change, status, param):
    engine = Scripted()
    with bridged(engine) as endpoint:
        found, error = refused(endpoint, {**QUESTION, **change})
    assert (found, error["param"], error["type"]) == (status, param, "invalid_request_error")
    assert error["message"] and not engine.asks


def test_what_this_engine_does_not_honour_is_refused():
    with bridged(Scripted(honours=frozenset())) as endpoint:
        for change in ({"seed": 1}, {"top_p": 0.5}, {"temperature": 0}, {"response_format": {"type": "json_object"}}):
            status, error = refused(endpoint, {**QUESTION, **change})
            assert (status, error["code"]) == (400, "unsupported_parameter")


@pytest.mark.parametrize("body", [b"", b"{half", b"[]", b"7", b"\xff\xfe", b"[" * 100_000], ids=repr)
def test_a_body_that_is_no_request(body):
    with bridged(Scripted()) as endpoint:
        assert refused(endpoint, body)[0] == 400
        assert endpoint.chat("hello").text == "Paris."


def test_a_body_without_end():
    with bridged(Scripted()) as endpoint:
        body = json.dumps({**QUESTION, "user": "x" * 17 * 2**20}).encode()
        try:
            status = refused(endpoint, body)[0]
        except (BrokenPipeError, ConnectionResetError):  # it hung up in the middle, as it may
            status = 413
        assert status == 413 and endpoint.chat("hello").text == "Paris."


def test_paths_and_methods_that_are_not_there():
    with bridged(Scripted()) as endpoint:
        assert refused(endpoint, QUESTION, path="/v1/embeddings")[0] == 404
        assert refused(endpoint, QUESTION, method="GET")[0] == 405


def test_too_long_a_prompt_says_so_in_words_that_clients_know():
    with bridged(Scripted(context=8)) as endpoint:
        with pytest.raises(ContextTooLong, match="exceeds the available context size"):
            endpoint.chat("a " * 8)
        with pytest.raises(ContextTooLong):
            endpoint.stream("a " * 9)
        assert endpoint.chat("a " * 7).completion_tokens == 1


def test_what_the_engine_refuses_has_its_own_status_even_when_streamed():
    engine = Scripted(refuses=Refusal(400, "no such schema", "invalid_schema", "response_format"))
    with bridged(engine) as endpoint:
        for stream in (False, True):
            assert refused(endpoint, {**QUESTION, "stream": stream})[1]["code"] == "invalid_schema"


@pytest.mark.parametrize("stream", [False, True])
def test_an_engine_that_fails_before_the_first_word(stream):
    with bridged(Scripted(fails_after=0)) as endpoint:
        status, error = refused(endpoint, {**QUESTION, "stream": stream})
        assert (status, error["type"]) == (500, "server_error") and "out of memory" in error["message"]


def test_an_engine_that_fails_in_the_middle_of_a_stream():
    with bridged(Scripted(fails_after=2)) as endpoint:
        stream, pieces = endpoint.stream("hello"), []
        with pytest.raises(Refused, match="out of memory"):
            pieces.extend(stream)
        assert stream.reply is None
        assert "[DONE]" not in post(endpoint, {**QUESTION, "stream": True})[1]


# -- waiting and leaving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("streamed", [True, False])
def test_a_caller_who_leaves_stops_the_engine(streamed):
    engine = Scripted(["a"] * 50, gate=threading.Semaphore(2))
    with bridged(engine) as endpoint:
        parts = urlsplit(endpoint.base_url)
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        body = json.dumps({**QUESTION, "stream": streamed})
        connection.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {KEY}"})
        until(lambda: metric(endpoint, "requests_processing") == 1)
        if streamed:
            connection.getresponse().read(10)
        connection.close()
        until(lambda: metric(endpoint, "requests_processing") == 0)
        assert engine.ended == ["stopped"] and metric(endpoint, "requests_cancelled_total") == 1


def test_a_caller_who_leaves_the_line_never_reaches_the_engine():
    engine = Scripted(gate=threading.Semaphore(0))
    with bridged(engine) as endpoint:
        first = threading.Thread(target=lambda: endpoint.chat("first"))
        first.start()
        until(lambda: metric(endpoint, "requests_processing") == 1)
        parts = urlsplit(endpoint.base_url)
        waiting = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
        waiting.request("POST", "/v1/chat/completions", json.dumps(QUESTION), {"Authorization": f"Bearer {KEY}"})
        until(lambda: metric(endpoint, "requests_deferred") == 1)
        waiting.close()
        until(lambda: metric(endpoint, "requests_deferred") == 0)
        engine.gate.release(3)
        first.join(20)
    assert [ask.messages[0]["content"] for ask in engine.asks] == ["first"] and engine.ended == ["whole"]


@pytest.mark.parametrize("at_once", [1, 4])
def test_eight_callers_all_get_their_answer(at_once):
    engine = Scripted(at_once=at_once, gate=threading.Semaphore(0))
    with bridged(engine) as endpoint:
        replies = []
        callers = [threading.Thread(target=lambda: replies.append(endpoint.chat("hello").text)) for _ in range(8)]
        for caller in callers:
            caller.start()
        until(lambda: metric(endpoint, "requests_deferred") == 8 - at_once)
        assert metric(endpoint, "requests_processing") == at_once
        engine.gate.release(24)
        for caller in callers:
            caller.join(20)
        assert replies == ["Paris."] * 8
        counts = {
            name: metric(endpoint, name) for name in ("requests_total", "tokens_predicted_total", "requests_deferred")
        }
    assert counts == {"requests_total": 8, "tokens_predicted_total": 24, "requests_deferred": 0}


def test_the_stock_clients_work():
    import asyncio

    with bridged(Scripted()) as endpoint:

        async def ask():
            async with endpoint.async_client() as client:
                stream = await client.chat.completions.create(**QUESTION, stream=True)
                return [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]

        assert asyncio.run(ask()) == ["Par", "is", ".", None]
        assert [model.id for model in endpoint.client().models.list()] == ["m"]


def test_agent_framework_works():
    import asyncio

    from agent_framework import Agent

    with bridged(Scripted()) as endpoint:
        agent = Agent(client=endpoint.chat_client(), instructions="Be brief.")
        assert asyncio.run(agent.run("What is the capital of France?")).text == "Paris."


# -- text, by properties ------------------------------------------------------------------------------------------------


@given(st.text(max_size=40), st.data())
def test_token_text_is_the_text(text, data):
    raw, vocabulary = text.encode("utf-8", "ignore"), []
    while raw:
        size = data.draw(st.integers(1, 7))
        vocabulary, raw = [*vocabulary, raw[:size]], raw[size:]
    out = TokenText(lambda ids: b"".join(vocabulary[one] for one in ids).decode("utf-8", "replace"))
    pieces = [out.add([number]) for number in range(len(vocabulary))]
    whole = text.encode("utf-8", "ignore").decode()
    assert "".join(pieces) == (whole if "\ufffd" not in whole else "".join(pieces))


def test_rubbish_bytes_do_not_hold_the_text_back_for_ever():
    vocabulary = [b"\xe6"] * 6 + [b"ok"]
    out = TokenText(lambda ids: b"".join(vocabulary[one] for one in ids).decode("utf-8", "replace"))
    text = "".join(out.add([number]) for number in range(len(vocabulary)))
    assert text.endswith("ok") and text.count("\ufffd") == 6


@given(st.lists(st.text("abc", max_size=3), max_size=12), st.lists(st.text("abc", min_size=1, max_size=4), max_size=3))
def test_stop_text_is_what_comes_before_the_first_stop(pieces, stops):
    out, shown = StopText(stops), ""
    for piece in pieces:
        shown += out.add(piece)
        if out.hit:
            break
    shown += out.rest()
    seen, whole = "", "".join(pieces)
    for piece in pieces:  # what a reader of the whole text would do, piece by piece
        seen += piece
        if any(stop in seen for stop in stops):
            whole = seen[: min(seen.find(stop) for stop in stops if stop in seen)]
            break
    assert shown == whole
