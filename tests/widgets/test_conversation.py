"""A conversation over real sockets: history, trimming, stopping, and every way to fail."""

import threading
import time

import pytest
from chat_server import ChatServer

from labkit.backends import Reply
from labkit.errors import ContextTooLong, EngineDied
from labkit.widgets.conversation import Conversation, Turn, figures, fitting


def until(condition, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def said(*texts: str) -> list[dict]:
    return [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]


def test_the_history_goes_with_every_question():
    with ChatServer() as server:
        talk = Conversation(server.endpoint(), system="Be brief.")
        assert talk.ask("One?").answer == "The answer."
        talk.ask("Two?")
        assert server.requests[1]["messages"] == [
            {"role": "system", "content": "Be brief."}, *said("One?", "The answer.", "Two?"),
        ]  # fmt: skip
        assert talk.messages[-2:] == said("Two?", "The answer.")
        assert server.requests[1]["max_tokens"] == 256


def test_it_changes_piece_by_piece():
    seen = []
    with ChatServer(["a", "b", "c"]) as server:
        Conversation(server.endpoint(), on_change=lambda turn: seen.append((turn.answer, turn.state))).ask("?")
    assert seen == [("", "writing"), ("a", "writing"), ("ab", "writing"), ("abc", "writing"), ("abc", "done")]


def test_stop_keeps_what_came_and_hangs_up():
    long = "more " * 4000  # 40 MB in all: no socket's buffers take that, so the server has to notice who hung up
    with ChatServer(["first "] + [long] * 2000) as server:
        server.gate.clear()
        talk = Conversation(server.endpoint())
        turn = talk.start("A long one, please.")
        until(lambda: turn.answer)
        assert talk.writing
        talk.stop()
        assert turn.state == "stopped" and not talk.writing
        server.gate.set()
        until(server.gone.is_set)  # the engine has nobody to write for any more
        assert talk.messages == said("A long one, please.", turn.answer)
        assert turn.pieces < 2000 and figures(turn) == f"stopped after {turn.pieces} pieces"
        talk.stop()  # twice is fine


def test_a_new_question_after_a_stop_does_not_wait_for_the_old_answer():
    with ChatServer(["first ", "more"]) as server:
        server.gate.clear()
        talk = Conversation(server.endpoint())
        first = talk.start("One?")
        until(lambda: first.answer)
        talk.stop()
        second = talk.start("Two?")
        server.gate.set()
        until(lambda: second.state == "done")
        assert second.answer == "first more" and first.answer == "first "


def test_one_answer_at_a_time():
    with ChatServer() as server:
        server.gate.clear()
        talk = Conversation(server.endpoint())
        turn = talk.start("One?")
        with pytest.raises(RuntimeError, match="being written"):
            talk.start("Two?")
        server.gate.set()
        until(lambda: turn.state == "done")
        assert len(talk.turns) == 1


def test_an_engine_that_dies_is_told_and_what_came_is_kept():
    with ChatServer(dies=True) as server:
        talk = Conversation(server.endpoint())
        turn = talk.ask("Are you well?")
        assert turn.state == "failed" and isinstance(turn.error, EngineDied) and turn.answer == "The "
        assert "Likely why:" in talk.transcript() and "Try: labkit doctor" in talk.transcript()


def test_a_question_without_an_answer_is_not_in_the_history():
    with ChatServer(window=3) as server:
        talk = Conversation(server.endpoint())
        assert isinstance(talk.ask("one two three four five").error, ContextTooLong)
        assert talk.messages == []
        talk.ask("one two")
        assert server.requests[-1]["messages"] == said("one two")


def test_no_exception_is_lost_in_the_thread():
    loud = []
    before, threading.excepthook = threading.excepthook, lambda args: loud.append(args.exc_value)
    try:
        with ChatServer() as server:
            endpoint = server.endpoint()
            endpoint.stream = lambda *args, **options: 1 / 0
            turn = Conversation(endpoint).start("?")
            until(lambda: loud)
    finally:
        threading.excepthook = before
    assert turn.state == "failed" and turn.error is loud[0] and isinstance(turn.error, ZeroDivisionError)


def test_what_the_engine_counts_as_too_long_is_shortened_and_said():
    with ChatServer(window=8) as server:
        talk = Conversation(server.endpoint())
        for question in ("one two three", "four five six", "seven eight nine"):
            turn = talk.ask(question)
        assert server.requests[-1]["messages"] == said("four five six", "The answer.", "seven eight nine")
        assert turn.left_out == 1 and "the oldest 1 of the questions" in figures(turn)


def test_fitting_leaves_out_the_oldest_and_never_the_instruction_or_the_question():
    history = [{"role": "system", "content": "s" * 30}, *said("a" * 300, "b" * 300, "c" * 30, "d" * 30, "e" * 30)]
    assert fitting(history, 10_000) == history
    assert fitting(history, 150) == [history[0], *history[3:]]
    assert fitting(history, 1) == [history[0], history[5]]
    assert fitting(said("a" * 300), 1) == said("a" * 300)


def test_clear_begins_anew():
    with ChatServer() as server:
        talk = Conversation(server.endpoint())
        talk.ask("One?")
        talk.clear()
        assert talk.messages == [] and talk.transcript() == ""


def test_figures_of_an_answer():
    reply = Reply("x", 7, 11, 2.0, 1.0, "length")
    text = figures(Turn("?", "x", "done", reply))
    assert text == "11 tokens · 10.0 tokens/s · first token after 1.00 s · cut off at the longest answer allowed"
    assert figures(Turn("?")) == "reading …" and figures(Turn("?", "x")) == "writing …"


def test_with_a_real_model(endpoint):
    talk = Conversation(endpoint)
    assert "Paris" in talk.ask("What is the capital of France?").answer
    turn = talk.ask("And of Italy?")
    assert turn.state == "done" and turn.reply.tokens_per_second > 0 and "tokens/s" in talk.transcript()
    assert turn.reply.prompt_tokens > talk.turns[0].reply.prompt_tokens
