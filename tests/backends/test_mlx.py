"""MLX's server as labkit runs it, on a model of a few kilobytes. The bundled model is asked in tests/conformance: on a Linux CPU,
in float32, it is slow, so it is asked once."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import openai
import pytest
import tiny_llama as tiny

import labkit
from labkit import catalog
from labkit.backends import mlx
from labkit.backends.loopback import get
from labkit.backends.settings import Settings
from labkit.errors import OfflineError, Refused

STORY = [{"role": "user", "content": "Write a very long story."}]


# -- the door before it, with a model of a few kilobytes ------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny_engine(tmp_path_factory, require):
    here = mlx.available()
    require("mlx", here, here.fix)
    with (
        tiny.home(tmp_path_factory.mktemp("home")),
        labkit.connect("mlx", model="tiny", context=128, parallel=2, threads=1) as engine,
    ):
        yield engine


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/models/other", "/"])
def test_nothing_is_told_without_the_key(tiny_engine, path):
    address = tiny_engine.base_url.removesuffix("/v1")
    assert get(address, path)[0] == get(address, path, "wrong")[0] == 401
    assert json.loads(get(address, "/health")[1]) == {"status": "ok"}


def test_it_lists_its_one_model_by_its_name(tiny_engine):
    (card,) = tiny_engine.client().models.list().data
    assert (card.id, card.meta["n_ctx"]) == ("tiny", 128)
    assert tiny_engine.chat("hi", max_tokens=1).raw.model == "tiny"


@pytest.mark.parametrize("name", ["/etc", "default_model", "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_no_other_model_is_loaded(tiny_engine, name):
    with pytest.raises(Refused, match="does not exist here; this server has 'tiny'"):
        replace(tiny_engine, model=name, on_close=None).chat("hi")


@pytest.mark.parametrize("name", ["adapters", "draft_model"])
def test_a_caller_cannot_have_other_files_loaded(tiny_engine, name, tmp_path):
    with pytest.raises(Refused, match=f"{name}: not for callers"):
        tiny_engine.chat("hello", extra_body={name: str(tmp_path)})


def test_a_picture_is_not_fetched(tiny_engine):
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        somebody.settimeout(0.2)
        picture = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{somebody.getsockname()[1]}/x.png"}}
        with pytest.raises(Refused, match="text only"):
            tiny_engine.chat([{"role": "user", "content": [picture]}])
        with pytest.raises(TimeoutError):
            somebody.accept()


def test_parts_of_text_are_one_text(tiny_engine):
    parts = [{"type": "text", "text": "the "}, {"type": "text", "text": "heath"}]
    found, whole = (tiny_engine.chat([{"role": "user", "content": one}], max_tokens=5) for one in (parts, "the heath"))
    assert (found.text, found.prompt_tokens) == (whole.text, whole.prompt_tokens)


@pytest.mark.parametrize(
    "message", ["hello", 7, {}, {"role": "user", "content": {"a": 1}}, {"role": "user", "content": 7}]
)
def test_messages_that_are_none(tiny_engine, message):
    with pytest.raises(Refused, match=r"\(400\): (?!Error code)"):  # in words
        tiny_engine.chat([message])
    assert tiny_engine.chat("hi", max_tokens=2).completion_tokens == 2


def test_what_they_refuse_comes_in_openais_shape(tiny_engine):
    for parameters, words in (
        ({"temperature": -1}, "temperature must be at least 0"),
        ({"top_p": "x"}, "top_p must be"),
    ):
        with pytest.raises(openai.BadRequestError, match=words) as caught:
            tiny_engine.client().chat.completions.create(model="tiny", messages=STORY, extra_body=parameters)
        assert caught.value.body.keys() >= {"message", "type", "code"}
    with pytest.raises(openai.NotFoundError, match="Not Found"):
        tiny_engine.client().embeddings.create(model="tiny", input="x")


def create(engine, **parameters):
    """Send a request as it is: the probes, made for a model that speaks, judge this one wrongly."""
    request = {"model": "tiny", "messages": STORY, "temperature": 0, "max_tokens": 24, **parameters}
    return engine.client().chat.completions.create(**request)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_stop_text_ends_the_answer_wherever_its_tokens_begin(tiny_engine, streamed):
    def say(**stop) -> tuple[str, str, int]:
        if not streamed:
            raw = create(tiny_engine, **stop)
            return raw.choices[0].message.content or "", raw.choices[0].finish_reason, raw.usage.completion_tokens
        *chunks, last = create(tiny_engine, stream=True, stream_options={"include_usage": True}, **stop)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        return text, chunks[-1].choices[0].finish_reason, last.usage.completion_tokens

    free, ending, tokens = say()
    assert ending == "length" and tokens == 24 and len(free) > 12
    for at in range(1, len(free) - 3):
        stop = free[at : at + 3]
        text, ending, count = say(stop=["never", stop])
        assert (text, ending) == (free[: free.find(stop)], "stop") and 0 < count <= 24, stop
    assert say(stop=["never"]) == (free, "length", 24)


@pytest.mark.parametrize("token", [-1, 262, 10**9])
def test_a_token_outside_the_vocabulary_harms_nobody(tiny_engine, token):
    with pytest.raises(openai.BadRequestError, match="tokens go from 0 to 261"):
        create(tiny_engine, logit_bias={str(token): 1})
    assert create(tiny_engine, logit_bias={"261": 100}, max_tokens=2).choices[0].message.content.split() == [
        "the",
        "the",
    ]


def test_more_choices_than_tokens_are_all_of_them(tiny_engine):
    for many in (261, 262, 10**9):
        reply = tiny_engine.chat("hi", temperature=1, max_tokens=3, extra_body={"top_k": many})
        assert reply.finish_reason in ("length", "stop"), many
    assert tiny_engine.chat("hi", max_tokens=2).completion_tokens == 2


@pytest.mark.parametrize("stop", [7, [7], [""], ["a"] * 17, {"a": 1}])
def test_stop_texts_that_are_none(tiny_engine, stop):
    with pytest.raises(openai.BadRequestError, match="stop: a text"):
        create(tiny_engine, stop=stop)


def test_many_at_once_on_a_tiny_model(tiny_engine):
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: tiny_engine.chat("hi", max_tokens=9).completion_tokens, range(32)))
    assert found == {9}
    until = time.monotonic() + 10  # an answer has come before its server has put down its pen
    while "labkit:requests_processing 0" not in _metrics(tiny_engine):
        assert time.monotonic() < until, _metrics(tiny_engine)
        time.sleep(0.01)


def _metrics(engine) -> str:
    return get(engine.base_url.removesuffix("/v1"), "/metrics", engine.api_key)[1]


# -- where it runs --------------------------------------------------------------------------------------------------------


def test_without_a_compiler_its_kernels_are_the_ready_made_ones(monkeypatch):
    monkeypatch.setattr(mlx.sys, "platform", "linux")
    monkeypatch.setattr(mlx.shutil, "which", lambda name: None)
    assert mlx._environment(1)["MLX_DISABLE_COMPILE"] == "1"
    monkeypatch.setattr(mlx.shutil, "which", lambda name: "/usr/bin/" + name)
    assert "MLX_DISABLE_COMPILE" not in mlx._environment(1)
    assert mlx._environment(3)["HF_HUB_OFFLINE"] == "1"


def test_a_model_of_a_hub_is_taken_from_its_cache_and_nowhere_else(require, tmp_path, monkeypatch):
    here = mlx.available()
    require("mlx", here, here.fix)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(OfflineError, match="not on this disk") as caught:
        mlx.start(catalog.model("qwen2.5-0.5b"), Settings())
    name = catalog.model("qwen2.5-0.5b").source("mlx").id
    assert caught.value.fix == f"hf download {name}"
    repository = tmp_path / f"models--{name.replace('/', '--')}"
    for folder, text in (("refs/main", "abc"), ("snapshots/abc/config.json", "{}")):
        (repository / folder).parent.mkdir(parents=True, exist_ok=True)
        (repository / folder).write_text(text)
    assert mlx._weights(catalog.model("qwen2.5-0.5b")) == repository / "snapshots" / "abc"


@pytest.mark.parametrize(("system", "machine"), [("darwin", "x86_64"), ("win32", "AMD64")])
def test_where_there_is_no_build(monkeypatch, system, machine):
    monkeypatch.setattr(mlx.sys, "platform", system)
    monkeypatch.setattr(mlx.platform, "machine", lambda: machine)
    found = mlx.available()
    assert not found and "Apple silicon" in found.why and found.fix.startswith("labkit doctor")
