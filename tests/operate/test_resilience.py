"""Retries, circuit breaker and fallback, before a real engine and a relay that fails on purpose."""

import copy
import http.client
import itertools
import socket
import threading
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

import labkit
from labkit.errors import AnswerBroken, CircuitOpen, ConfigError, EngineDied, EngineTimeout, Refused
from labkit.operate.resilience import Breaker, Fallback, call_tool, retrying, transient
from labkit.tools import Ledger, as_tool


@contextmanager
def failing(endpoint, statuses):
    """Give an endpoint whose relay answers with `statuses` first, and then lets everything through to the real engine."""
    left, asked = iter(statuses), []

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = next(left, None)
            asked.append(status)
            answer = (status, b'{"error": {"message": "on purpose"}}') if status else self.passed_on(body)
            self.send_response(answer[0])
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def passed_on(self, body):
            there = http.client.HTTPConnection(urlsplit(endpoint.base_url).netloc, timeout=100)
            there.request(
                "POST",
                self.path,
                body,
                {"Authorization": self.headers["Authorization"], "Content-Type": "application/json"},
            )
            response = there.getresponse()
            return response.status, response.read()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    relayed = replace(
        endpoint, base_url=f"http://127.0.0.1:{server.server_port}/v1", on_close=None, process=None, backend="relay"
    )
    try:
        yield relayed, asked
    finally:
        relayed.close()
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def dead(endpoint):
    """Give an endpoint where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return replace(endpoint, base_url=f"http://127.0.0.1:{port}/v1", on_close=None, process=None, backend="dead")


def ask(endpoint):
    return endpoint.chat("Say hello.", max_tokens=4)


def test_what_passes_by_itself_is_tried_again(endpoint):
    with failing(endpoint, [503, 429]) as (relayed, asked):
        assert retrying(lambda: ask(relayed), pause=0.01).text
    assert asked == [503, 429, None]


def test_what_stays_wrong_is_not(endpoint):
    with failing(endpoint, [400] * 9) as (relayed, asked), pytest.raises(Refused):
        retrying(lambda: ask(relayed), pause=0.01)
    assert asked == [400]


def test_attempts_end(endpoint):
    with failing(endpoint, [500] * 9) as (relayed, asked), pytest.raises(Refused, match="500"):
        retrying(lambda: ask(relayed), attempts=3, pause=0.01)
    assert asked == [500] * 3


def test_what_is_transient(endpoint, dead):
    with pytest.raises(EngineDied) as died:
        ask(dead)
    assert transient(died.value)
    for status, passing in ((429, True), (500, True), (503, True), (400, False), (401, False), (404, False)):
        with failing(endpoint, [status]) as (relayed, _), pytest.raises(Refused) as refused:
            ask(relayed)
        assert transient(refused.value) is passing
    assert not transient(ValueError("no"))


def test_a_breaker_spares_an_endpoint_that_fails_and_tries_it_once_later(endpoint):
    now = 0.0
    breaker = Breaker(failures=3, rest=30, clock=lambda: now, name="relay")
    with failing(endpoint, [500] * 4) as (relayed, asked):
        for _ in range(3):
            with pytest.raises(Refused):
                breaker.call(lambda: ask(relayed))
        assert breaker.state == "open"
        with pytest.raises(CircuitOpen, match="relay failed 3 times"):
            breaker.call(lambda: ask(relayed))
        assert len(asked) == 3, "nobody was asked"
        now = 30.0
        assert breaker.state == "half-open"
        with pytest.raises(Refused):
            breaker.call(lambda: ask(relayed))
        assert breaker.state == "open" and len(asked) == 4
        now = 60.0
        assert breaker.call(lambda: ask(relayed)).text
        assert breaker.state == "closed"


def raising(error):
    def call():
        raise error

    return call


LATE = EngineTimeout("late")


def test_failures_must_come_in_a_row_and_a_bad_request_is_none():
    breaker = Breaker(failures=2, clock=lambda: 0.0)
    for error in (LATE, None, LATE, Refused("bad value"), LATE, KeyError("mine")):
        if error is None:
            breaker.call(lambda: 1)
        else:
            with pytest.raises(type(error)):
                breaker.call(raising(error))
    assert breaker.state == "closed"
    for _ in range(2):
        with pytest.raises(EngineTimeout):
            breaker.call(raising(LATE))
    assert breaker.state == "open"


def half_open(rest=10.0):
    clock = itertools.chain([0.0] * 4, itertools.repeat(100.0))
    breaker = Breaker(failures=1, rest=rest, clock=lambda: next(clock))
    with pytest.raises(EngineTimeout):
        breaker.call(raising(LATE))
    while breaker.state != "half-open":
        pass
    return breaker


def test_half_open_lets_one_call_try():
    breaker = half_open()

    def slow_try():
        with pytest.raises(CircuitOpen):
            breaker.call(lambda: 2)
        return 1

    assert breaker.call(slow_try) == 1
    assert breaker.state == "closed" and breaker.call(lambda: 2) == 2


def test_a_try_that_is_stopped_by_hand_leaves_room_for_the_next():
    breaker = half_open()
    with pytest.raises(KeyboardInterrupt):
        breaker.call(raising(KeyboardInterrupt()))
    assert breaker.state == "half-open"
    assert breaker.call(lambda: 1) == 1


def test_an_answer_from_before_the_opening_closes_nothing():
    breaker = Breaker(failures=1, rest=10, clock=lambda: 0.0)

    def overtaken():
        with pytest.raises(EngineTimeout):
            breaker.call(raising(LATE))
        return "late but fine"

    assert breaker.call(overtaken) == "late but fine"
    assert breaker.state == "open"


def test_a_failure_from_before_the_opening_keeps_it_open_no_longer():
    now = 0.0
    breaker = Breaker(failures=1, rest=10, clock=lambda: now)

    def overtaken():
        nonlocal now
        with pytest.raises(EngineTimeout):
            breaker.call(raising(LATE))
        now = 9.0
        raise LATE

    with pytest.raises(EngineTimeout):
        breaker.call(overtaken)
    now = 10.0
    assert breaker.state == "half-open"


def test_a_clock_that_jumps_back_keeps_a_breaker_open_no_longer_than_its_rest():
    now = 1_000_000.0
    breaker = Breaker(failures=1, rest=10, clock=lambda: now)
    with pytest.raises(EngineTimeout):
        breaker.call(raising(LATE))
    now = 5.0
    assert breaker.state == "open"
    now = 15.0
    assert breaker.state == "half-open"


def test_the_next_endpoint_answers_and_the_answer_says_so(endpoint, dead):
    fallback = Fallback([dead, endpoint], failures=1)
    answer = fallback.chat("Say hello.", max_tokens=4)
    assert answer.text and answer.by == f"llamacpp/{endpoint.model}"
    assert len(answer.tried) == 1 and answer.tried[0].startswith("dead/") and "EngineDied" in answer.tried[0]
    assert "CircuitOpen" in fallback.chat("Say hello.", max_tokens=4).tried[0], "it is not asked again at once"


def test_the_first_endpoint_that_answers_is_enough(endpoint, dead):
    answer = Fallback([endpoint, dead]).chat("Say hello.", max_tokens=4)
    assert answer.by.startswith("llamacpp/") and answer.tried == ()


def test_nobody_answers(dead):
    with pytest.raises(EngineDied, match="None of 2 endpoints") as caught:
        Fallback([dead, replace(dead, backend="dead too")]).chat("Say hello.")
    assert "dead/" in caught.value.why and "dead too/" in caught.value.why
    with pytest.raises(ConfigError):
        Fallback([])


def test_a_bad_request_is_not_carried_from_one_to_the_next(endpoint):
    with failing(endpoint, [400]) as (relayed, asked), pytest.raises(Refused):
        Fallback([relayed, endpoint]).chat("Say hello.", max_tokens=4)
    assert asked == [400]


# -- streams: an engine of one's own, which is killed -------------------------------------------------------------------------


@pytest.fixture
def doomed(endpoint):
    """Give an engine that nobody else uses."""
    with labkit.connect("llamacpp", model=endpoint.model, shared=False) as engine:
        yield engine


def test_a_stream_that_breaks_before_its_first_piece_is_answered_by_the_next(endpoint, doomed):
    for process in doomed.process.family():
        process.suspend()  # the request is taken, and nothing comes
    threading.Timer(1, doomed.process.kill).start()
    with Fallback([doomed, endpoint]).stream("Count to five.", max_tokens=8) as stream:
        pieces = list(stream)
    assert "".join(pieces) == stream.said == stream.reply.text == endpoint.chat("Count to five.", max_tokens=8).text
    assert stream.by == f"llamacpp/{endpoint.model}" and len(stream.tried) == 1 and "EngineDied" in stream.tried[0]


def test_a_stream_that_breaks_after_it_says_what_was_said_and_nobody_else_is_asked(endpoint, doomed):
    with failing(endpoint, []) as (relayed, asked):
        fallback, seen = Fallback([doomed, relayed], attempts=3, failures=1), []
        with pytest.raises(AnswerBroken) as caught, fallback.stream("Count to 500.", max_tokens=500) as stream:
            for piece in stream:
                seen.append(piece)
                if len(seen) == 3:
                    doomed.process.kill()
        assert asked == [], "half an answer is not begun anew by somebody else"
        assert len(seen) >= 3 and caught.value.said == stream.said == "".join(seen) and stream.reply is None
        assert isinstance(caught.value.__cause__, EngineDied) and not transient(caught.value)
        assert fallback.endpoints[0][1].state == "open", "it counts as a failure of that engine"
        assert copy.copy(caught.value).said == caught.value.said
        assert fallback.chat("Say hello.", max_tokens=4).tried, "the next request goes to the other one"


def test_a_stream_is_retried_and_refused_as_a_chat_is(endpoint, dead):
    with failing(endpoint, [503]) as (relayed, asked):
        stream = Fallback([relayed, dead], attempts=2).stream("Say hello.", max_tokens=4)
        assert "".join(stream) == endpoint.chat("Say hello.", max_tokens=4).text and asked == [503, None]
    with failing(endpoint, [400]) as (relayed, asked), pytest.raises(Refused):
        list(Fallback([relayed, endpoint]).stream("Say hello.", max_tokens=4))
    with pytest.raises(EngineDied, match="None of 2 endpoints") as caught:
        list(Fallback([dead, replace(dead, backend="dead too")]).stream("Say hello."))
    assert "dead/" in caught.value.why and "dead too/" in caught.value.why


def test_who_stops_reading_blames_nobody(endpoint, dead):
    fallback = Fallback([endpoint, dead], failures=1)
    with fallback.stream("Count to 500.", max_tokens=500) as stream:
        first = next(stream)
    assert stream.said == first and list(stream) == [] and stream.reply is None
    assert [breaker.state for _, breaker in fallback.endpoints] == ["closed", "closed"]


# -- tools ----------------------------------------------------------------------------------------------------------------


def tool_that_fails(times, error, repeatable):
    calls = []

    def look_up(order_id: str) -> str:
        """Look an order up."""
        calls.append(order_id)
        if len(calls) <= times:
            raise error
        return "shipped"

    look_up.repeatable = repeatable
    return as_tool(look_up), calls


def test_a_repeatable_tool_is_called_again():
    tool, calls = tool_that_fails(2, ConnectionError("gone"), True)
    result = call_tool(Ledger(), tool, {"order_id": "A-1"}, pause=0.01)
    assert result.ok and result.text == "shipped" and len(calls) == 3


def test_a_tool_that_may_have_done_something_is_called_once():
    tool, calls = tool_that_fails(2, ConnectionError("gone"), False)
    result = call_tool(Ledger(), tool, {"order_id": "A-1"}, pause=0.01)
    assert not result.ok and "gone" in result.text and len(calls) == 1


def test_a_tool_s_own_mistake_is_not_repeated_and_attempts_end():
    tool, calls = tool_that_fails(9, KeyError("order"), True)
    assert not call_tool(Ledger(), tool, {"order_id": "A-1"}, pause=0.01).ok and len(calls) == 1
    tool, calls = tool_that_fails(9, TimeoutError("slow"), True)
    assert not call_tool(Ledger(), tool, {"order_id": "A-1"}, pause=0.01).ok and len(calls) == 3
    assert not call_tool(Ledger(), tool, {"wrong": 1}, pause=0.01).ok and len(calls) == 3
