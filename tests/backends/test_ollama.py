"""Ollama: finding a safe one, its API on real sockets, and the real engine on labkit's own weights."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
from bad_servers import serving
from processes import gone

import labkit
from labkit.backends import ollama, ollama_api, ollama_find, process
from labkit.backends.ollama_errors import typed
from labkit.errors import (
    BadModelFile,
    CertificateError,
    ConfigError,
    ContextTooLong,
    DownloadError,
    EngineDied,
    EngineMissing,
    EngineStartError,
    HashMismatch,
    NoSpace,
    OfflineError,
    ProxyError,
    Refused,
    UnknownModel,
    UnsupportedParameter,
)

QUESTION = "What is the capital of France?"
TINY = {"context": 512, "parallel": 1}
VARIABLES = ("LABKIT_OLLAMA", "LABKIT_OLLAMA_URL", "OLLAMA_HOST", "LABKIT_OFFLINE", "HF_HUB_OFFLINE")


def answer(body: str, status: str = "200 OK", kind: str = "application/json") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n{body}".encode()


def lines(*rows) -> bytes:
    """What a stream of Ollama's looks like: an object a line, and the status 200 whatever happens later."""
    return answer("".join(json.dumps(row) + "\n" for row in rows), kind="application/x-ndjson")


def is_version(text: str) -> bytes:
    return answer(json.dumps({"version": text}))


@pytest.fixture
def clean(monkeypatch):
    """No Ollama anywhere: tests put theirs in."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("OLLAMA_HOST", f"127.0.0.1:{process.free_port()}")
    monkeypatch.setattr(ollama_find, "PLACES", ())
    return monkeypatch


@pytest.fixture
def program(tmp_path):
    """Give `program(says)`: a program that prints this when it is asked for its version."""

    def make(says: str, name: str = "ollama"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}'\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


# -- which Ollama -------------------------------------------------------------------------------------------------------

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


@posix
@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("ollama version is 0.17.1", "0.17.1"),
        ("Warning: could not connect to a running Ollama instance\nWarning: client version is 0.17.4", "0.17.4"),
        ("Warning: client version is 0.32.13-rc2", "0.32.13-rc2"),
        ("Warning: client version is 1.0.0", "1.0.0"),
    ],
)
def test_a_safe_version_is_taken(clean, program, says, version):
    clean.setenv("LABKIT_OLLAMA", str(program(says)))
    here = ollama.available()
    assert here and here.version == version


@posix
@pytest.mark.parametrize("version", ["0.17.0", "0.9.6", "0.1.26", "0.17", "0.0.0"])
def test_a_version_open_to_the_leak_is_refused(clean, program, version):
    clean.setenv("LABKIT_OLLAMA", str(program(f"ollama version is {version}")))
    here = ollama.available()
    assert not here and "CVE-2026-7482" in here.why and here.fix == ollama_find.install()
    with pytest.raises(EngineMissing, match="CVE-2026-7482"):
        labkit.connect("ollama")


def test_a_server_open_to_the_leak_is_refused(clean):
    with serving(is_version("0.12.3")) as address:
        clean.setenv("LABKIT_OLLAMA_URL", address)
        assert "CVE-2026-7482" in ollama.available().why
        clean.delenv("LABKIT_OLLAMA_URL")
        clean.setenv("OLLAMA_HOST", address)
        assert "CVE-2026-7482" in ollama.available().why


@posix
def test_a_program_that_is_not_ollama(clean, program):
    clean.setenv("LABKIT_OLLAMA", str(program("bash 5.2")))
    assert "is not Ollama" in ollama.available().why


def test_a_name_without_a_program(clean):
    clean.setenv("LABKIT_OLLAMA", "/nowhere/ollama")
    here = ollama.available()
    assert not here and "LABKIT_OLLAMA names /nowhere/ollama" in here.why and here.fix == "unset LABKIT_OLLAMA"


@posix
def test_the_path_and_the_usual_places(clean, program):
    found = program("ollama version is 0.18.0")
    clean.setenv("PATH", str(found.parent))
    assert ollama_find.find().program == str(found)
    clean.setenv("PATH", "/nowhere")
    clean.setattr(ollama_find, "PLACES", ("/nowhere/else", str(found)))
    assert ollama_find.find().program == str(found)


def test_nothing_at_all(clean):
    here = ollama.available()
    assert not here and "not installed" in here.why and "ollama" in here.fix


def test_a_running_server_serves_where_the_program_is_missing(clean):
    with serving(is_version("0.17.4")) as address:
        clean.setenv("OLLAMA_HOST", address.replace("127.0.0.1", "0.0.0.0").removeprefix("http://"))
        assert ollama_find.find() == ollama_find.Found("0.17.4", address=address)


@pytest.mark.parametrize(
    "url",
    ["http://192.0.2.1:11434", "http://ollama.example", "https://127.0.0.1:11434", "http://0.0.0.0:11434",
     "http://127.0.0.1@192.0.2.1:11434", "http://127.0.0.1.example:11434", "http://127.0.0.1:port"],
)  # fmt: skip
def test_another_machine_is_refused(clean, url):
    clean.setenv("LABKIT_OLLAMA_URL", url)
    with pytest.raises(ConfigError, match="does not name this machine"):
        ollama_find.find()
    assert "does not name this machine" in ollama.available().why


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:1234/v1", "http://127.0.0.1:1234"),
        ("localhost", "http://localhost:11434"),
        ("http://[::1]:99/", "http://[::1]:99"),
    ],
)
def test_this_machine_by_its_names(url, address):
    assert ollama_find.local_address(url, "X") == address


@pytest.mark.parametrize(
    "what",
    [answer("<h1>hello</h1>"), answer("not found", "404 Not Found"), answer('{"version": 3}'), answer("[]"), b"\x16\x03\x01"],
    ids=["page", "404", "number", "list", "tls"],
)  # fmt: skip
def test_something_else_on_the_port(clean, what):
    with serving(what) as address:
        clean.setenv("LABKIT_OLLAMA_URL", address)
        here = ollama.available()
    assert not here and "Ollama" in here.why and here.fix == "unset LABKIT_OLLAMA_URL"
    with pytest.raises(EngineMissing):
        labkit.connect("ollama")


def test_nobody_on_the_port(clean):
    clean.setenv("LABKIT_OLLAMA_URL", f"http://127.0.0.1:{process.free_port()}")
    here = ollama.available()
    assert not here and "does not answer" in here.why and "ollama serve" in here.why


# -- its API, scripted on a real socket -----------------------------------------------------------------------------------


class Scripted(BaseHTTPRequestHandler):
    """Read the whole request, then send the server's `answer`, byte for byte."""

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.wfile.write(self.server.answer)
        self.close_connection = True

    do_HEAD = do_POST

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def scripted(answer: bytes):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.answer = answer
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_what_is_on_the_disk():
    with serving(answer('{"models": [{"name": "m:latest", "size": 5}]}')) as address:
        assert [(row["name"], row["size"]) for row in ollama.tags(address)] == [("m:latest", 5)]
    with serving(answer('{"models": null}')) as address:
        assert ollama.tags(address) == []


