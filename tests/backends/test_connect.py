"""connect(): which engine, which model, whose process, and what is left when it is over."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from processes import gone

import labkit
from labkit import backends
from labkit.backends import EngineWarning, process
from labkit.errors import ConfigError, EngineDied, EngineMissing, EngineStartError, UnknownBackend, UnknownModel

TINY = {"context": 256, "parallel": 1}


@pytest.fixture
def engine_here(require):
    here = labkit.backends.available()["llamacpp"]
    require("llamacpp", here, here.fix)


def engines() -> list[dict]:
    return [one for one in process.running_servers() if one["parent"] == os.getpid()]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ({"backend": "lamacpp"}, UnknownBackend, "did you mean llamacpp"),
        ({"backend": "cloud"}, UnknownBackend, "the engines are"),
        ({"model": "smolm2-135"}, UnknownModel, "smollm2-135m"),
    ],
)
def test_wrong_names_say_the_right_ones(arguments, kind, words):
    with pytest.raises(kind) as caught:
        labkit.connect(**arguments)
    assert words in str(caught.value)


def test_environment_takes_the_place_of_auto(monkeypatch):
    monkeypatch.setenv("LABKIT_BACKEND", "nonsense")
    with pytest.raises(UnknownBackend, match="nonsense"):
        labkit.connect()
    monkeypatch.setenv("LABKIT_BACKEND", "llamacpp")
    monkeypatch.setenv("LABKIT_MODEL", "no-such-model")
    with pytest.raises(UnknownModel):
        labkit.connect()


def test_a_server_that_already_runs_is_used(endpoint, monkeypatch):
    monkeypatch.setenv("LABKIT_BASE_URL", endpoint.base_url)
    monkeypatch.setenv("LABKIT_API_KEY", endpoint.api_key)
    there = labkit.connect()
    assert (there.backend, there.process, there.model) == ("external", None, endpoint.model)
    assert "Paris" in there.chat("What is the capital of France?").text


def test_another_machine_is_refused(monkeypatch):
    monkeypatch.setenv("LABKIT_BASE_URL", "http://192.0.2.1:8000/v1")
    with pytest.raises(ConfigError, match="another machine"):
        labkit.connect()


def test_nobody_at_the_base_url(monkeypatch):
    monkeypatch.setenv("LABKIT_BASE_URL", f"http://127.0.0.1:{process.free_port()}/v1")
    with pytest.raises(EngineMissing):
        labkit.connect()


def test_the_engine_ends_with_the_last_endpoint(engine_here):
    first, second = labkit.connect("llamacpp", **TINY), labkit.connect("llamacpp", **TINY)
    assert first.process is second.process
    first.close()
    assert second.alive
    del second
    gc.collect()
    assert not first.process.alive


def test_an_engine_of_ones_own_is_shared_with_nobody(endpoint):
    with labkit.connect() as shared, labkit.connect(shared=False) as own:
        assert own.process is not shared.process
        own.process.kill()
        assert shared.chat("Say hello.", max_tokens=2).text


def test_a_dead_engine_is_replaced(engine_here):
    with labkit.connect("llamacpp", **TINY) as endpoint:
        endpoint.process.kill()
        with pytest.raises(EngineDied, match="killed by signal 9"):
            endpoint.chat("hello")
        with labkit.connect("llamacpp", **TINY) as again:
            assert again.chat("hello", max_tokens=3).completion_tokens > 0


def test_killed_in_the_middle_of_a_stream(engine_here):
    with labkit.connect("llamacpp", **TINY) as endpoint:
        stream = endpoint.stream("Write a long story.", max_tokens=200)
        next(stream)
        endpoint.process.kill()
        with pytest.raises(EngineDied):
            list(stream)


def test_an_engine_beside_another_warns_when_the_machine_is_full(engine_here):
    from labkit import hardware

    with labkit.connect("llamacpp", **TINY):
        cores = hardware.machine().cores_usable.value
        with pytest.warns(EngineWarning, match="Another engine runs"):
            labkit.connect("llamacpp", context=128, parallel=1, threads=cores).close()


def test_a_model_that_does_not_fit_warns_first(engine_here, monkeypatch):
    from labkit import hardware, weights

    reason = "smollm2-135m does not fit: it needs 559 MiB and 100 MiB are free."
    monkeypatch.setattr(weights, "fits", lambda *a, **k: hardware.Fit(False, 2, 1, True, {}, reason))
    with pytest.warns(EngineWarning, match="does not fit"):
        labkit.connect("llamacpp", context=192, parallel=1).close()


def test_a_variant_that_llama_cpp_does_not_have(require):
    here = labkit.backends.available()["onnx"]
    require("onnx", here, here.fix)
    with labkit.connect("onnx", "smollm2-135m:int4", **TINY) as endpoint:
        assert endpoint.chat("What is the capital of France?", max_tokens=8).completion_tokens


def test_the_warning_is_about_the_engine_that_starts(monkeypatch):
    from labkit import catalog, hardware, weights

    asked = []
    monkeypatch.setattr(
        weights, "fits", lambda *a, **k: asked.append(k["engine"]) or hardware.Fit(True, 1, 2, True, {}, "")
    )
    monkeypatch.setattr(process, "running_servers", list)
    backends._warn_if_crowded("vllm", catalog.model("smollm2-135m"), backends.Settings(256, 1, 1))
    assert asked == ["vllm"]


def test_an_engine_that_cannot_start_leaves_nothing(engine_here, monkeypatch, tmp_path):
    from labkit.backends import llamacpp

    broken = tmp_path / "server.py"
    broken.write_text("print('couldn\\'t load the model'); raise SystemExit(1)")
    monkeypatch.setattr(llamacpp, "SERVER", broken)
    before = engines()
    with pytest.raises(EngineStartError, match="couldn't load the model"):
        labkit.connect("llamacpp", context=64, parallel=1)
    assert engines() == before


def test_everything_listens_on_loopback_only(endpoint):
    listening = [
        sock
        for leash in engines()
        for child in psutil.Process(leash["pid"]).children(recursive=True)
        for sock in child.net_connections("tcp")
        if sock.status == psutil.CONN_LISTEN
    ]
    assert listening and all(sock.laddr.ip == "127.0.0.1" for sock in listening)


def test_fifty_connections_leave_nothing(engine_here):
    me = psutil.Process()
    labkit.connect("llamacpp", **TINY).close()
    gc.collect()

    def state():
        return len(engines()), threading.active_count(), me.num_fds() if hasattr(me, "num_fds") else me.num_handles()

    before, memory = state(), []
    for _ in range(50):
        with labkit.connect("llamacpp", **TINY) as endpoint:
            port = int(endpoint.base_url.rpartition(":")[2].removesuffix("/v1"))
            assert endpoint.chat("hello", max_tokens=2).completion_tokens > 0
        gc.collect()
        memory.append(me.memory_info().rss)
    assert state() == before
    assert port not in {sock.laddr.port for sock in me.net_connections("tcp")}
    assert max(memory[25:]) - memory[10] < 16e6, "memory grows with every start"


HOLD = """
import labkit, psutil
endpoint = labkit.connect("llamacpp", context=256, parallel=1)
leash = psutil.Process(endpoint.process._leash.pid)
print("ENGINE", leash.pid, leash.children()[0].pid, flush=True)
"""


def test_twenty_killed_kernels_leave_no_engine(engine_here):
    from jupyter_client.manager import start_new_kernel

    for _ in range(20):
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            printed = []
            client.execute_interactive(
                HOLD, timeout=60, output_hook=lambda m, p=printed: p.append(m["content"].get("text", ""))
            )
            said = "".join(printed)  # a warning may stand in front: other engines may be running on this machine
            leash, engine = said.partition("ENGINE")[2].split()[:2]
            os.kill(manager.provisioner.pid, signal.SIGKILL)
            assert gone([int(leash), int(engine)], within=2)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_while_starting_leaves_nothing(engine_here):
    code = "import labkit; print('go', flush=True); labkit.connect('llamacpp', context=8192, parallel=4)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    child.stdout.readline()
    leashes, deadline = [], time.monotonic() + 20
    while not leashes and time.monotonic() < deadline:
        leashes = [one["pid"] for one in process.running_servers() if one["parent"] == child.pid]
    child.send_signal(signal.SIGINT)
    child.wait(20)
    child.stdout.close()
    assert leashes and gone(leashes)
