"""labkit serve on the real embedded engine: the stock openai and ollama clients and curl, unchanged; nothing left behind."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import ollama
import openai
import psutil
import pytest
from processes import interruptible

from labkit.backends import BACKENDS, Endpoint, available
from labkit.backends import serve as serving
from labkit.backends.loopback import get
from labkit.errors import ConfigError, EngineStartError

START = [sys.executable, "-m", "labkit.cli", "serve", "--backend", "llamacpp", "--port", "0", "--json"]
FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
LONG = [{"role": "user", "content": "Write a very long story."}]
PARIS = "The capital of France is Paris."
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["zinnober", "aureolin"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


class Served:
    """One `labkit serve` in a process of its own, and what it printed."""

    def __init__(self, *arguments, env=None):
        session = {
            "start_new_session": True,
            "preexec_fn": interruptible,
        }  # as from another terminal: a Ctrl-C reaches it alone
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([*START, *arguments], env={**os.environ, **(env or {})}, **pipes, **session)
        line = self.process.stdout.readline()
        assert line, self.process.communicate(timeout=10)[1]
        self.told = json.loads(line)
        self.address, self.key = self.told["ollama_host"], self.told.get("key", "")
        self.port = int(self.address.rpartition(":")[2])
        self.family = psutil.Process(self.process.pid).children(recursive=True)
        self.openai = openai.OpenAI(
            base_url=self.told["base_url"], api_key=self.key or "none", max_retries=0, timeout=150
        )
        headers = {"Authorization": f"Bearer {self.key}"}
        self.ollama = ollama.Client(host=self.address, headers=headers, timeout=150)

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal; return the exit status and stderr, once engine and leash are gone too."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[1]
        assert not psutil.wait_procs(self.family, 10)[1], "something was left running"
        return self.process.returncode, said


@pytest.fixture(scope="module")
def served(endpoint):  # `endpoint` skips the module where there is no engine or model
    one = Served("--context", "1024")
    yield one
    if one.process.poll() is None:
        one.end(signal.SIGTERM)


# -- stock clients --------------------------------------------------------------------------------------------------------


def test_it_tells_all_that_a_program_needs(served):
    told = served.told
    assert told["base_url"] == f"{served.address}/v1" and told["model"] == "smollm2-135m" and len(told["key"]) > 20
    assert (told["backend"], told["pid"]) == ("llamacpp", served.process.pid) and told["engine_version"]
    assert told["lines"].keys() == {"openai", "ollama", "curl"}


def test_openai_plain_streamed_and_with_a_schema(served):
    create = served.openai.chat.completions.create
    request = {"model": served.told["model"], "messages": FRANCE, "temperature": 0, "max_tokens": 20}
    assert create(**request).choices[0].message.content == PARIS
    chunks = list(create(**request, stream=True))
    assert (
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == PARIS and len(chunks) > 4
    )
    form = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": SCHEMA}}
    found = create(**request | {"max_tokens": 60}, response_format=form).choices[0].message.content
    assert json.loads(found)["colour"] in ("zinnober", "aureolin")
    assert [one.id for one in served.openai.models.list()] == ["smollm2-135m"]


def test_ollama_chat_generate_streamed_and_with_a_schema(served):
    model, greedy = served.told["model"], {"temperature": 0, "num_predict": 20}
    assert served.ollama.chat(model, FRANCE, options=greedy).message.content == PARIS
    assert served.ollama.generate(model, FRANCE[0]["content"], options=greedy).response == PARIS
    pieces = list(served.ollama.chat(model, FRANCE, options=greedy, stream=True))
    assert "".join(piece.message.content for piece in pieces) == PARIS and len(pieces) > 4 and pieces[-1].done
    found = served.ollama.chat(model, FRANCE, format=SCHEMA, options={"num_predict": 60})
    assert json.loads(found.message.content)["colour"] in ("zinnober", "aureolin")
    assert [one.model for one in served.ollama.list().models] == ["smollm2-135m"]


@pytest.mark.parametrize("name", ["openai", "ollama"])
def test_the_line_to_copy_for_python(served, name):
    done = subprocess.run(
        [sys.executable, "-c", served.told["lines"][name]], capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0 and "Paris" in done.stdout, done.stderr


def test_the_line_to_copy_for_a_shell(served, require):
    require("curl", shutil.which("curl"), "apt install curl")
    done = subprocess.run(["bash", "-c", served.told["lines"]["curl"]], capture_output=True, text=True, timeout=90)
    assert "Paris" in json.loads(done.stdout)["choices"][0]["message"]["content"]


def test_labkit_itself_can_use_it(served):
    with Endpoint("external", served.told["base_url"], served.told["model"], served.key) as endpoint:
        assert endpoint.chat(FRANCE).text == PARIS


def test_metrics_pass(served):
    assert "llamacpp:requests_processing" in get(served.address, "/metrics", served.key)[1]


# -- keys, crowds, leaving ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/api/tags", "/api/version", "/props", "/"])
def test_nothing_without_the_key(served, path):
    assert get(served.address, path)[0] == get(served.address, path, "wrong")[0] == 401


def test_wrong_keys_in_the_stock_clients(served, require):
    wrong = {"base_url": served.told["base_url"], "api_key": "wrong", "max_retries": 0}
    with openai.OpenAI(**wrong) as client, pytest.raises(openai.AuthenticationError):
        client.models.list()
    with ollama.Client(host=served.address, headers={"Authorization": "Bearer wrong"}) as client:
        with pytest.raises(ollama.ResponseError) as caught:
            client.list()
        assert caught.value.status_code == 401
    require("curl", shutil.which("curl"), "apt install curl")
    curl = ["curl", "-s", "-o", os.devnull, "-w", "%{http_code}", served.told["base_url"] + "/models"]
    assert subprocess.run(curl, capture_output=True, text=True, timeout=30).stdout == "401"


def test_eight_at_once_by_both_doors(served):
    model, few = served.told["model"], {"temperature": 0, "num_predict": 12}

    def ask(number: int) -> str:
        if number % 2:
            return served.ollama.chat(model, FRANCE, options=few).message.content
        request = {"model": model, "messages": FRANCE, "temperature": 0, "max_tokens": 12}
        return served.openai.chat.completions.create(**request).choices[0].message.content

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [PARIS] * 8


@pytest.mark.parametrize("door", ["openai", "ollama"])
def test_who_leaves_stops_the_engine(served, door):
    if door == "openai":
        request = {"model": served.told["model"], "messages": LONG, "max_tokens": 900, "stream": True}
        stream = served.openai.chat.completions.create(**request)
    else:
        stream = served.ollama.chat(served.told["model"], LONG, options={"num_predict": 900}, stream=True)
    next(iter(stream))
    assert "llamacpp:requests_processing 1" in get(served.address, "/metrics", served.key, 30)[1]
    stream.close()
    pause, busy = threading.Event(), True
    for _ in range(200):
        busy = "llamacpp:requests_processing 0" not in get(served.address, "/metrics", served.key, 30)[1]
        if not busy:
            break
        pause.wait(0.05)
    assert not busy


def test_it_listens_on_loopback_only(served):
    family = [psutil.Process(served.process.pid), *served.family]
    listening = [s for one in family for s in one.net_connections("tcp") if s.status == psutil.CONN_LISTEN]
    assert len(listening) >= 2 and all(sock.laddr.ip == "127.0.0.1" for sock in listening)


def test_a_longer_window_than_there_is(served):
    with pytest.raises(ollama.ResponseError, match="labkit serve --context 4096"):
        served.ollama.chat(served.told["model"], FRANCE, options={"num_ctx": 4096})


def test_a_port_that_is_taken_names_who_has_it(served):
    done = subprocess.run([*START, "--port", str(served.port)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and not done.stdout
    assert f"Port {served.port}" in done.stderr and f"(process {served.process.pid})" in done.stderr
    assert "Try: labkit serve --port 0" in done.stderr


# -- the end (each starts an engine of its own) ---------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_it_ends_and_nothing_is_left_running(endpoint, number, status):
    one = Served("--context", "256", "--parallel", "1")
    assert len(one.family) >= 2, "the leash and the engine"
    ended, said = one.end(number)
    assert ended == status and "Traceback" not in said
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", one.port)), "the port is free again"


def test_when_the_engine_dies_it_says_so_and_ends(endpoint):
    one = Served("--context", "256", "--parallel", "1", "--key-env", "MINE", env={"MINE": "my-own-key"})
    assert one.told["key_env"] == "MINE" and "key" not in one.told and "my-own-key" not in json.dumps(one.told)
    assert "smollm2-135m" in get(one.address, "/v1/models", "my-own-key")[1]
    for name in ("openai", "ollama"):
        line = [sys.executable, "-c", one.told["lines"][name]]
        done = subprocess.run(
            line, env={**os.environ, "MINE": "my-own-key"}, capture_output=True, text=True, timeout=90
        )
        assert "Paris" in done.stdout, done.stderr
    engine = next(child for child in one.family if "leash.py" not in " ".join(child.cmdline()))
    engine.kill()
    said = one.process.communicate(timeout=30)[1]
    assert one.process.returncode == 2 and "EngineDied: llamacpp has ended" in said and "signal 9" in said
    assert not psutil.wait_procs(one.family, 10)[1]


# -- every other engine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", sorted(set(BACKENDS) - {"llamacpp"}))
def test_the_stock_clients_work_on_every_engine(backend, require):
    here = available()[backend]
    require(backend, here, here.fix)
    one = Served("--backend", backend, "--context", "512", "--parallel", "2")
    try:
        for name, line in one.told["lines"].items():
            start = ["bash", "-c", line] if name == "curl" else [sys.executable, "-c", line]
            done = subprocess.run(start, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0 and "Paris" in done.stdout, (name, done.stdout, done.stderr)
        few = {"temperature": 0, "num_predict": 20}
        pieces = list(one.ollama.chat(one.told["model"], FRANCE, options=few, stream=True))
        assert (
            len(pieces) > 4 and "Paris" in "".join(piece.message.content for piece in pieces) and pieces[-1].eval_count
        )
        try:  # obeyed, or refused by name
            found = one.ollama.generate(one.told["model"], "Name a colour.", format=SCHEMA, options={"num_predict": 60})
            assert json.loads(found.response)["colour"] in ("zinnober", "aureolin")
        except ollama.ResponseError as refusal:
            assert refusal.status_code == 400 and "would ignore response_format" in refusal.error
        assert get(one.address, "/api/tags")[0] == get(one.address, "/v1/models", "wrong")[0] == 401
    finally:
        one.end(signal.SIGTERM)


# -- without an engine ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_no_such_port(port):
    with pytest.raises(ConfigError, match=f"no port {port}") as caught:
        serving.serve("llamacpp", port=port)
    assert caught.value.fix == "labkit serve --port 0"


@pytest.mark.parametrize("key", ["two words", "schlüssel", "line\nbreak", " ", 'quo"te', "$HOME", "`id`"])
def test_a_key_that_no_header_can_carry(key):
    with pytest.raises(ConfigError, match="key"):
        serving.serve("llamacpp", port=0, key=key)


def test_a_taken_port_is_noticed_before_the_engine_starts(monkeypatch):
    from labkit import backends

    monkeypatch.setattr(backends, "connect", lambda *a, **k: pytest.fail("the engine was started"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EngineStartError, match=f"Port {port}") as caught:
            serving.serve("llamacpp", port=port)
    assert f"(process {os.getpid()})" in caught.value.why and "--port 0" in caught.value.fix


def test_an_engine_that_cannot_have_a_server_is_closed(monkeypatch, endpoint):
    closed = []
    from dataclasses import replace

    from labkit import backends

    handle = replace(endpoint, on_close=lambda: closed.append(True))
    monkeypatch.setattr(backends, "connect", lambda *a, **k: handle)
    monkeypatch.setattr(serving, "_check_port", lambda port: None)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EngineStartError):
        serving.serve("llamacpp", port=taken.getsockname()[1])
    assert closed == [True]


def test_closing_frees_the_port(endpoint, monkeypatch):
    from dataclasses import replace

    from labkit import backends

    monkeypatch.setattr(backends, "connect", lambda *a, **k: replace(endpoint, on_close=None))
    with serving.serve("llamacpp", port=0) as service:
        port = service.server.port
        assert get(service.address, "/v1/models", service.key)[0] == 200 and service.key not in repr(service)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)):
                return
    pytest.fail("somebody still listens")
