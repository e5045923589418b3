"""The monitor on real engines: health, history, the hour's summary, and advice that knows an outage from an idle hour."""

import dataclasses
import threading
import time

import pytest

import labkit
from labkit.errors import ConfigError
from labkit.operate.health import Health, judge, report, together
from labkit.operate.history import History
from labkit.operate.monitor import Monitor, Sample
from labkit.operate.rules import Rule
from labkit.operate.scaling import advice


@pytest.fixture
def monitor(endpoint):
    with Monitor(endpoint) as made:
        yield made


def test_a_sample_has_calls_engine_and_machine_under_one_roof(monitor):
    monitor.sample()
    reply = monitor.endpoint.chat("Count to five.", max_tokens=8)
    values = monitor.sample().values
    assert values["up"] == values["models_loaded"] == values["calls"] == 1
    assert values["response_time_ms"] >= 1000 * reply.seconds and values["error_rate_percent"] == 0
    assert values["output_tokens_per_second"] > 0 and values["process_memory_gb"] > 0.05
    assert monitor.health().status == "healthy" and monitor.health().percent == 100


def test_health_is_unknown_before_the_first_look(monitor):
    assert monitor.health().status == "unknown"


def test_an_engine_that_dies_is_unhealthy_and_its_figures_are_unknown():
    with labkit.connect("llamacpp", "smollm2-135m", context=256) as engine, Monitor(engine) as watching:
        assert watching.sample().values["up"] == 1
        engine.process.kill()
        engine.process.wait(10)
        found = watching.sample()
        assert found.values["up"] == 0 and found.values["requests_waiting"] is None
        assert watching.health().status == "unhealthy" and "onnection" in watching.health().why
        assert watching.report()["availability_percent"] == 50


def test_no_models_can_not_be_healthy():
    empty = Sample(0.0, 0.0, {"up": 0.0}, models=())
    assert judge(empty).status == "unhealthy" and judge(empty).percent == 0 and "no model" in judge(empty).why
    assert judge(empty, expected=("m",)).status == "unhealthy"
    assert judge(Sample(0.0, 0.0, {}, models=None)).status == "unhealthy"


def test_several_engines_are_healthy_only_together():
    well, ill, down = Health("healthy", 100.0), Health("degraded", 100.0, "slow"), Health("unhealthy", 0.0, "gone")
    assert together({"a": well, "b": well}).status == "healthy"
    assert together({"a": well, "b": down}) == Health("degraded", 50.0, "b is unhealthy")
    assert together({"a": ill, "b": down}).status == "degraded" and together({"a": ill}).percent == 0
    assert together({"a": down, "b": Health("unknown", 0.0)}).status == together({}).status == "unhealthy"


def test_a_sample_of_a_while_ago_says_nothing_about_now(monitor):
    monitor.sample()
    assert monitor.health().status == "healthy" and monitor.current()
    monitor.samples += (dataclasses.replace(monitor.samples[-1], at=time.monotonic() - 31),)
    assert monitor.health().status == "unknown" and monitor.current() is None


def test_an_alert_can_set_something_in_motion():
    always = Rule(name="up", metric="up", above=0, clear=0, severity="warning", says="")
    with labkit.connect("llamacpp", "smollm2-135m") as engine, Monitor(engine, rules={"up": always}) as watching:
        done = []
        watching.on("up", done.append)
        watching.sample()
        watching.sample()
        with pytest.raises(ConfigError, match="No alert is called"):
            watching.on("upp", done.append)
    assert [event.alert for event in done] == ["up"]


def test_a_rule_of_ones_own_is_silent_where_its_figure_cannot_be_had(endpoint):
    gone = Rule(
        name="kv", metric="kv_cache_percent", above=90, clear=80, severity="warning", says="", absent_seconds=0.01
    )
    with Monitor(endpoint, rules={"kv": gone}) as watching:
        for _ in range(3):
            watching.sample()
            time.sleep(0.02)
        assert watching.alerts.unwatched == ["kv"] and not watching.alerts.firing


def test_health_counts_the_models_that_are_expected():
    two = Sample(0.0, 0.0, {"up": 1.0}, models=("a", "b"))
    assert judge(two, expected=("a", "b")).status == "healthy"
    half = judge(two, expected=("a", "b", "c", "d"))
    assert (half.status, half.percent, half.why) == ("degraded", 50.0, "not loaded: c, d")
    assert judge(two, expected=("x",)).status == "unhealthy"


def test_the_monitor_goes_on_by_itself_and_stops(endpoint):
    watching = Monitor(endpoint)
    watching.start(every=0.05).start(every=0.05)
    deadline = time.monotonic() + 30
    while len(watching.samples) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    watching.stop()
    seen, count = watching.samples, len(watching.samples)
    assert count >= 4 and watching.sample() and len(seen) == count, "what was read stays as it was"
    count += 1
    time.sleep(0.2)
    assert len(watching.samples) == count and "labkit monitor" not in {t.name for t in threading.enumerate()}
    watching.close()
    watching.close()
    assert endpoint.chat("still there?", max_tokens=2).text is not None, "the endpoint is the caller's"


def test_a_probe_asks_one_token_now_and_then(endpoint):
    with Monitor(endpoint, probe_every=3600) as watching:
        deadline = time.monotonic() + 30
        while not watching.sample().values["calls"] and time.monotonic() < deadline:
            time.sleep(0.05)
        watching.sample()
        assert dict(watching.telemetry.calls.total) == {"answered": 1}
        assert watching.samples[-1].values["response_time_ms"] > 0


