"""Who decides: the tool layer, or an engine with tools of its own. That engine is a real server that says what the test wants."""

import http.server
import json
import threading

import pytest

from labkit.agents.memory import Memory
from labkit.agents.policies import answer_from, by_engine, by_layer, policy_for
from labkit.agents.tool_agent import ToolAgent
from labkit.agents.trace import Budget, Outcome
from labkit.agents.watch import Stopped, Watch
from labkit.backends.base import Endpoint
from labkit.backends.capabilities import Capabilities, Capability
from labkit.errors import UnknownTool
from labkit.tools import Usage


class Engine(http.server.BaseHTTPRequestHandler):
    """Writes what `server.says(request)` gives as message; streamed in one piece if asked for."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(request)
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **self.server.says(request)}}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        head = {"id": "1", "created": 0, "model": "m", "object": "chat.completion"}
        body = json.dumps({**head, "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def engine():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = Endpoint("native", f"http://127.0.0.1:{server.server_port}/v1", "m", "key", context=1000)
    results = {name: Capability(True, "set by the test") for name in ("tools", "tool_choice")}
    endpoint.__dict__["capabilities"] = Capabilities("native", "1", "m", "2026-01-01", results)
    endpoint.server = server
    yield endpoint
    endpoint.close()
    server.shutdown()
    server.server_close()


def wants(name, arguments):
    function = {"name": name, "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def agent(engine, *tools, **settings):
    return ToolAgent(engine, tools, memory=Memory(lambda messages, room: True, 1000), **settings)


def shipped(order_id: str) -> str:
    """Look up where a customer's order is."""
    return f"{order_id} is shipped"


def test_the_engine_decides_where_it_can(engine, endpoint):
    assert policy_for(engine) is by_engine and policy_for(endpoint) is by_layer


def test_calls_of_the_engine_are_made_and_it_goes_on_with_their_results(engine):
    last = {"content": "It is on its way."}
    engine.server.says = lambda request: (
        last if request["messages"][-1]["role"] == "tool" else wants("shipped", '"{\\"order_id\\": \\"B-1\\"}"')
    )
    turn = agent(engine, shipped).run("Where is it?")
    assert (turn.outcome, turn.text, turn.tokens) == (Outcome.ANSWERED, "It is on its way.", 30)
    assert [(step.kind, step.by) for step in turn.steps] == [("decide", "model"), ("call", "tool"), ("decide", "model")]
    assert turn.steps[1].result == "B-1 is shipped"
    call, result = engine.server.asked[1]["messages"][-2:]
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] and result["content"] == "B-1 is shipped"


def test_an_engine_that_calls_for_ever_ends_at_the_budget(engine):
    engine.server.says = lambda request: wants("shipped", json.dumps({"order_id": f"B-{len(engine.server.asked)}"}))
    turn = agent(engine, shipped, budget=Budget(steps=20)).run("Where is it?")
    assert turn.outcome is Outcome.OUT_OF_STEPS and len(turn.steps) == 20
    assert len({step.what for step in turn.steps if step.kind == "call"}) == 10


@pytest.mark.parametrize("arguments", ["{}", '{"order_id": 5}', '{"order_id": "x", "more": 1}'])
def test_a_call_that_does_not_fit_is_not_made_and_the_engine_is_told(engine, arguments):
    made = []

    def cancel(order_id: str) -> str:
        """Cancel an order."""
        made.append(order_id)
        return "done"

    engine.server.says = lambda request: (
        wants("cancel", arguments) if len(engine.server.asked) < 2 else {"content": "No."}
    )
    turn = agent(engine, cancel).run("Cancel it.")
    assert not made and not turn.steps[1].ok and turn.text == "No."
    assert "cancel was not called" in engine.server.asked[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("name", "arguments"), [("rm", "{}"), ("shipped", "[1]"), ("shipped", '{"order_id')])
def test_what_is_no_call_at_all_ends_the_turn_with_a_typed_error(engine, name, arguments):
    engine.server.says = lambda request: wants(name, arguments)
    turn = agent(engine, shipped).run("Where is it?")
    assert turn.outcome is Outcome.REFUSED and turn.error and [step.kind for step in turn.steps] == ["decide"]
    assert isinstance(turn.error, UnknownTool) == (name == "rm")


def test_an_answer_that_nobody_waits_for_is_not_written_to_its_end(endpoint):
    memory, watch, usage = Memory(lambda messages, room: True, 1000), Watch(60), Usage()
    memory.add({"role": "user", "content": "Write a long story about a fox and a crow."})
    watch.cancel()
    with pytest.raises(Stopped) as stopped:
        answer_from(endpoint, memory, 100, watch, usage)
    assert stopped.value.outcome is Outcome.CANCELLED and usage.completion_tokens == 0
