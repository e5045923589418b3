"""What a call costs, measured on a real engine: figures, spans, failures, and labels that cannot explode."""

import json
import os
import subprocess
import sys
import threading

import pytest

from labkit.backends.base import Endpoint
from labkit.errors import ConfigError, EngineDied
from labkit.operate import semconv
from labkit.operate.bounded_labels import OTHER, Labels
from labkit.operate.telemetry import Telemetry


@pytest.fixture
def telemetry():
    made = Telemetry()
    yield made
    made.close()


def points(telemetry, name) -> list:
    data = telemetry.reader.get_metrics_data()
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
    return [point for metric in found for point in metric.data.data_points]


def test_a_plain_call_is_counted_once_with_the_engines_tokens(telemetry, endpoint):
    reply = telemetry.watch(endpoint).chat("What is the capital of France?", max_tokens=8)
    (duration,) = points(telemetry, semconv.OPERATION_DURATION)
    assert duration.count == 1 and duration.sum >= reply.seconds
    assert duration.attributes == {
        semconv.OPERATION: "chat",
        semconv.PROVIDER: endpoint.backend,
        semconv.REQUEST_MODEL: endpoint.model,
    }
    tokens = {p.attributes[semconv.TOKEN_TYPE]: p.sum for p in points(telemetry, semconv.TOKEN_USAGE)}
    assert tokens == {"input": reply.prompt_tokens, "output": reply.completion_tokens}
    assert [p.value for p in points(telemetry, semconv.IN_FLIGHT)] == [0]


def test_a_stream_adds_the_first_chunk_and_each_after_it(telemetry, endpoint):
    stream = telemetry.watch(endpoint).stream("Count to five.", max_tokens=8)
    pieces = list(stream)
    assert "".join(pieces) == stream.reply.text
    (first,) = points(telemetry, semconv.TIME_TO_FIRST_CHUNK)
    (chunks,) = points(telemetry, semconv.TIME_PER_OUTPUT_CHUNK)
    (each,) = points(telemetry, semconv.TIME_PER_OUTPUT_TOKEN)
    assert (first.count, chunks.count, each.count) == (1, len(pieces) - 1, 1)
    assert first.sum + chunks.sum <= points(telemetry, semconv.OPERATION_DURATION)[0].sum


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_closed_early_ends_as_cancelled_and_is_no_failure(telemetry, endpoint, read):
    stream = telemetry.watch(endpoint).stream("Count to a hundred.", max_tokens=64)
    for _ in range(read):
        next(stream)
    assert [p.value for p in points(telemetry, semconv.IN_FLIGHT)] == [1]
    stream.close()
    stream.close()
    assert dict(telemetry.calls.total) == {"cancelled": 1}
    assert [p.value for p in points(telemetry, semconv.IN_FLIGHT)] == [0]
    assert telemetry.calls.window(60)["error_rate_percent"] is None


def test_a_failed_call_is_counted_by_its_type_and_raised(telemetry):
    gone = Endpoint(backend="llamacpp", base_url="http://127.0.0.1:9/v1", model="m", api_key="k")
    for ask in (telemetry.watch(gone).chat, telemetry.watch(gone).stream):
        with pytest.raises(EngineDied):
            ask("hello")
    (failed,) = points(telemetry, semconv.OPERATION_DURATION)
    assert failed.count == 2 and failed.attributes[semconv.ERROR_TYPE] == "EngineDied"
    assert telemetry.calls.window(60)["error_rate_percent"] == 100.0
    assert telemetry.calls.window(60)["response_time_ms"] is None, "no answer has no time, and not zero either"
    assert [run.steps[0].error for run in telemetry.spans.runs()] == ["EngineDied"] * 2


@pytest.mark.parametrize("content", [False, True])
def test_words_are_kept_only_when_asked_for(endpoint, content):
    telemetry = Telemetry(content=content)
    reply = telemetry.watch(endpoint).chat("The password is swordfish.", max_tokens=4)
    (run,) = telemetry.spans.runs()
    kept = str(run.steps[0].attributes)
    assert ("swordfish" in kept) is content and (f"'{semconv.OUTPUT_MESSAGES}'" in kept) is content
    assert run.tokens == (reply.prompt_tokens, reply.completion_tokens)
    assert "swordfish" not in telemetry.reader.get_metrics_data().to_json()
    telemetry.close()


def test_labels_collapse_instead_of_exploding(telemetry, endpoint):
    labels = Labels(limit=5)
    seen = {labels.bounded({semconv.REQUEST_MODEL: f"m{i}"})[semconv.REQUEST_MODEL] for i in range(10_000)}
    assert len(seen) == 6 and OTHER in seen and labels.collapsed == 9_995
    assert labels.bounded({semconv.REQUEST_MODEL: "m3"}) == {semconv.REQUEST_MODEL: "m3"}
    assert Labels().bounded({semconv.AGENT_NAME: "x" * 5000}) == {semconv.AGENT_NAME: OTHER}


def test_labels_stay_bounded_when_many_threads_bring_new_ones():
    labels, seen = Labels(limit=7), set()

    def flood(start):
        seen.update(labels.bounded({semconv.TOOL_NAME: f"{start}-{i}"})[semconv.TOOL_NAME] for i in range(2000))

    threads = [threading.Thread(target=flood, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen - {OTHER}) == 7


@pytest.mark.parametrize("name", ["user.id", semconv.INPUT_MESSAGES, "gen_ai.response.id"])
def test_a_label_without_an_end_is_refused(name):
    with pytest.raises(ConfigError, match="may not label a metric"):
        Labels().bounded({name: "x"})


AGENT = """
import asyncio, json, os
from agent_framework import Agent, tool
from labkit.backends.base import Endpoint
from labkit.operate.telemetry import Telemetry

endpoint = Endpoint(backend="llamacpp", **json.loads(os.environ["WATCHED"]))
telemetry = Telemetry().install()

@tool
def opening_hours(day: str) -> str:
    "When the shop is open."
    return "nine to five, secretly"

async def main():
    agent = Agent(client=endpoint.chat_client(), name="clerk", tools=[opening_hours])
    await agent.run("When are you open on Monday?", options={"tool_choice": "required", "max_tokens": 32})

asyncio.run(main())
(run,) = telemetry.spans.runs()
data = telemetry.reader.get_metrics_data()
print(json.dumps({
    "steps": [(s.depth, s.operation, s.tool, s.input_tokens) for s in run.steps],
    "scopes": sorted({s.scope.name for r in data.resource_metrics for s in r.scope_metrics}),
    "metrics": sorted({m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}),
    "secret": "secretly" in str([s.attributes for s in run.steps]),
}))
"""


def test_agent_framework_reports_to_the_same_place_and_only_once(endpoint):
    where = json.dumps({"base_url": endpoint.base_url, "model": endpoint.model, "api_key": endpoint.api_key})
    env = {"WATCHED": where}
    done = subprocess.run(
        [sys.executable, "-c", AGENT], env=os.environ | env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    operations = [(depth, operation) for depth, operation, *_ in found["steps"]]
    assert operations[0] == (0, "invoke_agent") and (1, "chat") in operations and (1, "execute_tool") in operations
    assert "opening_hours" in {tool for _, _, tool, _ in found["steps"]}
    assert found["scopes"] == ["agent_framework"], "its calls are its own to count"
    assert {semconv.OPERATION_DURATION, semconv.TOKEN_USAGE} <= set(found["metrics"])
    assert not found["secret"]
