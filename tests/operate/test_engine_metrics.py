"""Engines' own figures under one set of names, read from real engines; an outage is never a zero."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import labkit
from labkit.backends import available
from labkit.backends.base import Endpoint
from labkit.backends.bridge.line import Counts
from labkit.operate import engine_metrics
from labkit.operate.engine_metrics import Reading, parsed, rates, read, table
from labkit.operate.machine_metrics import MachineMetrics
from labkit.operate.monitor import Monitor


def test_llamacpp_says_what_it_has_loaded_and_counts_our_tokens(endpoint):
    before = read(endpoint)
    reply = endpoint.chat("Count to five.", max_tokens=8)
    now = read(endpoint)
    assert now.up and now.models == (endpoint.model,) and not now.why
    assert set(now.values) == set(table()["engine"])
    assert now.values["output_tokens_total"] - before.values["output_tokens_total"] == reply.completion_tokens
    assert now.values["requests_waiting"] == now.values["requests_running"] == 0
    assert now.values["kv_cache_percent"] is None, "llama.cpp does not say: unknown, not empty"
    assert rates(before, now)["output_tokens_per_second"] > 0


def test_requests_in_the_line_are_seen_while_they_wait_also_a_flood_of_them(require):
    here = available()["llamacpp"]
    require("llamacpp", here, here.fix)
    with labkit.connect("llamacpp", "smollm2-135m", parallel=1, context=512) as one_at_a_time:
        ask = """
