"""Ollama's face before other engines: its words, its errors, and the stock ollama client."""

import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import ollama
import pytest
from scripted_engine import Scripted, bridged

import labkit
from labkit.backends import available
from labkit.backends.asgi import LoopbackServer
from labkit.backends.bridge.contract import Refusal
from labkit.backends.capabilities import Capabilities, Capability
from labkit.backends.ollama_face import OllamaFace
from labkit.backends.ollama_words import Answer, Cannot, asked, has_name
from labkit.backends.probes import PROBES
from labkit.backends.relay import relay_app

MINE = {"Authorization": "Bearer mine"}
HELLO = [{"role": "user", "content": "Where is it?"}]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["zinnober", "aureolin"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


@contextlib.contextmanager
def faced(endpoint, context=64):
    """Serve Ollama's face of `endpoint`; yield (its address, the stock ollama client)."""
    app = OllamaFace(relay_app(endpoint, key="mine"), endpoint, "mine", context)
    with LoopbackServer(app) as server, ollama.Client(host=server.address, headers=MINE, timeout=60) as client:
        yield server.address, client


@contextlib.contextmanager
def scripted(engine=None, can=frozenset()):
    """As `faced`, before an engine that plays a script; `can`: what its probes would have found beside the usual."""
    usual = {"streaming", "stream_usage", "stop", "seed", "top_k"}
    with bridged(engine or Scripted()) as endpoint:
        found = {name: Capability(name in usual | set(can), "scripted") for name in PROBES}
        endpoint.__dict__["capabilities"] = Capabilities("scripted", "1", "m", "2026-11-22", found)
        with faced(endpoint) as (address, client):
            yield address, client


def post(address, path, body, **more) -> tuple[int, dict]:
    with httpx2.Client(trust_env=False, timeout=20) as http:
        answer = http.post(address + path, headers=MINE, **({"json": body} if isinstance(body, dict) else more))
        return answer.status_code, answer.json()


# -- words ----------------------------------------------------------------------------------------------------------------


def test_a_chat_request_becomes_openais():
    body = {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, *HELLO],
        "options": {"num_predict": 7, "temperature": 0, "seed": 3, "stop": ["."], "top_k": 5, "num_ctx": 64},
        "format": SCHEMA,
        "keep_alive": "5m",
        "stream": False,
    }
    assert asked("chat", body, 64) == {
        "messages": body["messages"],
        "max_tokens": 7,
        "temperature": 0,
        "top_p": 0.9,
        "seed": 3,
        "stop": ["."],
        "extra_body": {"top_k": 5},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "format", "strict": True, "schema": SCHEMA},
        },
    }


def test_what_is_left_out_has_ollamas_defaults():
    wanted = {"messages": [{"role": "user", "content": "Hi"}], "temperature": 0.8, "top_p": 0.9}
    assert asked("generate", {"model": "m", "prompt": "Hi"}, 64) == wanted
    assert asked("generate", {"model": "m", "prompt": "Hi", "options": {"num_predict": -1}}, 64) == wanted
    assert asked("generate", {"model": "m", "prompt": "Hi", "format": "json"}, 64) == wanted | {
        "response_format": {"type": "json_object"}
    }
    assert asked("generate", {"prompt": "Hi", "system": "Be brief."}, 64)["messages"][0]["role"] == "system"
    neutral = {"repeat_penalty": 1.0, "mirostat": 0, "num_keep": 0}
    assert asked("generate", {"prompt": "Hi", "options": neutral, "images": [], "raw": False}, 64) == wanted


