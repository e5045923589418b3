"""Replay: a recorded engine answers as it did, says so everywhere, refuses the rest, and never takes a live engine's place."""

import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import bad_servers
import httpx2
import openai
import pytest
from scripted_engine import Scripted, bridged

import labkit
from labkit.backends import Endpoint, ReplayWarning, Settings, llamacpp, replay, replay_label, replay_server
from labkit.backends import capabilities as capability_module
from labkit.backends.capabilities import Capabilities, Capability
from labkit.backends.recorder import record
from labkit.backends.settings import Availability
from labkit.errors import ContextTooLong, CourseError, EngineDied, EngineMissing, Refused, UnsupportedParameter
from labkit.widgets.conversation import Conversation, figures

MODEL = "smollm2-135m"
ABSENT = Availability(False, why="the package vroom is not installed", fix="pip install vroom")
QUESTION = [{"role": "user", "content": "Where?"}]


@pytest.fixture(autouse=True)
def places(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_RECORDINGS", str(tmp_path))
    monkeypatch.setenv("LABKIT_LESSON", "07")
    for name in (
        "LABKIT_REPLAY",
        "LABKIT_RECORD",
        "LABKIT_REQUIRE",
        "LABKIT_BASE_URL",
        "LABKIT_BACKEND",
        "LABKIT_MODEL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def taped(monkeypatch, tmp_path):
    """Give `taped(session, engine)`: record what `session(endpoint)` does with an engine that passes for llamacpp.

    engine: a Scripted one, or the address of a server.
    """
    seen = {"seed": Capability(True, "same seed"), "n": Capability(False, "one answer"), "aa": Capability(True, "last")}
    known = Capabilities("llamacpp", "9.9", "m", "2026-11-20", seen)

    def tape(session, engine=None):
        there = isinstance(engine, str)
        at = Endpoint("", f"{engine}/v1", "m", "k", timeout=20) if there else bridged(engine or Scripted())
        with monkeypatch.context() as patch, at as endpoint:
            patch.setattr(capability_module, "load_or_probe", lambda endpoint: known)
            endpoint.backend, endpoint.engine_version = "llamacpp", "9.9"
            record(endpoint, MODEL, tmp_path)
            session(endpoint)

    return tape


def write(folder, *answers, model=MODEL, lesson="07", date="2026-11-22", name="llamacpp"):
    """Write a recording by hand: `answers` are (ask, answer)."""
    stamp = {"engine": name, "version": "9.9", "machine": "2 cores", "date": date, "labkit": "0.1.0", "lesson": lesson}
    known = ({"endpoint": True}, {"value": {"name": "m", "capabilities": {}}})
    lines = [{"recording": stamp}, *({"model": model, "ask": a, "answer": b} for a, b in [known, *answers])]
    (folder / name).mkdir(exist_ok=True)
    (folder / name / f"{lesson}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def got(path="/metrics", pieces=((0, "x"),), status=200, **more):
    ask = {"method": "GET", "path": path, "body": None}
    return ask, {"status": status, "type": "text/plain", "pieces": list(pieces), **more}


def replayed(here=ABSENT, model=MODEL, engine="llamacpp"):
    with pytest.warns(ReplayWarning):
        return replay.instead(engine, model, here)


def fetch(endpoint, path="/metrics", **options):
    url, headers = endpoint.base_url.removesuffix("/v1") + path, {"Authorization": f"Bearer {endpoint.api_key}"}
    return httpx2.get(url, headers=headers, **options)


# -- what was recorded comes back -----------------------------------------------------------------------------------------


def test_plain_streamed_and_observed_come_back(taped):
    def session(endpoint):
        return [
            endpoint.chat("Where?").text,
            list(endpoint.stream("Where?")),
            endpoint.observe("memory", lambda: {"MB": 512}),
            endpoint.client().models.list().data[0].id,
        ]

    live = []
    taped(lambda endpoint: live.extend(session(endpoint)))
    with replayed() as endpoint:
        assert session(endpoint) == live == ["Paris.", ["Par", "is", "."], {"MB": 512}, "m"]


def test_labkit_chat_fetches_nothing_for_a_recorded_answer(taped, tmp_path):
    taped(lambda endpoint: Conversation(endpoint, max_tokens=256).ask("Where?"))
    home = tmp_path / "home"
    alone = {"LABKIT_HOME": str(home), "LABKIT_OFFLINE": "1", "LABKIT_REPLAY": "llamacpp"}
    command = [sys.executable, "-m", "labkit.cli", "chat", "Where?", "--backend", "llamacpp", "--replay", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **alone}, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"] == "Paris." and not (home / "weights").exists()


def test_stock_client_gets_errors_as_they_were(taped):
    def refused(endpoint):
        with pytest.raises(openai.NotFoundError, match="'other' does not exist"):
            endpoint.client().chat.completions.create(model="other", messages=QUESTION)

    taped(refused)
    with replayed() as endpoint:
        refused(endpoint)


def test_the_same_question_again_gives_the_next_answer_then_the_last(tmp_path):
    write(tmp_path, got(pieces=[[0, "1"]]), got(pieces=[[0, "2"]]))
    with replayed() as endpoint:
        assert [fetch(endpoint).text for _ in range(2)] == ["1", "2"]
    with replayed() as endpoint:  # the next endpoint of the process goes on
        assert [fetch(endpoint).text for _ in range(2)] == ["2", "2"]


def test_many_at_once(taped):
    taped(lambda endpoint: endpoint.chat("Where?"))
    with replayed() as endpoint, ThreadPoolExecutor(16) as pool:
        assert {reply.text for reply in pool.map(endpoint.chat, ["Where?"] * 64)} == {"Paris."}


def test_pieces_wait_for_their_time(tmp_path, monkeypatch):
    write(tmp_path, got(pieces=[[0, "soon "], [1000, "later"]]))
    with replayed() as endpoint:
        with pytest.raises(httpx2.ReadTimeout):
            fetch(endpoint, timeout=0.5)
        monkeypatch.setattr(replay_server, "LONGEST_PAUSE_S", 0.1)
        assert fetch(endpoint).text == "soon later"


def test_who_leaves_is_not_waited_for(tmp_path, monkeypatch):
    write(tmp_path, got(pieces=[[0, "soon "], [20, "later"]]))
    ended, play = [], replay_server._play

    async def watched(*args):
        await play(*args)
        ended.append(True)

    monkeypatch.setattr(replay_server, "_play", watched)
    with replayed() as endpoint:
        with pytest.raises(httpx2.ReadTimeout):
            fetch(endpoint, timeout=0.2)
        deadline = time.monotonic() + 10
        while not ended and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ended


def test_what_broke_off_breaks_off_again(tmp_path):
    write(tmp_path, got(broken_off=0.1), got("/gone", pieces=[], status=0, broken_off=0.1))
    with replayed() as endpoint:
        with pytest.raises(httpx2.RemoteProtocolError):
            fetch(endpoint)
        assert fetch(endpoint, "/gone").json()["error"]["code"] == "engine_gone"


def test_an_engine_that_failed_in_the_middle_fails_again(taped):
    def failing(endpoint):
        with pytest.raises(Refused, match="out of memory"):
            list(endpoint.stream("Where?"))

    taped(failing, Scripted(fails_after=2))
    with replayed() as endpoint:
        failing(endpoint)


def test_an_engine_that_was_killed_in_the_middle_is_gone_again(taped):
    def killed(endpoint):
        with pytest.raises(EngineDied):
            list(endpoint.stream("Where?"))

    with bad_servers.serving(bad_servers.SSE_CHUNKED + b"400\r\n" + bad_servers.chunk("half an")) as address:
        taped(killed, address)
    with replayed() as endpoint:
        killed(endpoint)


def test_the_endpoints_own_check_is_replayed(taped, tmp_path):
    def check(request):
        if "long" in request["messages"][0]["content"]:
            raise ContextTooLong("Too long.", "one window", "shorten")
        return {**request, "max_tokens": 2}

    def session(endpoint):
        endpoint.before = endpoint.before if endpoint.replayed else (lambda request: traffic.before(request))
        assert endpoint.chat("a short one").text == "Paris"
        with pytest.raises(ContextTooLong, match="Too long"):
            endpoint.chat("a long one")

    traffic = None

    def live(endpoint):
        nonlocal traffic
        traffic = endpoint.traffic
        traffic.own_check = check
        session(endpoint)

    taped(live)
    with replayed() as endpoint:
        session(endpoint)


def test_a_labkit_error_that_was_observed_comes_again(taped):
    def fails():
        raise EngineDied("It died.", "it was killed", "labkit doctor")

    def session(endpoint):
        with pytest.raises(EngineDied, match="It died") as caught:
            endpoint.observe("a crash", fails)
        assert (caught.value.why, caught.value.fix) == ("it was killed", "labkit doctor")

    taped(session)
    with replayed() as endpoint:
        session(endpoint)


# -- what was not -----------------------------------------------------------------------------------------------------


def test_an_unrecorded_request_says_how_to_get_the_engine(taped):
    taped(lambda endpoint: endpoint.chat("Where?"))
    with replayed() as endpoint:
        for ask in (
            lambda: endpoint.chat("And where else?"),
            lambda: list(endpoint.stream("And where else?")),
            lambda: endpoint.observe("colour", lambda: "red"),
        ):
            with pytest.raises(EngineMissing, match="not recorded") as caught:
                ask()
            assert caught.value.fix == ABSENT.fix and ABSENT.why in caught.value.why
        with pytest.raises(openai.InternalServerError, match="'And where else\\?' was not recorded") as plain:
            endpoint.client().chat.completions.create(
                model="m", messages=[{"role": "user", "content": "And where else?"}]
            )
        assert plain.value.body["fix"] == ABSENT.fix and plain.value.body["code"] == "not_recorded"


def test_nobody_without_the_key(taped):
    taped(lambda endpoint: endpoint.client().models.list())
    with replayed() as endpoint:
        for key in ("", "the-key", "x"):
            stock = openai.OpenAI(base_url=endpoint.base_url, api_key=key or "none", max_retries=0)
            with stock as stranger, pytest.raises(openai.AuthenticationError):
                stranger.models.list()


def test_a_model_that_was_not_recorded(tmp_path):
    write(tmp_path)
    with pytest.raises(EngineMissing, match="other was not recorded") as caught:
        replay.instead("llamacpp", "other", ABSENT)
    assert MODEL in caught.value.why and caught.value.fix == ABSENT.fix


def test_a_damaged_recording_is_an_error_not_a_silence(tmp_path):
    write(tmp_path, got())
    file = tmp_path / "llamacpp" / "07.jsonl"
    file.write_text(file.read_text()[:-20])
    with pytest.raises(CourseError, match="damaged at line 3"):
        replay.instead("llamacpp", MODEL, ABSENT)


# -- when it is used, and when not --------------------------------------------------------------------------------------


@pytest.fixture
def no_engine(monkeypatch):
    monkeypatch.setattr(llamacpp, "available", lambda: ABSENT)

    def start(model, settings: Settings):
        raise AssertionError("a missing engine was started")

    monkeypatch.setattr(llamacpp, "start", start)


def test_connect_replays_what_is_missing(taped, no_engine):
    taped(lambda endpoint: endpoint.chat("Where?"))
    with pytest.warns(ReplayWarning, match="pip install vroom") as caught:
        endpoint = labkit.connect("llamacpp", replay=True, context=8192, parallel=16)
    assert caught[0].filename == __file__
    with endpoint:
        assert endpoint.chat("Where?").text == "Paris."


def test_never_without_being_asked(taped, no_engine):
    taped(lambda endpoint: endpoint.chat("Where?"))
    with pytest.raises(EngineMissing):
        labkit.connect("llamacpp")


@pytest.mark.parametrize("prefer", ["", "llamacpp"])
def test_never_where_the_engine_is_required(taped, no_engine, monkeypatch, prefer):
    taped(lambda endpoint: endpoint.chat("Where?"))
    monkeypatch.setenv("LABKIT_REQUIRE", "chromium, llamacpp")
    monkeypatch.setenv("LABKIT_REPLAY", prefer)
    with pytest.raises(EngineMissing) as caught:
        labkit.connect("llamacpp", replay=True)
    assert caught.value.fix == ABSENT.fix


def test_nothing_recorded_is_a_missing_engine(no_engine):
    with pytest.raises(EngineMissing) as caught:
        labkit.connect("llamacpp", replay=True)
    assert caught.value.fix == ABSENT.fix


def test_a_live_engine_takes_over(taped, monkeypatch):
    taped(lambda endpoint: endpoint.chat("Where?"))
    live = object()
    monkeypatch.setattr(llamacpp, "available", lambda: Availability(True, "1"))
    monkeypatch.setattr(labkit.backends._shared, "connect", lambda *args, **_: live)
    assert labkit.connect("llamacpp", replay=True) is live
    monkeypatch.setenv("LABKIT_REPLAY", "llamacpp")  # unless the learner wants to see the recording
    with pytest.warns(ReplayWarning):
        endpoint = labkit.connect("llamacpp", replay=True)
    with endpoint, pytest.raises(EngineMissing) as caught:
        endpoint.chat("What else?")
    assert caught.value.fix == "unset LABKIT_REPLAY"


def test_the_open_lessons_recording_comes_first(tmp_path, monkeypatch):
    write(tmp_path, got(pieces=[[0, "six"]]), lesson="06", date="2026-11-01")
    write(tmp_path, got(pieces=[[0, "seven"]]), lesson="07", date="2026-11-07")
    for lesson, text, date in (("07", "seven", "-07"), ("06", "six", "-01"), ("00", "six", "-01")):
        monkeypatch.setenv("LABKIT_LESSON", lesson)
        with replayed() as endpoint:
            assert fetch(endpoint).text == text and f"recorded on 2026-11{date} with" in endpoint.replayed


# -- the label ----------------------------------------------------------------------------------------------------------


def test_the_label_is_wherever_an_answer_or_a_figure_is(taped, capsys, monkeypatch):
    def session(endpoint):
        endpoint.chat("Where?")
        list(endpoint.stream("Where?", max_tokens=256))

    taped(session)
    monkeypatch.setattr(replay_label, "_said", set())
    with replayed() as endpoint:
        label = endpoint.replayed
        assert label.startswith("replayed: recorded on 2") and "with llamacpp 9.9 on " in label
        assert label in repr(endpoint)
        reply, stream = endpoint.chat("Where?"), endpoint.stream("Where?")
        assert list(stream) and stream.reply.replayed == reply.replayed == label and label in repr(reply)
        assert label in endpoint.capabilities.table() and label in endpoint.capabilities._repr_markdown_()
        talk = Conversation(endpoint)
        assert label in figures(talk.ask("Where?")) and label in talk.transcript()
        assert label in figures(talk.ask("Unrecorded?"))
    assert label in capsys.readouterr().err


def test_a_live_endpoint_has_no_label():
    with bridged(Scripted()) as endpoint:
        assert endpoint.replayed == endpoint.chat("Where?").replayed == ""
        assert "replayed: recorded" not in repr(endpoint) + figures(Conversation(endpoint).ask("Where?"))


def test_capabilities_are_those_that_were_probed_then(taped):
    taped(lambda endpoint: endpoint.chat("Where?", seed=3))
    with replayed() as endpoint:
        found = endpoint.capabilities
        assert (found.engine_version, found.probed_on, list(found.results)) == (
            "9.9",
            "2026-11-20",
            ["seed", "n", "aa"],
        )
        endpoint.chat("Where?", seed=3)
        with pytest.raises(UnsupportedParameter, match="would ignore n=2"):
            endpoint.chat("Where?", n=2)


# -- nothing is left behind -----------------------------------------------------------------------------------------------


def test_the_server_goes_with_its_endpoint(taped):
    taped(lambda endpoint: endpoint.chat("Where?"))
    gc.collect()
    before = threading.active_count()
    replayed().close()
    endpoint = replayed()
    port = int(endpoint.base_url.rpartition(":")[2].removesuffix("/v1"))
    del endpoint
    gc.collect()
    assert threading.active_count() <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


NOTEBOOK = """
import labkit
endpoint = labkit.connect("llamacpp", replay=True)
print("AT", endpoint.base_url, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_notebook_labels_its_cells_and_a_killed_kernel_leaves_no_server(taped, monkeypatch):
    from jupyter_client.manager import start_new_kernel

    taped(lambda endpoint: endpoint.chat("Where?"))
    monkeypatch.setenv("LABKIT_REPLAY", "llamacpp")
    manager, client = start_new_kernel(kernel_name="python3")

    def run(code: str) -> str:
        said = []
        client.execute_interactive(code, timeout=60, output_hook=lambda m: said.append(m["content"].get("text", "")))
        return "".join(said)

    try:
        connected = run(NOTEBOOK)
        assert "ReplayWarning: llamacpp does not run here" in connected
        assert run("1 + 1") == ""
        ask = 'endpoint.client().chat.completions.create(model="m", messages=[{"role": "user", "content": "Where?"}],'
        answer = run(f"print({ask} temperature=0.0, max_tokens=256).choices[0].message.content)")
        assert answer.startswith("Paris.\n[replayed: recorded on 2") and answer.count("replayed") == 1
        address = connected.partition("AT http://")[2].split("/")[0].split(":")
        os.kill(manager.provisioner.pid, signal.SIGKILL)
        manager.provisioner.process.wait(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address[0], int(address[1])), 1)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


# -- the real engine, there and back ------------------------------------------------------------------------------------


def test_a_real_engine_recorded_and_replayed(require, monkeypatch, tmp_path):
    here = labkit.backends.available()["llamacpp"]
    require("llamacpp", here, here.fix)

    def session(endpoint):
        reply, stream = (
            endpoint.chat("What is the capital of France?"),
            endpoint.stream("Count to three.", max_tokens=16),
        )
        pieces = list(stream)
        with pytest.raises(ContextTooLong):
            endpoint.chat("word " * 600)
        return [reply.text, reply.prompt_tokens, pieces, stream.reply.completion_tokens, stream.reply.finish_reason]

    monkeypatch.setenv("LABKIT_RECORD", str(tmp_path))
    with labkit.connect("llamacpp", context=256, parallel=1, replay=True) as endpoint:
        assert endpoint.replayed == ""
        live, capabilities = session(endpoint), endpoint.capabilities
    monkeypatch.delenv("LABKIT_RECORD")
    monkeypatch.setenv("LABKIT_REPLAY", "llamacpp")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        endpoint = labkit.connect("llamacpp", replay=True)
    with endpoint:
        assert session(endpoint) == live
        assert endpoint.capabilities.results == capabilities.results
        assert f"with llamacpp {here.version} on" in endpoint.replayed
    assert [one.category for one in caught] == [ReplayWarning]