import json, os, threading
from labkit.backends.base import Endpoint
from labkit.backends.bridge.line import Counts
e = Endpoint(**json.loads(os.environ["E"]))
ts = [threading.Thread(target=e.chat, args=("Write a long story.",), kwargs=dict(max_tokens=300)) for _ in range(100)]
[t.start() for t in ts]
[t.join() for t in ts]
"""
        names = ("backend", "base_url", "model", "api_key")
        env = os.environ | {"E": json.dumps({name: getattr(one_at_a_time, name) for name in names})}
        crowd = subprocess.Popen([sys.executable, "-c", ask], env=env)
        try:
            seen, deadline = Reading(0, False, None), time.monotonic() + 60
            while (seen.values.get("requests_waiting") or 0) < 90 and time.monotonic() < deadline:
                seen = read(one_at_a_time)
                time.sleep(0.05)
            in_the_flood = [read(one_at_a_time).up for _ in range(5)]
        finally:
            crowd.kill()
            crowd.wait()
    assert seen.values["requests_running"] == 1 and 90 <= seen.values["requests_waiting"] <= 99
    assert all(in_the_flood), "who waits for an answer keeps nobody from the figures"


def test_ollama_names_what_is_loaded_and_its_queue_stays_unknown(require):
    here = available()["ollama"]
    require("ollama", here, here.fix)
    from labkit.backends import ollama

    with labkit.connect("ollama", "smollm2-135m") as engine:
        engine.chat("hello", max_tokens=4)
        loaded = read(engine)
        ollama.unload(engine, engine.model)
        deadline = time.monotonic() + 20
        while (empty := read(engine)).models and time.monotonic() < deadline:
            time.sleep(0.1)
        with Monitor(engine) as watching:
            assert watching.sample().values["up"] == 0 and watching.health().status == "unhealthy"
    assert loaded.up and loaded.models and loaded.values["model_memory_gb"] > 0.05
    assert loaded.values["requests_waiting"] is None and loaded.values["requests_running"] is None
    assert empty.up and empty.models == (), "its disk is full of models, and none is loaded"


def test_labkits_own_servers_use_the_same_names():
    counts = Counts(requests_processing=2, requests_deferred=3, requests_total=9, tokens_predicted_total=40)
    found = parsed(counts.prometheus())
    assert found["requests_running"] == 2 and found["requests_waiting"] == 3 and found["requests_total"] == 9
    assert found["output_tokens_total"] == 40 and found["prompt_tokens_total"] == 0


VLLM = """
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_running{engine="1",model_name="m"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 7.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.5
# TYPE vllm:generation_tokens counter
vllm:generation_tokens_total{engine="0",model_name="m"} 100.0
# TYPE vllm:request_success counter
vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 4.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 5.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} 9.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="m"} 9.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="m"} 1.8
"""


def test_series_of_several_engines_become_one_figure():
    found = parsed(VLLM)
    assert found["requests_running"] == 5 and found["requests_waiting"] == 7 and found["requests_total"] == 9
    assert found["kv_cache_percent"] == 50, "the fullest, not the sum"
    before = Reading(0.0, True, ("m",), dict.fromkeys(found, 0.0))
    now = Reading(2.0, True, ("m",), found)
    assert rates(before, now)["requests_per_second"] == 4.5
    assert rates(before, now)["first_token_ms"] == pytest.approx(200)


def test_the_names_of_vllm_are_those_of_the_vllm_that_is_here(require):
    python = os.environ.get("LABKIT_VLLM", "")
    logger = (
        next(Path(python).parents[1].glob("lib/python*/site-packages/vllm/v1/metrics/loggers.py"), None)
        if python
        else None
    )
    require("vllm", logger, "labkit doctor")
    text = logger.read_text(encoding="utf-8")
    for row in table()["engine"].values():
        for source in row["sources"]:
            if source.startswith("vllm:"):
                stem = source.removesuffix("_total").removesuffix("_sum").removesuffix("_count")
                assert f'"{stem}"' in text, source


def test_a_counter_that_went_back_gives_no_rate():
    old = Reading(0.0, True, ("m",), {"output_tokens_total": 900.0})
    new = Reading(1.0, True, ("m",), {"output_tokens_total": 3.0})
    assert rates(old, new)["output_tokens_per_second"] is None
    assert set(rates(None, new).values()) == {None}


@pytest.mark.parametrize("kill", [False, True])
def test_an_outage_is_unknown_and_not_idle(kill):
    if kill:
        with labkit.connect("llamacpp", "smollm2-135m", context=256) as engine:
            look = MachineMetrics(engine)
            assert look.read()["process_memory_gb"] > 0.05
            engine.process.kill()
            engine.process.wait(10)
            found, machine = read(engine), look.read()
        assert machine["process_memory_gb"] is None and machine["memory_usage_percent"] > 0
    else:
        found = read(Endpoint(backend="x", base_url="http://127.0.0.1:9/v1", model="m", api_key="k"))
    assert not found.up and found.models is None and set(found.values.values()) == {None} and found.why


def test_a_wrong_key_is_an_outage_that_says_so(endpoint):
    stranger = Endpoint(backend="llamacpp", base_url=endpoint.base_url, model=endpoint.model, api_key="not-it")
    found = read(stranger)
    assert not found.up and "401" in found.why


def test_a_server_that_is_not_an_engine_is_an_outage():
    from labkit.backends.asgi import LoopbackServer

    async def page(scope, receive, send):
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"<html>It works!</html>"})

    with LoopbackServer(page) as server:
        found = read(Endpoint(backend="x", base_url=f"{server.address}/v1", model="m", api_key="k"))
    assert not found.up and found.models is None


def test_processes_are_found_by_port_when_labkit_did_not_start_them(endpoint):
    stranger = Endpoint(backend="external", base_url=endpoint.base_url, model=endpoint.model, api_key=endpoint.api_key)
    ours, theirs = MachineMetrics(endpoint), MachineMetrics(stranger)
    assert theirs.read()["process_count"] == ours.read()["process_count"] == 1
    assert theirs.read()["process_memory_gb"] == pytest.approx(ours.read()["process_memory_gb"], rel=0.05)


def test_without_a_gpu_its_names_are_missing_and_not_zero(endpoint):
    look = MachineMetrics(endpoint)
    found = look.read()
    look.close()
    look.close()
    assert set(found) <= set(table()["machine"])
    gpu = {"gpu_utilization_percent", "gpu_memory_gb"}
    assert not gpu & set(found) or all(found[name] is not None for name in gpu)


def test_every_name_is_said_once_with_unit_and_meaning():
    rows = [(name, row) for section in table().values() for name, row in section.items()]
    assert len({name for name, _ in rows}) == len(rows)
    assert all(row["unit"] and row["meaning"] for _, row in rows)
    assert {"engine", "machine", "calls", "guards", "rates", "state"} == set(engine_metrics.table())
