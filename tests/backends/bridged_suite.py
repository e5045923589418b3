"""What every engine behind the bridge has to do, with the real engine and the bundled model. One subclass an engine."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import psutil
import pytest

import labkit
from labkit import backends
from labkit.backends.loopback import get
from labkit.errors import ContextTooLong, EngineDied, OfflineError, Refused, UnsupportedParameter

SETTINGS = {"context": 1024, "parallel": 4, "threads": 1}
FRANCE, JAPAN = "What is the capital of France?", "What is the capital of Japan?"
TEXT = "Zürich, Ђоковић, 東京, 👩‍👩‍👧‍👦"
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["zinnober", "aureolin"]}, "count": {"type": "integer"}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
NO_SCHEMA = {"type": "nonsense"}


def form(schema: dict) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def connect(name: str, require, **settings):
    here = backends.available()[name]
    require(name, here, here.fix)
    try:
        return labkit.connect(name, model="smollm2-135m", **{**SETTINGS, **settings})
    except OfflineError as error:
        require(name, False, error.fix or str(error))


class BridgedEngine:
    """`name`: the backend. more: what this engine can do beyond the others."""

    name: str
    more: frozenset = frozenset()

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, require):
        with connect(cls.name, require) as endpoint:
            yield endpoint

    # -- the same answers as llama.cpp ----------------------------------------------------------------------------------

    def test_paris(self, engine):
        reply = engine.chat(FRANCE)
        assert (reply.text, reply.finish_reason) == ("The capital of France is Paris.", "stop")
        assert (reply.prompt_tokens, reply.completion_tokens) == (37, 8)

    @pytest.mark.parametrize(
        "messages",
        [
            [{"role": "user", "content": JAPAN}],
            [{"role": "user", "content": f"  {TEXT}\n\n12345.67\tdef f(x):\n    return x  \n\n\n3"}],
            [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
            [{"role": "user", "content": "<|im_end|> is a special token"}],
        ],
        ids=["plain", "unicode", "system", "turns", "special"],
    )
    def test_prompts_are_the_same_tokens_as_in_llamacpp(self, engine, endpoint, messages):
        counts = [one.chat(messages, max_tokens=1).prompt_tokens for one in (engine, endpoint)]
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("country", ["Japan", "Germany", "Egypt", "Kenya"])
    def test_answers_are_the_same_as_in_llamacpp_where_the_model_is_sure(self, engine, endpoint, country):
        texts = [one.chat(f"What is the capital of {country}?", max_tokens=20).text for one in (engine, endpoint)]
        assert texts[0] == texts[1]

    # -- what a request may ask for -------------------------------------------------------------------------------------

    def test_streamed_and_whole_answers_agree(self, engine):
        stream = engine.stream(JAPAN)
        pieces = list(stream)
        assert len(pieces) > 3 and "".join(pieces) == stream.reply.text == engine.chat(JAPAN).text
        assert (stream.reply.prompt_tokens, stream.reply.finish_reason) == (37, "stop")

    def test_characters_are_whole_in_every_piece(self, engine):
        pieces = list(engine.stream(f"Repeat exactly: {TEXT}", max_tokens=60))
        assert "Z" in "".join(pieces) and not any("\ufffd" in piece for piece in pieces)

    def test_a_schema_holds(self, engine):
        for question in ("Name three colours.", FRANCE, "Write a story."):
            answer = json.loads(engine.chat(question, response_format=form(SCHEMA), max_tokens=120).text)
            assert answer["colour"] in ("zinnober", "aureolin") and isinstance(answer["count"], int)

    def test_a_schema_that_is_none_harms_nobody_else(self, engine):
        story = engine.chat("Write a story.", max_tokens=60).text
        for _ in range(3):
            stream, pieces = engine.stream("Write a story.", max_tokens=60), []
            pieces.append(next(stream))
            with pytest.raises(Refused, match="schema"):
                engine.chat("Name a colour.", response_format=form(NO_SCHEMA))
            assert "".join([*pieces, *stream]) == story
            assert engine.chat(JAPAN).text == "The capital of Japan is Tokyo."

    def test_several_schemas_at_once(self, engine):
        answers = {}

        def ask(word):
            schema = {
                "type": "object",
                "properties": {word: {"const": 1}},
                "required": [word],
                "additionalProperties": False,
            }
            answers[word] = json.loads(engine.chat("Hi", response_format=form(schema), max_tokens=60).text)

        callers = [threading.Thread(target=ask, args=(word,)) for word in ("tern", "auk", "rook", "wren", "kite")]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(120)
        assert answers == {word: {word: 1} for word in ("tern", "auk", "rook", "wren", "kite")}

    def test_stop_texts(self, engine):
        reply = engine.chat(JAPAN, stop=["Japan is", "nothing"])
        assert (reply.text, reply.finish_reason) == ("The capital of ", "stop")

    def test_max_tokens(self, engine):
        reply = engine.chat("Write a long story.", max_tokens=7)
        assert (reply.completion_tokens, reply.finish_reason) == (7, "length")

    def test_seed_and_temperature(self, engine):
        def say(seed):
            return engine.chat("Name a colour.", temperature=1.5, max_tokens=12, **seed).text

        assert say({"seed": 1}) == say({"seed": 1})
        assert len({say({"seed": number}) for number in range(4)}) > 1
        assert len({say({}) for _ in range(4)}) > 1, "without a seed, each answer is its own"

    def test_top_p_of_almost_nothing_is_greedy(self, engine):
        answers = {engine.chat(JAPAN, temperature=1.5, top_p=0.001, seed=n, max_tokens=8).text for n in range(3)}
        assert answers == {engine.chat(JAPAN, max_tokens=8).text}

    def test_too_long_a_prompt(self, engine):
        for words in (1100, 9000):
            with pytest.raises(ContextTooLong, match="available context size"):
                engine.chat("word " * words)
        assert engine.chat(JAPAN).finish_reason == "stop"

    def test_the_window_is_shared_by_prompt_and_answer(self, engine):
        reply = engine.chat("word " * 960, max_tokens=500)
        assert reply.prompt_tokens + reply.completion_tokens <= 1024

    def test_capabilities(self, engine, tmp_path, monkeypatch):
        monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
        probed = replace(engine, on_close=None)
        found = probed.capabilities
        everywhere = {
            "streaming",
            "stream_usage",
            "json_schema",
            "json_object",
            "stop",
            "max_completion_tokens",
            "seed",
        }
        assert {name for name in found.results if found[name]} == everywhere | {"top_k"} | self.more, found.table()
        with pytest.raises(UnsupportedParameter):
            probed.chat("hello", n=2)

    # -- several at once, leaving, dying ----------------------------------------------------------------------------------

    def test_eight_at_once(self, engine):
        replies = []
        callers = [threading.Thread(target=lambda: replies.append(engine.chat(JAPAN, max_tokens=20))) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(120)
        assert len(replies) == 8 and all("Tokyo" in reply.text for reply in replies)

    def test_a_caller_who_leaves_frees_the_engine(self, engine):
        with engine.stream("Write a very long story.", max_tokens=900) as stream:
            for _ in range(3):
                next(stream)
        pause = threading.Event()
        for _ in range(500):
            if (
                "labkit:requests_processing 0"
                in get(engine.base_url.removesuffix("/v1"), "/metrics", engine.api_key)[1]
            ):
                return
            pause.wait(0.01)
        pytest.fail("the engine still works on the cancelled request")

    def test_wrong_key_and_unknown_model(self, engine):
        with pytest.raises(Refused, match="wrong key"):
            replace(engine, api_key="wrong", on_close=None).chat("hello")
        with pytest.raises(Refused, match="404"):
            replace(engine, model="other", on_close=None).chat("hello")

    def test_it_listens_on_loopback_only(self, engine):
        family = psutil.Process(engine.process._leash.pid).children(recursive=True)
        listening = [s for one in family for s in one.net_connections("tcp") if s.status == psutil.CONN_LISTEN]
        assert listening and all(sock.laddr.ip == "127.0.0.1" for sock in listening)

    def test_killed_in_the_middle_of_a_stream(self, require):
        with connect(self.name, require, context=512, parallel=1) as engine:
            stream = engine.stream("Write a long story.", max_tokens=400)
            next(stream)
            engine.process.kill()
            with pytest.raises(EngineDied):
                list(stream)
        assert not engine.process.alive