# -- history --------------------------------------------------------------------------------------------------------------


def made(at: float, **values) -> Sample:
    return Sample(at, 1e9 + at, {"up": 1.0, **values}, ("m",))


def test_the_history_outlives_the_process_and_never_grows_beyond_its_bound(tmp_path):
    history = History(tmp_path / "h.sqlite", most=100)
    for at in range(400):
        history.add(made(at, calls=float(at), response_time_ms=None))
    history.close()
    again = History(tmp_path / "h.sqlite", most=100)
    rows = again.read(1000)
    assert 100 <= len(rows) <= 150 and rows[-1]["values"] == {"up": 1.0, "calls": 399.0, "response_time_ms": None}
    assert [row["time"] for row in rows] == sorted(row["time"] for row in rows) and again.lost == 0
    assert [row["values"]["calls"] for row in again.read(2)] == [398.0, 399.0]
    again.close()


def test_a_full_disk_stops_nobody_and_is_counted(tmp_path):
    history = History(tmp_path / "h.sqlite")
    pages = history._file.execute("PRAGMA page_count").fetchone()[0]
    history._file.execute(f"PRAGMA max_page_count = {pages + 2}")  # SQLite's own "database or disk is full"
    for at in range(200):
        history.add(made(at, calls=1.0))
    assert history.lost > 50 and len(history.read()) == 200 - history.lost
    history.close()


def test_a_clock_that_jumps_back_loses_nothing(tmp_path):
    history = History(tmp_path / "h.sqlite", most=10)
    for at in (100.0, 101.0, 5.0, 6.0):
        history.add(made(at))
    assert [row["time"] - 1e9 for row in history.read()] == [100.0, 101.0, 5.0, 6.0]
    history.close()


def test_a_file_that_is_no_history_is_refused(tmp_path):
    (tmp_path / "h.sqlite").write_text("no database, and longer than a header of a hundred bytes would be" * 9)
    with pytest.raises(ConfigError):
        History(tmp_path / "h.sqlite")


# -- the hour's summary ---------------------------------------------------------------------------------------------------


def test_an_outage_lowers_availability_and_adds_no_zeros():
    up = [made(at, response_time_ms=100.0, requests_waiting=2.0) for at in range(75)]
    down = [Sample(at, at, {"up": 0.0, "response_time_ms": None, "requests_waiting": None}) for at in range(75, 100)]
    found = report(up + down)
    assert found["availability_percent"] == 75 and found["response_time_ms_mean"] == 100
    assert found["response_time_ms_least"] == 100 and found["requests_waiting_most"] == 2
    assert found["gpu_utilization_percent_mean"] is None
    assert report(up + down, seconds=20)["availability_percent"] == 0
    assert set(report([]).values()) == {0.0, None}


# -- advice ---------------------------------------------------------------------------------------------------------------


def load(seconds=120, **values):
    usual = {"requests_running": 2.0, "requests_waiting": 0.0, "requests_per_second": 2.0, "request_ms": 1000.0}
    return [made(float(at), **{**usual, **values}) for at in range(seconds)]


@pytest.mark.parametrize(
    ("values", "action"),
    [
        ({}, "stay"),
        ({"requests_waiting": 6.0, "requests_per_second": 8.0}, "scale_out"),
        ({"gpu_utilization_percent": 97.0}, "scale_out"),
        ({"gpu_utilization_percent": 95.0}, "stay"),
        ({"request_ms": 4000.0, "requests_per_second": 0.5}, "scale_up"),
        ({"requests_running": 0.0, "requests_per_second": 0.02, "request_ms": 500.0}, "scale_down"),
        ({"requests_running": 0.0, "requests_per_second": 0.02, "gpu_utilization_percent": 40.0}, "stay"),
        ({"requests_running": 0.0, "requests_per_second": None, "request_ms": None}, "stay"),
        ({"requests_running": None, "requests_waiting": None}, "unknown"),
        ({"requests_per_second": 20.0}, "unknown"),  # L = 2, λW = 20: somebody counts wrong
    ],
    ids=str,
)
def test_advice_stands_on_the_line_itself(values, action):
    found = advice(load(**values))
    assert found.action == action, found


def test_an_outage_is_never_a_reason_to_scale_down():
    idle = load(requests_running=0.0, requests_per_second=0.0, request_ms=None)
    assert advice(idle).action == "scale_down"
    dead = [dataclasses.replace(one, values={"up": 0.0}) for one in idle]
    assert advice(dead).action == "unknown" and "outage" in advice(dead).why
    blink = [*idle[:-1], dead[-1]]
    assert advice(blink).action == "unknown"
    assert advice([]).action == advice(idle[:30]).action == "unknown"


def test_one_who_waited_for_a_moment_changes_nothing():
    samples = load(requests_running=0.0, requests_per_second=0.1, request_ms=500.0)
    samples[50] = made(50.0, requests_running=1.0, requests_waiting=1.0, requests_per_second=0.1, request_ms=500.0)
    assert advice(samples).action == "stay"


def test_little_s_law_is_in_the_figures():
    figures = advice(load()).figures
    assert figures["in_system"] == 2 and figures["little"] == pytest.approx(2)
