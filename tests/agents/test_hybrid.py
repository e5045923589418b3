"""The router: what is private never leaves, doubt is measured, and every decision says why. The big model is a real socket."""

import http.server
import json
import math
import threading
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.agents.bigger import bigger, bigger_model
from labkit.agents.hybrid import Answer, Request, Router, by_margin, by_more_compute, by_votes, margin
from labkit.agents.routing_set import items, worked_examples
from labkit.backends import Endpoint, Reply
from labkit.backends.capabilities import Capabilities, Capability
from labkit.errors import EngineDied, EngineTimeout, LabkitError, Refused

LABELS = ("delivery", "payment", "product")


@pytest.fixture(scope="module")
def elsewhere():
    """A chat server on a real socket that keeps every body it was sent, and answers as `says` tells it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            message = {"role": "assistant", "content": server.says}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = json.dumps({"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]})
            self.send_response(server.status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.bodies, server.says, server.status = True, [], '{"choice": "product"}', 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1"
    server.endpoint = Endpoint(backend="elsewhere", base_url=url, model="m", api_key="k", timeout=20)
    yes = dict.fromkeys(("json_schema", "seed"), Capability(True, "")) | {"logprobs": Capability(False, "none came")}
    server.endpoint.__dict__["capabilities"] = Capabilities("elsewhere", "1", "m", "2026-11-22", yes)
    yield server
    server.endpoint.close()
    server.shutdown()
    server.server_close()


class SmallSays:
    """A small model with any behaviour: an Answer to give, or an error to raise."""

    def __init__(self, behaviour):
        self.behaviour = behaviour

    def __call__(self, request):
        if isinstance(self.behaviour, Exception):
            raise self.behaviour
        return self.behaviour


behaviours = st.one_of(
    st.builds(Answer, st.sampled_from([*LABELS, None, "nonsense"]), st.floats(allow_nan=True)),
    st.sampled_from(
        [EngineDied("gone", "why", "fix"), EngineTimeout("slow", "why", "fix"), Refused("no", "why", "fix")]
    ),
)


@settings(max_examples=1000)
@given(
    st.text(st.characters(codec="utf-8"), max_size=200),
    behaviours,
    st.one_of(st.floats(), st.sampled_from([math.inf, -math.inf])),
    st.booleans(),
    st.sampled_from(['{"choice": "product"}', "nonsense", '{"choice": "else"}']),
    st.sampled_from([200, 200, 500]),
)
def test_nothing_private_ever_leaves(elsewhere, text, behaviour, threshold, private, says, status):
    elsewhere.bodies.clear()
    elsewhere.says, elsewhere.status = says, status
    decision = Router(SmallSays(behaviour), by_votes(elsewhere.endpoint, votes=1), threshold)(
        Request(text, LABELS, private=private)
    )
    assert not (private and elsewhere.bodies)
    assert not (private and (decision.big or decision.by == "big"))
    assert decision.by in ("small", "big", "nobody") and decision.reason
    unsure = not isinstance(behaviour, Answer) or behaviour.value is None or not behaviour.confidence >= threshold
    assert bool(elsewhere.bodies) == (unsure and not private), "what may leave and is in doubt does leave"


def test_without_probabilities_there_is_an_answer_and_no_confidence(elsewhere):
    elsewhere.says, elsewhere.status = '{"choice": "product"}', 200
    assert by_margin(elsewhere.endpoint)(Request("x", LABELS)).confidence == 0.0
    assert "logprobs" not in elsewhere.bodies[-1]


def test_a_rule_that_is_not_sure_forbids(elsewhere):
    elsewhere.bodies.clear()
    for verdict in (False, None, 0, "perhaps"):
        router = Router(
            SmallSays(Answer(None, 0)), by_votes(elsewhere.endpoint, 1), 1.0, may_leave=lambda _, v=verdict: v
        )
        assert router(Request("x", LABELS)).by == "nobody"
    assert not elsewhere.bodies


def test_the_door_itself_refuses(elsewhere):
    elsewhere.bodies.clear()
    router = Router(SmallSays(Answer(None, 0)), by_votes(elsewhere.endpoint, 1), 1.0)
    with pytest.raises(Refused):
        router._ask_big(Request("x", LABELS, private=True))
    assert not elsewhere.bodies


def test_who_answers_and_why():
    def decide(small, big, threshold=1.0, private=False):
        return Router(SmallSays(small), SmallSays(big), threshold)(Request("text", LABELS, private=private))

    yes, no, none = Answer("delivery", 2.0, 1.0), Answer("payment", 0.5, 1.0), Answer(None, -math.inf, 1.0)
    assert decide(yes, none).by == "small"
    assert decide(Answer("delivery", 1.0), none).by == "small", "exactly the threshold is enough"
    escalated = decide(no, yes)
    assert (escalated.by, escalated.value, escalated.seconds) == ("big", "delivery", 2.0)
    assert "0.50 is below 1.00" in escalated.trace and "text" not in escalated.trace
    assert decide(none, yes).by == "big" and decide(none, none).by == "nobody"
    assert decide(no, none).value == "payment" and decide(no, none).big is none
    assert decide(no, EngineDied("It is gone.", "", "")).value == "payment"
    assert decide(EngineDied("It is gone.", "", ""), yes).by == "big"
    assert decide(no, yes, private=True).by == "small" and decide(none, yes, private=True).by == "nobody"
    with pytest.raises(ZeroDivisionError):
        decide(ZeroDivisionError(), yes)


# ---- confidence --------------------------------------------------------------------------------------------------------------


def _reply(*tokens) -> Reply:
    """A reply of tokens (text, log-probability, {alternative: log-probability})."""
    content = [
        SimpleNamespace(
            token=text,
            logprob=lp,
            top_logprobs=[SimpleNamespace(token=t, logprob=p) for t, p in {text: lp, **others}.items()],
        )
        for text, lp, others in tokens
    ]
    raw = SimpleNamespace(choices=[SimpleNamespace(logprobs=SimpleNamespace(content=content))])
    return Reply("".join(text for text, *_ in tokens), 1, 1, 0.1, None, "stop", raw)


OPEN, CLOSE = ('{"choice": "', -0.1, {"deli": -9.0}), ('"}', -0.1, {})


def test_the_margin_is_read_where_the_labels_part():
    assert (
        margin(_reply(OPEN, ("delivery", -1.0, {"The": -0.5, "payment": -3.0, "product": -4.0}), CLOSE), LABELS) == 2.0
    )
    shared = _reply(OPEN, ("p", -0.2, {"d": -1.2}), ("ayment", -0.1, {"roduct": -0.4}), CLOSE)
    assert margin(shared, LABELS) == pytest.approx(0.3), "the nearest of two places"
    with_quote = _reply(('{"choice":', -0.1, {}), (' "pay', -0.5, {' "deli': -0.75}), ("ment", 0.0, {}), CLOSE)
    assert margin(with_quote, LABELS) == pytest.approx(0.25)
    longer = _reply(OPEN, ("on", -0.1, {}), ('"}', -0.5, {"ce": -0.75}))
    assert margin(longer, ("on", "once")) == pytest.approx(0.25), "one label that begins another"


def test_a_margin_that_cannot_be_read_is_nothing():
    assert margin(_reply(OPEN, ("maybe", -0.1, {}), CLOSE), LABELS) == 0.0
    assert margin(Reply('{"choice": "payment"}', 1, 1, 0.1, None, "stop"), LABELS) == 0.0
    assert margin(_reply(OPEN, ("payment", -2.0, {"The": -0.5}), CLOSE), LABELS) == 0.0, (
        "the last alternative stands for the rest"
    )


@given(st.lists(st.floats(-20, 0), min_size=3, max_size=3))
def test_a_margin_is_the_distance_of_the_two_best(logprobs):
    table = dict(zip(LABELS, logprobs, strict=True))
    first, second, _ = sorted(table.values(), reverse=True)
    chosen = max(table, key=table.get)
    assert margin(_reply(OPEN, (chosen, table[chosen], table), CLOSE), LABELS) == pytest.approx(first - second)


def test_a_real_model_has_margins_and_votes(endpoint):
    asked = [one.request for one in items("development")[:4]]
    answers = [by_margin(endpoint)(one) for one in asked]
    assert all(one.value in request.options and one.confidence > 0 for one, request in zip(answers, asked, strict=True))
    assert len({round(one.confidence, 3) for one in answers}) > 1
    voted = by_votes(endpoint, votes=3)(asked[0])
    assert voted.value in asked[0].options and voted.confidence in (1 / 3, 2 / 3, 1.0)
    assert voted.completion_tokens > answers[0].completion_tokens


def test_more_compute_on_a_real_model(endpoint):
    request = items("development")[0].request
    answer = by_more_compute(endpoint, worked_examples, votes=3)(request)
    assert answer.value in request.options and answer.prompt_tokens > 3 * 20


def test_the_bigger_one_is_named_for_what_it_is(endpoint):
    found, big = bigger_model(endpoint.model), bigger(endpoint, worked_examples)
    try:
        assert ("more compute" in big.label) == (found is None)
        assert endpoint.model in big.label or found.alias in big.label
    finally:
        big.close()


# ---- the set -----------------------------------------------------------------------------------------------------------------


def test_the_set_is_large_closed_and_kept_apart():
    development, kept = items("development"), items("kept")
    assert len(development) + len(kept) >= 120 and abs(len(development) - len(kept)) <= 2
    assert not {one.request.text.lower() for one in development} & {one.request.text.lower() for one in kept}
    for one in development + kept:
        assert one.right in one.request.options and {label for _, label in one.request.examples} == set(
            one.request.options
        )
        shown = {text for text, _ in (*one.request.examples, *worked_examples(one.request))}
        assert one in development or one.request.text not in shown, "what is counted was never shown"
    assert 3 <= sum(one.request.private for one in kept) < len(kept) / 2
    with pytest.raises(LabkitError, match="no part"):
        items("all")