def test_without_a_prompt_there_is_nothing_to_ask():
    assert asked("generate", {"model": "m"}, 64) is asked("chat", {"model": "m", "messages": []}, 64) is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"options": {"num_ctx": 65}}, "labkit serve --context 65"),
        ({"options": {"repeat_penalty": 1.1}}, "repeat_penalty=1.1"),
        ({"options": {"mirostat": 2}}, "mirostat=2"),
        ({"options": {"no_such": 1}}, "no_such=1"),
        ({"options": [1]}, "options"),
        ({"options": {"num_predict": "7"}}, "num_predict"),
        ({"options": {"num_ctx": "7"}}, "num_ctx"),
        ({"format": "yaml"}, "yaml"),
        ({"images": ["aGk="]}, "images"),
        ({"think": True}, "think"),
        ({"raw": True}, "raw"),
        ({"context": [1, 2]}, "context"),
        ({"suffix": "}"}, "suffix"),
        ({"logprobs": True}, "logprobs"),
        ({"prompt": 7}, "prompt"),
        ({"system": 7}, "system"),
    ],
)
def test_what_cannot_be_honoured_is_named(more, words):
    with pytest.raises(Cannot, match=words) as caught:
        asked("generate", {"model": "m", "prompt": "Hi", **more}, 64)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "messages",
    [
        "hi",
        ["hi"],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": "x", "images": ["aGk="]}],
        [{"role": "assistant", "tool_calls": "x"}],
        [{"role": "assistant", "tool_calls": ["x"]}],
        [{"role": "tool", "content": "alone"}],
    ],
)
def test_messages_that_are_none(messages):
    with pytest.raises(Cannot, match=r"messages|images"):
        asked("chat", {"model": "m", "messages": messages}, 64)


def test_tool_calls_and_results_keep_their_pairs():
    call = {"function": {"name": "get_time", "arguments": {"city": "Rome"}}}
    listed = [*HELLO, {"role": "assistant", "content": "", "tool_calls": [call, call]}]
    listed += [{"role": "tool", "content": "9", "tool_name": "get_time"}, {"role": "tool", "content": "10"}]
    _, made, *results = asked("chat", {"messages": listed}, 64)["messages"]
    assert [one["id"] for one in made["tool_calls"]] == [one["tool_call_id"] for one in results] == ["call_0", "call_1"]
    assert json.loads(made["tool_calls"][0]["function"]["arguments"]) == {"city": "Rome"}


@pytest.mark.parametrize(
    ("name", "same"), [("m", True), ("m:latest", True), ("n", False), (None, False), (["m"], False)]
)
def test_names(name, same):
    assert has_name(name, "m") is same


