"""What a recording holds: canonical requests, answers cut into their pieces, nothing of this machine, in a stable order."""

import json
import os
import threading
import time

import openai
import pytest
from scripted_engine import Scripted, bridged

from labkit import paths
from labkit.backends import capabilities, recording
from labkit.backends.capabilities import Capabilities
from labkit.backends.recorder import record
from labkit.errors import ContextTooLong, CourseError

ASK = {"messages": [{"role": "user", "content": "Where?"}], "model": "m", "stream": True}


@pytest.fixture(autouse=True)
def lesson(monkeypatch):
    monkeypatch.setenv("LABKIT_LESSON", "07")


@pytest.fixture
def probed(monkeypatch):
    """Let the capabilities be known without asking: a scripted engine would fail the probes."""
    known = Capabilities("scripted", "1", "m", "2026-11-22", {"seed": capabilities.Capability(True, "seen")})
    monkeypatch.setattr(capabilities, "load_or_probe", lambda endpoint: known)


def entries(folder) -> list[dict]:
    return [json.loads(text) for text in (folder / "scripted" / "07.jsonl").read_text().splitlines()]


def eventually(found) -> bool:
    deadline = time.monotonic() + 10
    while not found() and time.monotonic() < deadline:
        time.sleep(0.01)
    return bool(found())


def ask(body: dict, name="m", path="/v1/chat/completions") -> str:
    return recording.key("m", recording.canonical_request("POST", path, json.dumps(body).encode(), name))


def test_the_same_question_is_the_same_however_it_is_spelt():
    turned = dict(reversed(ASK.items()))
    assert ask(ASK) == ask(turned)
    assert ask(ASK) == ask({**ASK, "model": "other-name"}, name="other-name")
    home = f"{paths.home()}/weights/m.gguf"
    assert "<labkit>/weights/m.gguf" in ask({"from": home}) and str(paths.home()) not in ask({"from": home})
    assert ask({"url": "http://127.0.0.1:4711/v1"}) == ask({"url": "http://127.0.0.1:815/v1"})


def test_another_question_is_another():
    others = [{**ASK, "model": "other"}, {**ASK, "stream": False}, {**ASK, "temperature": 0}, {**ASK, "messages": []}]
    assert len({ask(one) for one in [ASK, *others]}) == 5
    assert ask(ASK) != ask(ASK, path="/v1/completions")
    binary = [recording.canonical_request("POST", "/api/blobs", body, "m") for body in (b"\xff\x00", b"\xff\x01")]
    assert binary[0] != binary[1] and "sha256" in binary[0]["body"]


def test_events_are_whole_however_the_network_cut_them():
    text = 'data: {"é": 1}\n\ndata: {"b": 2}\r\n\r\ndata: [DONE]\n\n'
    whole = text.encode()
    for cut in range(1, len(whole)):
        pieces = recording.in_pieces([(0.5, whole[:cut]), (1.25, whole[cut:])], "text/event-stream; charset=utf-8")
        assert [piece for _, piece in pieces] == ['data: {"é": 1}\n\n', 'data: {"b": 2}\r\n\r\n', "data: [DONE]\n\n"]
        assert [seconds for seconds, _ in pieces] == sorted(seconds for seconds, _ in pieces)
    assert recording.in_pieces([(0.5, b'{"a":'), (0.7, b"1}")], "application/json") == [[0.7, '{"a":1}']]
    assert recording.in_pieces([(1, b"{}\n{}\n")], "application/x-ndjson") == [[1, "{}\n"], [1, "{}\n"]]
    assert recording.in_pieces([], "text/plain") == []


def test_what_is_random_or_a_clock_is_left_out():
    piece = b'{"id":"chatcmpl-4f2a","created":1795370427,"model":"m","tool_calls":[{"id":"call_1"}]}'
    [[_, text]] = recording.in_pieces([(0, piece)], "application/json")
    assert text == '{"id":"chatcmpl-recorded","created":0,"model":"m","tool_calls":[{"id":"call_1"}]}'


def test_the_recorder_keeps_what_went_through(tmp_path, probed):
    with bridged(Scripted()) as endpoint:
        own_key, own_url = endpoint.api_key, endpoint.base_url
        endpoint.engine_version = "1.2"
        record(endpoint, "tiny", tmp_path)
        assert own_key != endpoint.api_key and own_url != endpoint.base_url
        assert endpoint.chat("Where?").text == "Paris."
        assert list(endpoint.stream("Where?")) == ["Par", "is", "."]
        # The client has its last piece a moment before the recorder has written it.
        assert eventually(lambda: len(entries(tmp_path)) == 4)
        assert endpoint.observe("memory", lambda: {"b": 1, "a": (2,)}) == {"b": 1, "a": [2]}
        with pytest.raises(openai.NotFoundError):
            endpoint.client().chat.completions.create(model="other", messages=ASK["messages"])
    stamp, known, plain, streamed, memory, refused = entries(tmp_path)
    assert stamp["recording"]["engine"] == "scripted" and stamp["recording"]["version"] == "1.2"
    assert stamp["recording"]["lesson"] == "07" and " cores of " in stamp["recording"]["machine"]
    assert known["answer"]["value"]["name"] == "m" and known["answer"]["value"]["capabilities"]["results"]["seed"]["ok"]
    assert {one["model"] for one in (known, plain, streamed, memory, refused)} == {"tiny"}
    assert plain["ask"]["body"]["model"] == "<model>" and refused["ask"]["body"]["model"] == "other"
    assert (plain["answer"]["status"], refused["answer"]["status"]) == (200, 404)
    assert len(streamed["answer"]["pieces"]) == 6 and "broken_off" not in streamed["answer"]
    assert list(memory["answer"]["value"]) == ["b", "a"], "a table's columns keep their order"
    text = (tmp_path / "scripted" / "07.jsonl").read_text()
    assert own_key not in text and endpoint.api_key not in text and os.path.expanduser("~/") not in text


