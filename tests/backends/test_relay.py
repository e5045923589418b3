"""The relay: everything passes on, both ways, as it comes; nobody without the key; who leaves is heard at the engine."""

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import bad_servers
import httpx2
import openai
import psutil
import pytest
from scripted_engine import Scripted, bridged

from labkit.backends.asgi import LoopbackServer
from labkit.backends.relay import relay_app
from labkit.errors import EngineStartError

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}
MINE = {"Authorization": "Bearer mine"}


@contextlib.contextmanager
def relayed(engine: Scripted, tap=None):
    """Serve `engine` behind a relay; yield (the relay's address, a stock openai client of the relay)."""
    stock = {"api_key": "mine", "max_retries": 0, "timeout": 20}
    with (
        bridged(engine) as endpoint,
        LoopbackServer(relay_app(endpoint, key="mine", tap=tap)) as server,
        openai.OpenAI(base_url=f"{server.address}/v1", **stock) as client,
    ):
        yield server.address, client


def eventually(found) -> bool:
    deadline = time.monotonic() + 10
    while not found() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(found())


def test_plain_and_streamed_answers_pass():
    with relayed(Scripted()) as (_, client):
        assert client.chat.completions.create(**QUESTION).choices[0].message.content == "Paris."
        chunks = list(client.chat.completions.create(**QUESTION, stream=True, stream_options={"include_usage": True}))
        assert [c.choices[0].delta.content for c in chunks if c.choices] == ["Par", "is", ".", None]
        assert chunks[-1].usage.completion_tokens == 3


def test_an_engine_that_hangs_up_after_each_answer_is_no_dead_one():
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nParis"
    with (
        bad_servers.serving(answer, hold=0.3) as address,
        LoopbackServer(relay_app(address, key="mine")) as server,
        httpx2.Client(headers=MINE, trust_env=False) as http,
    ):
        assert [http.get(f"{server.address}/answer").text for _ in range(3)] == ["Paris"] * 3


def test_pieces_pass_before_the_answer_is_whole():
    gate = threading.Semaphore(1)
    with relayed(Scripted(gate=gate)) as (_, client):
        stream = iter(client.chat.completions.create(**QUESTION, stream=True))
        assert next(stream).choices[0].delta.content == "Par"  # the engine waits for a permit to write more
        gate.release(2)
        assert "".join(c.choices[0].delta.content or "" for c in stream) == "is."


def test_other_routes_their_status_and_headers_pass():
    with relayed(Scripted()) as (address, client):
        assert client.models.list().data[0].id == "m"
        metrics = httpx2.get(f"{address}/metrics?a=b%20c", headers=MINE)
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "labkit:requests_total" in metrics.text
        nowhere = httpx2.get(f"{address}/api/no%2Fwhere", headers=MINE)
        assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "no_such_route")
        with pytest.raises(openai.NotFoundError, match="model 'other' does not exist"):
            client.chat.completions.create(**{**QUESTION, "model": "other"})


@pytest.mark.parametrize("shown", [{}, {"Authorization": "Bearer the-key"}, {"Authorization": "mine"}])
def test_nobody_without_the_key(shown):
    engine = Scripted()
    with relayed(engine) as (address, _):
        for path in ("/v1/models", "/metrics", "/api/tags"):
            assert httpx2.get(f"{address}{path}", headers=shown).status_code == 401
        assert httpx2.post(f"{address}/v1/chat/completions", json=QUESTION, headers=shown).status_code == 401
        assert httpx2.get(f"{address}/health").json() == {"status": "ok"}
    assert engine.asks == []


def test_a_body_that_comes_in_blocks_passes():
    with relayed(Scripted()) as (address, _):
        blocks = iter([b'{"model": "m", "messages": [{"role": "user", ', b'"content": "one two"}]}'])
        answer = httpx2.post(f"{address}/v1/chat/completions", content=blocks, headers=MINE)
        assert answer.json()["usage"]["prompt_tokens"] == 2


def test_who_leaves_in_the_middle_stops_the_engine():
    gate, engine, seen = threading.Semaphore(1), Scripted(), []
    engine.gate = gate
    with relayed(engine, tap=seen.append) as (_, client):
        stream = client.chat.completions.create(**QUESTION, stream=True)
        next(iter(stream))
        stream.close()
        assert eventually(lambda: engine.ended) and engine.ended == ["stopped"]
        assert eventually(lambda: seen) and not seen[0].complete


def test_who_leaves_before_the_answer_stops_the_engine():
    engine = Scripted(gate=threading.Semaphore(0))
    with relayed(engine) as (_, client):
        with pytest.raises(openai.APITimeoutError):
            client.chat.completions.create(**QUESTION, timeout=0.5)
        assert eventually(lambda: engine.ended) and engine.ended == ["stopped"]


def test_many_at_once():
    engine = Scripted(at_once=8, context=4096)
    with relayed(engine) as (_, client), ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: client.chat.completions.create(**QUESTION), range(64)))
    assert {answer.choices[0].message.content for answer in answers} == {"Paris."}


def test_the_tap_sees_what_was_asked_and_what_came():
    seen = []
    with relayed(Scripted(pieces=["Zü", "rich"]), tap=seen.append) as (_, client):
        list(client.chat.completions.create(**QUESTION, stream=True))
        assert eventually(lambda: seen)
    [exchange] = seen
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/v1/chat/completions", 200)
    assert b"Where is it?" in exchange.body and exchange.content_type.startswith("text/event-stream")
    assert exchange.complete and b"".join(data for _, data in exchange.pieces).endswith(b"data: [DONE]\n\n")
    times = [seconds for seconds, _ in exchange.pieces]
    assert times == sorted(times) and times[0] > 0


def test_a_server_that_is_not_there():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with LoopbackServer(relay_app(nobody, key="mine")) as server:
        answer = httpx2.get(f"{server.address}/v1/models", headers=MINE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "engine_gone")


def test_an_answer_that_breaks_off_breaks_off_here_too():
    half, seen = bad_servers.SSE_CHUNKED + b"10\r\ndata: {}\n\n", []
    with (
        bad_servers.serving(half) as address,
        LoopbackServer(relay_app(address, key="mine", tap=seen.append)) as server,
    ):
        with pytest.raises(httpx2.RemoteProtocolError):
            httpx2.get(f"{server.address}/v1/models", headers=MINE)
        assert eventually(lambda: seen)
    assert (seen[0].status, seen[0].complete) == (200, False)


def test_a_taken_port_says_so():
    with LoopbackServer(relay_app("http://127.0.0.1:1", key="mine")) as server:
        with pytest.raises(EngineStartError, match=f"Port {server.port} of this machine"):
            LoopbackServer(relay_app("http://127.0.0.1:1", key="mine"), port=server.port)
        listening = [c for c in psutil.Process().net_connections("tcp") if c.laddr.port == server.port]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}


def test_no_relay_without_a_key():
    with pytest.raises(ValueError, match="a key of its own"):
        relay_app("http://127.0.0.1:1")
