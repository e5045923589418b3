"""The load and its clock readings, on a server that plays a script."""

import socket

import pytest
from scripted_stream import DROP, HANG, KEY, ROLE, Status, end, scripted, text

from labkit.backends.base import Endpoint
from labkit.bench.load import Answer, Target, run

GOOD = [ROLE, text("Once"), text(" upon"), end(tokens=2)]


def ask(*scripts, count=1, at_once=1, **options):
    with scripted(*scripts, **options) as server:
        answers = run(Target.of(server.endpoint), ["hello"] * count, at_once, 8)
    return answers, server


def test_time_to_first_token_ends_with_text_not_with_the_role():
    (answer,), server = ask([ROLE, 0.15, text("Once"), 0.05, text(" upon"), 0.05, end(tokens=3)])
    role, first, second, finish, _ = server.sent[0]
    assert not answer.error
    assert answer.ttft >= 0.15 and answer.sent < role and answer.arrivals[0] >= first
    assert answer.arrivals[1] >= second and answer.ended >= finish
    assert answer.gaps == [answer.arrivals[1] - answer.arrivals[0]]
    assert answer.tpot == (answer.ended - answer.arrivals[0]) / 2
    assert answer.latency == answer.ended - answer.sent


def test_tokens_are_counted_by_the_engine_not_by_chunks():
    (answer,), _ = ask([text("one two three"), 0.2, text(" four five six"), end(tokens=9, prompt=7)])
    assert (answer.prompt_tokens, answer.output_tokens, len(answer.arrivals), len(answer.gaps)) == (7, 9, 2, 1)
    assert answer.tpot == (answer.ended - answer.arrivals[0]) / 8
    assert answer.gaps[0] > answer.tpot


def test_usage_may_come_with_the_last_text():
    finish, counts = end(tokens=1)
    (answer,), _ = ask([{**text("yes"), "usage": counts["usage"]}, finish])
    assert answer.output_tokens == 1 and answer.tpot is None and not answer.error


def test_the_servers_own_timings_are_kept():
    (answer,), _ = ask([text("yes"), end(tokens=1, timings={"prompt_ms": 3.5})])
    assert answer.timings == {"prompt_ms": 3.5}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ([ROLE, end(tokens=4)], "empty: the answer has no text"),
        ([text("a"), DROP], "broken off"),
        ([text("a"), {"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]}], "uncounted"),
        ([text("a"), {"error": {"message": "out of memory"}}], "out of memory"),
        ([text("a"), b"data: {broken\n\n"], "not a chat chunk"),
        ([text("a"), b'data: {"choices": [{"delta": "x"}]}\n\n'], "not a chat chunk"),
        ([Status(503, "busy")], "HTTP 503"),
        ([text("a"), HANG], "stalled: nothing came for 1.5 s"),
    ],
)
def test_what_fails_is_an_answer_with_an_error_beside_the_good_ones(script, says):
    answers, server = ask(GOOD, script, GOOD, count=3, stall=1.5)
    assert len(server.bodies) == 3
    good, bad, again = answers
    assert says in bad.error and not good.error and not again.error
    assert good.output_tokens == again.output_tokens == 2


def test_nobody_there_is_an_error_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gone = Endpoint(backend="gone", base_url=f"http://127.0.0.1:{port}/v1", model="m", api_key="k")
    (answer,) = run(Target.of(gone), ["hello"], 1, 8)
    assert answer.error.startswith("connection lost: Connection")


def test_as_many_ask_at_once_as_was_said_and_no_more():
    answers, server = ask([text("a"), 0.1, end(tokens=1)], count=9, at_once=3)
    assert server.most == 3 and len(answers) == 9 and not any(answer.error for answer in answers)


def test_the_request_says_what_is_measured_and_carries_the_key():
    with scripted(GOOD) as server:
        run(Target.of(server.endpoint), ["hello"], 1, 17, {"ignore_eos": True})
    (body,) = server.bodies
    assert body["messages"] == [{"role": "user", "content": "hello"}]
    assert (body["max_tokens"], body["temperature"], body["ignore_eos"], body["model"]) == (17, 0, True, "m")
    assert body["stream"] and body["stream_options"] == {"include_usage": True}
    assert server.keys == [f"Bearer {KEY}"] and KEY not in repr(Target.of(server.endpoint))


def test_answers_come_in_the_order_of_the_prompts():
    slow, quick = [0.2, text("slow"), end(tokens=1)], [text("quick"), end(tokens=2)]
    with scripted(slow, quick) as server:
        answers = run(Target.of(server.endpoint), ["first", "second", "third"], 2, 8)
    # Which of the first two requests came first is up to the threads; the answers go with their prompts all the same.
    slow_prompt = server.bodies[0]["messages"][0]["content"]
    assert [answer.output_tokens for answer in answers].index(1) == ["first", "second", "third"].index(slow_prompt)


def test_ctrl_c_hangs_up_on_everybody():
    def interrupt(done, total):
        raise KeyboardInterrupt

    with scripted([text("a"), HANG], stall=60) as server:
        with pytest.raises(KeyboardInterrupt):
            run(Target.of(server.endpoint), ["hello"] * 8, 4, 8, progress=interrupt)
        asked = len(server.bodies)
        assert asked <= 4, "those in line were not sent any more"
        for _ in range(asked):
            assert server.gone.acquire(timeout=20), "the engine was not told to stop"


def test_progress_counts_up_to_all():
    seen = []
    with scripted(GOOD) as server:
        run(Target.of(server.endpoint), ["hello"] * 5, 2, 8, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5) and [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_definitions_on_exact_times():
    answer = Answer(sent=10.0, arrivals=(10.5, 10.75, 11.5), ended=12.0, prompt_tokens=3, output_tokens=7)
    assert (answer.ttft, answer.tpot, answer.gaps, answer.latency) == (0.5, 0.25, [0.25, 0.75], 2.0)