def test_an_answer_that_was_left_says_so(tmp_path, probed):
    with bridged(Scripted(gate=threading.Semaphore(1))) as endpoint:
        record(endpoint, "tiny", tmp_path)
        with endpoint.stream("Where?") as stream:
            assert next(stream) == "Par"
        assert eventually(lambda: len(entries(tmp_path)) == 3)
    answer = entries(tmp_path)[2]["answer"]
    assert len(answer["pieces"]) == 1 and answer["broken_off"] >= answer["pieces"][0][0]


def test_what_the_endpoint_itself_refuses_or_changes_is_kept(tmp_path, probed):
    def check(request):
        if "long" in request["messages"][0]["content"]:
            raise ContextTooLong("Too long.", "one window", "shorten")
        return {**request, "max_tokens": 2} if "short" in request["messages"][0]["content"] else request

    with bridged(Scripted()) as endpoint:
        endpoint.before = check
        record(endpoint, "tiny", tmp_path)
        assert endpoint.chat("a short one").text == "Paris"
        endpoint.chat("as it is")
        with pytest.raises(ContextTooLong):
            endpoint.chat("a long one")
    kept = [one["answer"] for one in entries(tmp_path)[1:] if "before" in one["ask"]]
    assert kept == [{"value": {"max_tokens": 2}}, {"error": ["ContextTooLong", "Too long.", "one window", "shorten"]}]


def test_an_observation_that_json_cannot_hold_is_refused_live_too(tmp_path, probed):
    with bridged(Scripted()) as endpoint:
        with pytest.raises(TypeError):
            endpoint.observe("process", lambda: object())
        record(endpoint, "tiny", tmp_path)
        with pytest.raises(TypeError):
            endpoint.observe("process", lambda: object())


def test_what_an_observation_asks_goes_past_the_recorder(tmp_path, probed):
    with bridged(Scripted()) as endpoint:
        own = endpoint.base_url, endpoint.api_key
        record(endpoint, "tiny", tmp_path)
        relay = endpoint.base_url, endpoint.api_key
        endpoint.chat("Where?")  # the endpoint's client talks to the relay from now on
        seen = endpoint.observe("seen", lambda: [endpoint.base_url, endpoint.api_key, endpoint.chat("How far?").text])
        assert tuple(seen[:2]) == own != relay
        assert (endpoint.base_url, endpoint.api_key) == relay
        with pytest.raises(ContextTooLong):
            endpoint.observe("fails", lambda: (_ for _ in ()).throw(ContextTooLong("x")))
        assert (endpoint.base_url, endpoint.api_key) == relay
        endpoint.chat("And then?")
    asked = [one["ask"]["body"]["messages"][0]["content"] for one in entries(tmp_path)[1:] if "body" in one["ask"]]
    assert asked == ["Where?", "And then?"]


def test_two_endpoints_of_a_lesson_share_its_file(tmp_path, probed):
    with bridged(Scripted()) as one, bridged(Scripted()) as two:
        record(one, "tiny", tmp_path)
        record(two, "small", tmp_path)
        one.observe("n", lambda: 1)
        two.observe("n", lambda: 2)
    assert [one["model"] for one in entries(tmp_path)[1:]] == ["tiny", "small", "tiny", "small"]


def test_tidy_orders_by_the_question_alone(tmp_path):
    stamp = {"recording": vars(recording.Stamp("e", "1", "here", "2026-11-22", "0.1.0", "07"))}

    def entry(name, value):
        return {"model": "m", "ask": {"observe": name}, "answer": {"value": value}}

    path = tmp_path / "r.jsonl"
    path.write_text("".join(map(recording.line, [stamp, entry("b", 1), entry("a", 9), entry("b", 0)])))
    recording.tidy(path)
    recording.tidy(path)
    found = recording.load(path)
    assert [(ask["observe"], [one["value"] for one in answers]) for _, ask, answers in found.entries()] == [
        ("a", [9]), ("b", [1, 0]),
    ]  # fmt: skip
    assert path.read_text().count("\n") == 4


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("", 1),
        ("no json\n", 1),
        ('{"recording": {"engine": "e"}}\n', 1),
        ("{stamp}\n{", 2),
        ('{stamp}\n{entry}\n{"model": "m", "ask": {"ob', 3),
        ('{stamp}\n{entry}\n{"model": "m"}\n', 3),
        ("{stamp}\n[]\n", 2),
    ],
)
def test_a_damaged_recording_names_its_line(tmp_path, text, at):
    stamp = json.dumps({"recording": vars(recording.Stamp("e", "1", "here", "2026-11-22", "0.1.0", "07"))})
    entry = json.dumps({"model": "m", "ask": {"observe": "a"}, "answer": {"value": 1}})
    path = tmp_path / "07.jsonl"
    path.write_text(text.replace("{stamp}", stamp).replace("{entry}", entry))
    with pytest.raises(CourseError, match=f"damaged at line {at}") as caught:
        recording.load(path)
    assert caught.value.fix