def test_ollamas_own_api_is_asked_past_a_recorder():
    with serving(is_version("0.17.4")) as address:
        behind = labkit.Endpoint("ollama", "http://127.0.0.1:9/v1", "m", "key", native=address)
        assert ollama.version(behind) == "0.17.4"


MANIFEST, DONE = {"status": "pulling manifest"}, {"status": "success"}


def part(done: int) -> dict:
    """One line of a download; Ollama leaves `completed` out while it is 0."""
    row = {"status": "pulling 74701a8c35f6", "digest": "sha256:7470", "total": 100}
    return {**row, "completed": done} if done else row


def test_a_pull_tells_its_progress_and_ends_with_success(clean):
    seen = []
    with scripted(lines(MANIFEST, part(0), part(40), part(100), DONE)) as address:
        ollama.pull(address, "m", progress=lambda label, done, total: seen.append((label, done, total)))
    assert [row[1:] for row in seen] == [(0, 100), (40, 100), (100, 100)]
    assert seen[0][0] == "pulling m: pulling 74701a8c35f6"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("pull model manifest: file does not exist", UnknownModel),
        ("Get \"https://example/v2/\": dial tcp: lookup example: no such host", OfflineError),
        ("Get \"https://example/v2/\": proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused", ProxyError),
        ("tls: failed to verify certificate: x509: certificate signed by unknown authority", CertificateError),
        ("write /models/blobs/sha256-7470-partial: no space left on device", NoSpace),
        ("digest mismatch, file must be downloaded again: want sha256:1, got sha256:2", HashMismatch),
        ("pull model manifest: 412: The model you are attempting to pull requires a newer version of Ollama.", EngineMissing),
        ("max retries exceeded: EOF", DownloadError),
    ],
)  # fmt: skip
def test_a_pull_that_fails_says_so_in_its_last_line(clean, said, kind):
    for stream in (lines(MANIFEST, part(40), {"error": said}), answer(json.dumps({"error": said}), "500 Oh")):
        with scripted(stream) as address, pytest.raises(kind) as caught:
            ollama.pull(address, "m")
        assert caught.type is kind and said in caught.value.what and caught.value.why and caught.value.fix