def test_a_streamed_tool_call_becomes_one_object():
    from openai.types.chat import ChatCompletionChunk

    def chunk(delta, finish=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        raw = {"id": "1", "created": 1, "model": "m", "object": "chat.completion.chunk", "choices": [choice]}
        return ChatCompletionChunk.model_validate(raw)

    def part(**function):
        return {"tool_calls": [{"index": 0, "function": function}]}

    answer = Answer("chat", "m")
    for one in (
        chunk(part(name="get_time", arguments='{"ci')),
        chunk(part(arguments='ty": "Rome"}')),
        chunk({}, "tool_calls"),
    ):
        assert not list(answer.add(one))
    last = answer.last()
    assert last["message"]["tool_calls"] == [{"function": {"name": "get_time", "arguments": {"city": "Rome"}}}]
    assert (last["done"], last["done_reason"]) == (True, "stop")


# -- routes, on a scripted engine -----------------------------------------------------------------------------------------


def test_chat_whole_and_streamed():
    with scripted() as (_, client):
        whole = client.chat("m", HELLO)
        assert (whole.message.content, whole.done_reason, whole.model) == ("Paris.", "stop", "m")
        assert (whole.prompt_eval_count, whole.eval_count) == (3, 3) and whole.total_duration > whole.eval_duration > 0
        lines = list(client.chat("m", HELLO, stream=True))
        assert [line.message.content for line in lines] == ["Par", "is", ".", ""]
        assert [line.done for line in lines] == [False, False, False, True]
        assert lines[-1].eval_count == 3


def test_generate_whole_and_streamed():
    with scripted() as (_, client):
        whole = client.generate("m:latest", "Where is it?", options={"num_predict": 2})
        assert (whole.response, whole.done_reason, whole.eval_count) == ("Paris", "length", 2)
        assert "".join(line.response for line in client.generate("m", "Where?", stream=True)) == "Paris."


def test_lines_come_as_they_are_written():
    gate = threading.Semaphore(1)
    with scripted(Scripted(gate=gate)) as (_, client):
        lines = iter(client.chat("m", HELLO, stream=True))
        assert next(lines).message.content == "Par"  # the engine waits for a permit to write more
        gate.release(2)
        assert "".join(line.message.content for line in lines) == "is."


def test_a_request_without_a_prompt_finds_the_model_loaded():
    with scripted() as (_, client):
        assert (client.generate("m").done_reason, client.generate("m", keep_alive=0).done_reason) == ("load", "unload")
        assert client.chat("m", []).done_reason == "load"


def test_options_reach_the_engine():
    engine = Scripted()
    with scripted(engine) as (_, client):
        client.chat("m", HELLO, options={"temperature": 0.5, "top_k": 4, "seed": 9, "stop": ["zz"]})
    (ask,) = engine.asks
    assert (ask.temperature, ask.top_k, ask.seed, ask.stop, ask.top_p) == (0.5, 4, 9, ("zz",), 0.9)


def test_what_the_probes_did_not_find_is_refused():
    engine = Scripted()
    with (
        scripted(engine) as (_, client),
        pytest.raises(ollama.ResponseError, match="would ignore response_format") as caught,
    ):
        client.chat("m", HELLO, format="json")
    assert caught.value.status_code == 400 and not engine.asks
    with scripted(engine, can={"json_schema"}) as (_, client):
        client.chat("m", HELLO, format=SCHEMA)
    assert json.loads(engine.asks[0].schema) == SCHEMA


def test_what_the_engine_refuses_keeps_its_status_and_words():
    refusal = Refusal(400, "The request (99 tokens) exceeds the available context size (64 tokens).")
    with scripted(Scripted(refuses=refusal)) as (_, client), pytest.raises(ollama.ResponseError) as caught:
        client.chat("m", HELLO)
    assert (caught.value.status_code, caught.value.error) == (400, refusal.message)


@pytest.mark.parametrize("stream", [True, False])
def test_an_engine_that_fails_in_the_middle(stream):
    with scripted(Scripted(fails_after=2)) as (_, client), pytest.raises(ollama.ResponseError, match="out of memory"):
        list(client.chat("m", HELLO, stream=stream))


def test_who_leaves_stops_the_engine():
    engine = Scripted(gate=threading.Semaphore(1))
    with scripted(engine) as (_, client):
        lines = client.chat("m", HELLO, stream=True)
        next(lines)
        lines.close()
        deadline = time.monotonic() + 10
        while not engine.ended and time.monotonic() < deadline:
            time.sleep(0.01)
        assert engine.ended == ["stopped"]  # before the server's own end would stop it


@pytest.mark.parametrize("stream", [True, False])
def test_who_leaves_before_the_first_word_stops_the_engine(stream):
    engine = Scripted(gate=threading.Semaphore(0))
    with scripted(engine) as (address, _):
        impatient = ollama.Client(host=address, headers=MINE, timeout=1)
        with pytest.raises(httpx_timeout()):
            list(impatient.chat("m", HELLO, stream=stream))
        deadline = time.monotonic() + 10
        while not engine.ended and time.monotonic() < deadline:
            time.sleep(0.01)
        assert engine.ended == ["stopped"]  # before the server's own end would stop it


def httpx_timeout():
    import httpx  # what the ollama client stands on

    return httpx.ReadTimeout


def test_eight_at_once():
    with scripted(Scripted(at_once=3)) as (_, client), ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat("m", HELLO).message.content, range(8)))
    assert answers == ["Paris."] * 8


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer other"}, {"Authorization": "mine"}])
def test_nobody_gets_in_without_the_key(headers, monkeypatch):
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    with scripted() as (address, _), ollama.Client(host=address, headers=headers) as stranger:
        for call in (stranger.list, stranger.ps, lambda: stranger.chat("m", HELLO), lambda: stranger.show("m")):
            with pytest.raises(ollama.ResponseError, match="wrong key") as caught:
                call()
            assert caught.value.status_code == 401


def test_the_client_reads_the_key_from_its_own_variable(monkeypatch):
    monkeypatch.setenv("OLLAMA_API_KEY", "mine")
    with scripted() as (address, _):
        assert ollama.Client(host=address).chat("m", HELLO).message.content == "Paris."


def test_openais_routes_go_past_it():
    import openai

    with scripted() as (address, _), openai.OpenAI(base_url=f"{address}/v1", api_key="mine") as client:
        assert client.models.list().data[0].id == "m"