@pytest.mark.parametrize(
    "stream",
    [lines(MANIFEST, part(40)), lines(MANIFEST)[:-5], lines(), lines(DONE, part(100)), answer("<html>sign in</html>")],
    ids=["half", "cut-line", "nothing", "success-too-early", "page"],
)
def test_200_is_no_proof(clean, stream):
    with scripted(stream) as address, pytest.raises(DownloadError, match="broke off"):
        ollama.pull(address, "m")


def test_a_chunked_stream_that_is_cut_off(clean):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with scripted(head + b"1c\r\n" + lines(MANIFEST)[-29:-1] + b"\r\n40\r\n{") as address, pytest.raises(EngineDied):
        ollama.pull(address, "m")


def test_offline_by_choice_asks_nobody(clean):
    clean.setenv("LABKIT_OFFLINE", "1")
    with pytest.raises(OfflineError, match="LABKIT_OFFLINE"):
        ollama.pull(f"http://127.0.0.1:{process.free_port()}", "m")


def test_a_damaged_gguf_is_not_sent(clean, tmp_path):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(64))
    (tmp_path / "empty").mkdir()
    for weights in ("bad.gguf", "empty"):
        with pytest.raises(BadModelFile):
            ollama.create(f"http://127.0.0.1:{process.free_port()}", "m", weights=tmp_path / weights)


def test_the_disk_fills_up_while_the_weights_are_sent(clean, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(1000))
    full = answer('{"error": "write /models/blobs/sha256-1: no space left on device"}', "500 Oh")
    with scripted(full) as address, pytest.raises(NoSpace):
        ollama.create(address, "m", weights=tmp_path)


def test_short_memory_is_a_start_error():
    said = '{"error": "model requires more system memory (9.8 GiB) than is available (2.0 GiB)"}'
    assert type(typed("m", said)) is EngineStartError


def test_the_openai_messages_in_ollamas_words():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    assert list(ollama_api._native(messages)) == [
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
    ]


# -- the real engine ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(require):
    found = ollama.available()
    require("ollama", found, found.fix)
    return found


@pytest.fixture(scope="module")
def by_llamacpp(require):
    """What the embedded engine answers, asked before Ollama starts: two engines at once starve each other."""
    found = labkit.backends.available()["llamacpp"]
    require("llamacpp", found, found.fix)
    with labkit.connect("llamacpp", model="smollm2-135m") as engine:
        return {name: engine.chat(messages, max_tokens=40) for name, messages in CONVERSATIONS.items()}


@pytest.fixture(scope="module")
def engine(here, by_llamacpp):
    with labkit.connect("ollama", model="smollm2-135m") as started:
        yield started


def said(role: str, content: str) -> dict:
    return {"role": role, "content": content}


CONVERSATIONS = {
    "question": [said("user", QUESTION)],
    "with a system prompt": [said("system", "Answer in one word."), said("user", QUESTION)],
    "three turns": [
        said("user", "Hello!"),
        said("assistant", "Hello! How can I help?"),
        said("user", "Count to five."),
    ],
    "unicode": [said("user", "Repeat: Zürich, 東京, 👩‍👩‍👧‍👦")],
    "white space": [said("user", "  two\n\nlines  \n")],
    "empty": [said("user", "")],
}


def test_the_program_tells_its_own_version_not_that_of_a_server(here, monkeypatch):
    ollama_find._version_of.cache_clear()
    with serving(is_version("0.9.9")) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)
        assert ollama.available() == here


def test_paris(engine):
    reply = engine.chat(QUESTION)
    assert "Paris" in reply.text and reply.finish_reason == "stop" and reply.completion_tokens > 0


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_same_weights_give_the_same_answer_as_llamacpp(engine, by_llamacpp, name):
    ours, theirs = engine.chat(CONVERSATIONS[name], max_tokens=40), by_llamacpp[name]
    assert (ours.prompt_tokens, ours.text) == (theirs.prompt_tokens, theirs.text)


def test_streamed_and_whole_answers_agree(engine):
    stream = engine.stream(QUESTION)
    assert "".join(stream) == stream.reply.text == engine.chat(QUESTION).text
    assert 0 < stream.reply.first_token_seconds < stream.reply.seconds and stream.reply.prompt_tokens > 0


def test_json_schema(engine):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["Paris", "Rome"]}, "people": {"type": "integer"}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    found = json.loads(engine.chat(QUESTION, response_format=wanted).text)
    assert found["city"] in ("Paris", "Rome") and isinstance(found["people"], int)


def test_what_it_would_ignore_raises(engine):
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    assert engine.capabilities["streaming"] and engine.capabilities["json_schema"] and engine.capabilities["seed"]
    assert engine.capabilities["json_object"] and engine.capabilities["stop"] and engine.capabilities["logprobs"]
    for parameters in (
        {"n": 2},
        {"tools": [tool]},
        {"tool_choice": "required", "tools": [tool]},
        {"max_completion_tokens": 3},
        {"logit_bias": {"1": -100}},
        {"extra_body": {"top_k": 1}},
        {"extra_body": {"min_p": 0.9}},
    ):
        with pytest.raises(UnsupportedParameter):
            engine.chat("hello", **parameters)


def test_too_long_a_prompt_is_refused_not_cut(engine):
    with pytest.raises(ContextTooLong, match=r"context (window|length|size)"):
        engine.chat("again and " * 3000)
    with pytest.raises(ContextTooLong):
        engine.stream([said("user", "again and " * 1500), said("assistant", "Yes."), said("user", QUESTION)])
    assert "Paris" in engine.chat(QUESTION).text


def test_a_long_prompt_that_fits_is_answered_and_ends_at_the_window(engine):
    words = "one two three four " * 480
    used = ollama.prompt_tokens(engine, engine.model, [said("user", words)])
    assert 1800 < used < 2048
    reply = engine.chat(words, max_tokens=2000)
    assert reply.prompt_tokens == used and used + reply.completion_tokens <= 2048


def test_an_unknown_model(engine):
    with pytest.raises(Refused, match="404"):
        engine.chat("hello", model="no-such-model")


def test_ps_unload_and_load(engine):
    ollama.load(engine, engine.model)
    (loaded,) = ollama.ps(engine)
    assert loaded["name"] == engine.model and loaded["context_length"] == 2048 and loaded["size"] > 270e6
    ollama.unload(engine, engine.model)
    ollama.unload(engine, engine.model)  # twice is fine
    for _ in range(200):
        if not ollama.ps(engine):
            break
        ollama.version(engine)
    assert not ollama.ps(engine)
    assert "Paris" in engine.chat(QUESTION).text, "the next question loads it again"
    for ask in (ollama.unload, ollama.load, ollama.show, ollama.delete):
        with pytest.raises(UnknownModel):
            ask(engine, "no-such-model")


def test_create_and_delete(engine):
    seen = []
    path = labkit.weights.present("smollm2-135m")
    ollama.create(engine, "mine", weights=path, quantize="q8_0", progress=lambda *row: seen.append(row))
    assert ollama.show(engine, "mine")["details"]["quantization_level"] == "Q8_0"
    assert seen and seen[-1][1] <= seen[-1][2]
    ollama.delete(engine, "mine")
    assert not ollama.has(engine, "mine")
    with pytest.raises(UnsupportedParameter, match="num_threads"):
        ollama.create(engine, "mine", base=engine.model, parameters={"num_threads": 2})
    with pytest.raises(Refused):
        ollama.create(engine, "mine", base=engine.model, template="{{ if }}")


def test_ollamas_own_guess_at_the_template_drops_the_system_prompt(engine):
    ollama.create(engine, "guessed", weights=labkit.weights.present("smollm2-135m"))
    ours = ollama.prompt_tokens(engine, engine.model, [said("user", QUESTION)])
    assert ours - ollama.prompt_tokens(engine, "guessed", [said("user", QUESTION)]) == 21
    ollama.delete(engine, "guessed")


def test_the_stock_ollama_client_works(engine):
    client = pytest.importorskip("ollama").Client(host=engine.base_url.removesuffix("/v1"))
    reply = client.chat(engine.model, [said("user", QUESTION)], options={"temperature": 0})
    assert "Paris" in reply.message.content
    assert [one.model for one in client.ps().models] == [engine.model]