def test_unknown_models_routes_and_bodies():
    with scripted() as (address, client):
        with pytest.raises(ollama.ResponseError, match="model 'other' not found") as caught:
            client.chat("other", HELLO)
        assert caught.value.status_code == 404
        with pytest.raises(ollama.ResponseError, match="labkit serve --backend ollama") as caught:
            client.pull("other")
        assert caught.value.status_code == 400
        assert (
            post(address, "/api/", {})[0] == 404 and "no such route" in post(address, "/api/nonsense", {})[1]["error"]
        )
        for raw in (b"", b"{", b"[]", b'"m"', b"\xff"):
            status, said = post(address, "/api/chat", None, content=raw)
            assert status == 400 and "JSON" in said["error"], raw
        assert post(address, "/api/chat", {"messages": HELLO})[0] == 404
        assert post(address, "/api/chat", {"name": "m", "messages": HELLO, "stream": False})[1]["model"] == "m"


def test_a_model_that_the_catalogue_does_not_know():
    with scripted() as (_, client):
        assert [one.model for one in client.list().models] == ["m"]
        assert client.show("m").capabilities == ["completion"] and client.ps().models[0].size_vram == 0


# -- on real engines ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(endpoint):
    with faced(endpoint, 2048) as both:
        yield both


def test_paris(live, endpoint):
    _, client = live
    found = client.chat("smollm2-135m", FRANCE, options={"temperature": 0})
    ours = endpoint.chat(FRANCE)
    assert found.message.content == ours.text
    assert (found.prompt_eval_count, found.eval_count) == (ours.prompt_tokens, ours.completion_tokens)
    pieces = list(client.chat("smollm2-135m", FRANCE, options={"temperature": 0}, stream=True))
    assert "".join(one.message.content for one in pieces) == ours.text and len(pieces) > 4


def test_a_schema_holds(live):
    _, client = live
    options = {"temperature": 0, "num_predict": 60}  # greedy: each run asks the same
    found = client.generate("smollm2-135m", "Write a story.", format=SCHEMA, options=options)
    assert json.loads(found.response)["colour"] in ("zinnober", "aureolin")
    json_ = client.generate("smollm2-135m", "Describe a cat as JSON.", format="json", options=options)
    assert json_.response.lstrip().startswith("{")


def test_what_it_says_of_the_model(live):
    _, client = live
    (card,), (loaded,), shown = client.list().models, client.ps().models, client.show("smollm2-135m")
    assert (card.model, card.size, card.details.quantization_level) == ("smollm2-135m", 270885920, "F16")
    assert loaded.context_length == 2048 and loaded.size > 100e6
    assert shown.modelinfo["smollm2.context_length"] == 8192
    assert shown.capabilities == ["completion"], "its template drops tools"


def test_tools_that_the_template_drops_are_refused(live):
    tool = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
    with pytest.raises(ollama.ResponseError, match="would ignore tools"):
        live[1].chat("smollm2-135m", FRANCE, tools=[tool])


def keys(client, model) -> dict[str, set]:
    """Which fields an Ollama's answers have."""
    options = {"temperature": 0, "num_predict": 4}
    streamed = list(client.chat(model, FRANCE, options=options, stream=True))
    found = {
        "chat": client.chat(model, FRANCE, options=options),
        "generate": client.generate(model, "Hi", options=options),
        "first line": streamed[0],
        "last line": streamed[-1],
        "message": streamed[0].message,
        "list": next(one for one in client.list().models if one.model == model),
        "ps": client.ps().models[0],
        "load": client.generate(model),
    }
    return {name: one.model_fields_set for name, one in found.items()}


def test_its_answers_have_the_fields_of_the_real_ollamas(live, require):
    here = available()["ollama"]
    require("ollama", here, here.fix)
    ours = keys(live[1], "smollm2-135m")
    with labkit.connect("ollama", model="smollm2-135m", context=512, parallel=1) as real:
        address = real.base_url.removesuffix("/v1")
        with ollama.Client(host=address) as client:
            theirs = keys(client, real.model)
    missing = {name: theirs[name] - ours[name] for name in theirs}
    # `context` is the prompt as tokens, which this API has given up; nothing else may be missing.
    assert {name: fields - {"context"} for name, fields in missing.items() if fields - {"context"}} == {}