def sockets(endpoint) -> list:
    engines = psutil.Process(endpoint.process._leash.pid).children(recursive=True)
    return [one for child in engines for one in child.net_connections("inet") if one.status == psutil.CONN_LISTEN]


def test_it_is_our_child_that_listens_and_on_loopback_only(engine):
    engine.chat("hello", max_tokens=1)
    found = sockets(engine)
    port = int(engine.base_url.removesuffix("/v1").rpartition(":")[2])
    assert len(found) == 2, "the server, and the runner behind it"
    assert port in {one.laddr.port for one in found} and {one.laddr.ip for one in found} == {"127.0.0.1"}


def test_a_running_server_is_used_and_left_alone(engine, monkeypatch):
    monkeypatch.setenv("LABKIT_OLLAMA_URL", engine.base_url)
    with labkit.connect("ollama", model="smollm2-135m", context=1024) as there:
        assert (
            there.process is None
            and there.base_url == engine.base_url
            and there.engine_version == engine.engine_version
        )
        assert "Paris" in there.chat(QUESTION).text
        assert [one["context_length"] for one in ollama.ps(there) if one["name"] == there.model] == [1024]
    assert engine.alive
    ollama.unload(engine, there.model)
    ollama.delete(engine, there.model)


def test_port_11434_may_be_somebody_elses(here, monkeypatch):
    with serving(answer("hello")) as address:
        monkeypatch.setenv("OLLAMA_HOST", address)  # where `ollama` would listen, and where it would look
        with labkit.connect("ollama", **TINY) as endpoint:
            assert "Paris" in endpoint.chat(QUESTION).text


def test_a_killed_server(here):
    with labkit.connect("ollama", **TINY) as endpoint:
        stream = endpoint.stream("Write a long story.", max_tokens=200)
        next(stream)
        endpoint.process.kill()
        with pytest.raises(EngineDied):
            list(stream)
        with pytest.raises(EngineDied, match="killed by signal 9"):
            endpoint.chat("hello")
        with pytest.raises(EngineDied):
            ollama.ps(endpoint)


def runner_of(endpoint) -> psutil.Process:
    engines = psutil.Process(endpoint.process._leash.pid).children(recursive=True)
    (found,) = [one for one in engines if "runner" in one.cmdline()]
    return found


def test_a_killed_runner_ends_the_stream_with_an_error_and_comes_back(here):
    with labkit.connect("ollama", **TINY) as endpoint:
        stream = endpoint.stream("Write a long story.", max_tokens=200)
        next(stream)
        runner_of(endpoint).kill()
        with pytest.raises(EngineDied):
            list(stream)
        assert "Paris" in endpoint.chat(QUESTION).text


HOLD = """
import labkit, psutil, time
endpoint = labkit.connect("ollama", context=512, parallel=1)
leash = psutil.Process(endpoint.process._leash.pid)
print("ENGINE", leash.pid, *(child.pid for child in leash.children(recursive=True)), flush=True)
time.sleep(600)
"""


def test_server_and_runner_die_with_a_killed_parent(here):
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD)], stdout=subprocess.PIPE, text=True)
    said = parent.stdout.readline().split()
    pids = [int(one) for one in said[1:]]
    assert len(pids) == 3, "leash, server, runner"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(pids, within=5)


def test_closing_leaves_nothing(here):
    with labkit.connect("ollama", **TINY) as endpoint:
        pids = [one.pid for one in psutil.Process(endpoint.process._leash.pid).children(recursive=True)]
    assert len(pids) == 2 and gone(pids, within=5)


def test_a_server_that_does_not_come_up_leaves_nothing(here, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    (tmp_path / "ollama").mkdir()
    (tmp_path / "ollama" / "blobs").write_text("in the way")
    before = ours()
    with pytest.raises(EngineStartError, match="before it was ready"):
        labkit.connect("ollama", context=256, parallel=1)
    assert ours() == before


def test_a_model_of_the_library_is_pulled_by_ollama_itself(here, monkeypatch):
    """Without the network: the error must be typed, and nothing may be left running."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{process.free_port()}")
    with pytest.raises(ProxyError):
        labkit.connect("ollama", model="qwen2.5-0.5b", **TINY)
    assert not [one for one in ours() if "qwen" in one["label"]]


def ours() -> list[dict]:
    """The servers of this process: tests run beside others."""
    return [one for one in process.running_servers() if one["parent"] == os.getpid()]
