"""Every threshold of the module: where it fires, where it must not, and what no data does. Time is told, never waited for."""

import itertools
import json
import shutil
import subprocess
from dataclasses import replace

import pytest
import yaml

from labkit.errors import ConfigError
from labkit.operate.alerts import NO_DATA, Alerts
from labkit.operate.prometheus_rules import rules_yaml
from labkit.operate.rules import Rule, read_rules, rules

RULES = rules()
# Name, metric, threshold: written here once more, from the module, so that an edit of the table cannot move them unnoticed.
MODULE = [
    ("response-time", "response_time_ms", 2000, "warning"),
    ("error-rate", "error_rate_percent", 5, "warning"),
    ("memory-early", "memory_usage_percent", 80, "warning"),
    ("memory", "memory_usage_percent", 85, "critical"),
    ("gpu-busy", "gpu_utilization_percent", 95, "warning"),
    ("gpu-memory", "gpu_memory_gb", 10, "warning"),
    ("response-time-critical", "response_time_ms", 3000, "critical"),
    ("queue", "requests_waiting", 50, "critical"),
    ("error-rate-critical", "error_rate_percent", 10, "critical"),
]
by_rule = pytest.mark.parametrize(("name", "metric", "threshold", "severity"), MODULE, ids=[one[0] for one in MODULE])


def fed(alerts: Alerts, metric: str, value: float | None, seconds: int, start: int = 0, **more) -> list:
    """Give one reading a second, from `start` on; return what changed."""
    steps = (alerts.step(at, {"up": 1.0, metric: value, **more}) for at in range(start, start + seconds))
    return list(itertools.chain.from_iterable(steps))


def states(events) -> list[tuple[str, str]]:
    return [(event.alert, event.state) for event in events]


def test_all_thresholds_of_the_module_are_there():
    assert {(one.name, one.metric, one.above, one.severity) for one in RULES.values() if one.above} == set(MODULE)


@by_rule
def test_it_fires_beyond_the_threshold_and_says_so(name, metric, threshold, severity):
    rule = RULES[name]
    alerts = Alerts([rule])
    before = alerts.events
    events = fed(alerts, metric, threshold * 1.01, 200)
    assert before == () and alerts.events == tuple(events), "what somebody reads meanwhile stays as it was"
    assert states(events) == [(name, "pending"), (name, "firing")]
    (firing,) = alerts.firing
    assert firing.severity == severity and firing.at == rule.for_seconds and firing.value > threshold
    assert str(round(threshold * 1.01)) in firing.text or f"{threshold * 1.01:.1f}" in firing.text


@by_rule
def test_it_does_not_fire_at_the_threshold_nor_for_one_moment(name, metric, threshold, severity):
    alerts = Alerts([RULES[name]])
    assert fed(alerts, metric, threshold, 200) == [] and not alerts.firing
    spike = Alerts([RULES[name]])
    fed(spike, metric, 0.0, 100)
    fed(spike, metric, threshold * 1.5, 2, start=100)
    fed(spike, metric, 0.0, 100, start=102)
    assert not {"firing", "ended"} & {event.state for event in spike.events} and not spike.firing
    assert [event.state for event in spike.events] in ([], ["pending", "lapsed"])


@by_rule
def test_no_data_is_an_alert_of_its_own_and_never_an_end(name, metric, threshold, severity):
    rule = RULES[name]
    alerts = Alerts([rule])
    fed(alerts, metric, threshold * 2, 200)
    silent = fed(alerts, metric, None, 200, start=200, calls_in_flight=1.0)
    assert states(silent) == [(name + NO_DATA, "firing")], "the threshold goes on firing: nobody said it is over"
    assert silent[0].at == 199 + rule.absent_seconds and {one.alert for one in alerts.firing} == {name, name + NO_DATA}
    assert f"no reading of {metric}" in silent[0].text
    back = fed(alerts, metric, 0.0, 200, start=400)
    assert sorted(states(back)) == sorted([(name, "ended"), (name + NO_DATA, "ended")])


@by_rule
def test_between_clear_and_limit_nothing_changes(name, metric, threshold, severity):
    rule = RULES[name]
    alerts, between = Alerts([rule]), (rule.clear + rule.above) / 2
    assert fed(alerts, metric, between, 200) == []
    fed(alerts, metric, threshold * 1.2, 200, start=200)
    assert fed(alerts, metric, between, 200, start=400) == [] and alerts.firing
    assert states(fed(alerts, metric, rule.clear * 0.9, 200, start=600)) == [(name, "ended")]


def test_figures_that_swing_about_the_limit_make_one_alert_and_not_hundreds():
    rule = replace(RULES["memory"], window_seconds=0.0)
    alerts = Alerts([rule])
    for at in range(1000):
        alerts.step(at, {rule.metric: 84.5 if at > 40 and at % 2 else 86.0})
    assert states(alerts.events) == [("memory", "pending"), ("memory", "firing")]


def test_an_outage_never_reads_as_idle():
    calls = Alerts([RULES["error-rate"], RULES["queue"]])
    unknown = {"up": 0.0, "calls": 0.0, "calls_in_flight": 0.0, "requests_waiting": None, "error_rate_percent": None}
    for at in range(300):
        calls.step(at, unknown)
    assert {one.alert for one in calls.firing} == {"error-rate-no-data", "queue-no-data"}


def test_an_idle_engine_is_no_outage():
    alerts = Alerts([RULES["response-time"], RULES["error-rate"]])
    idle = {"up": 1.0, "calls": 0.0, "calls_in_flight": 0.0, "requests_running": 0.0, "response_time_ms": None}
    for at in range(1000):
        alerts.step(at, idle)
    assert not alerts.events
    for at in range(1000, 1300):  # somebody waits, and no answer comes: that is not idle
        alerts.step(at, {**idle, "calls_in_flight": 1.0})
    assert {one.alert for one in alerts.firing} == {"response-time-no-data", "error-rate-no-data"}


def test_a_dead_engine_is_an_alert_within_seconds_and_ends_when_it_is_back():
    alerts = Alerts([RULES["engine-down"]])
    fed(alerts, "up", 1.0, 10)
    assert states(fed(alerts, "up", 0.0, 10, start=10)) == [("engine-down", "pending"), ("engine-down", "firing")]
    assert states(fed(alerts, "up", 1.0, 3, start=20)) == [("engine-down", "ended")]


def test_what_this_machine_does_not_have_is_said_and_not_alarmed():
    alerts = Alerts(RULES, watched={"up", "memory_usage_percent"})
    fed(alerts, "memory_usage_percent", 10.0, 500)
    assert not alerts.events and {"gpu-busy", "gpu-memory"} <= set(alerts.unwatched)
    fed(alerts, "gpu_memory_gb", 11.0, 100, start=500)
    assert "gpu-memory" in {one.alert for one in alerts.firing} and "gpu-memory" not in alerts.unwatched


def test_readings_before_a_silence_do_not_fire_after_it():
    alerts = Alerts([RULES["memory"]])
    fed(alerts, "memory_usage_percent", 99.0, 10)
    fed(alerts, "memory_usage_percent", None, 100, start=10)
    fed(alerts, "memory_usage_percent", 99.0, 5, start=110)
    assert "memory" not in {one.alert for one in alerts.firing}


def test_time_that_goes_back_is_refused_and_strange_values_are_no_readings():
    alerts = Alerts([RULES["memory"]])
    alerts.step(10.0, {"memory_usage_percent": float("nan")})
    alerts.step(60.0, {"memory_usage_percent": float("inf")})
    alerts.step(75.0, {"memory_usage_percent": "much"})
    assert [one.alert for one in alerts.firing] == ["memory-no-data"]
    with pytest.raises(ValueError, match="went back"):
        alerts.step(9.0, {})


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "memory_usage_procent"}, {"clear": 90}, {"above": None}, {"below": 3}, {"severity": "bad"},
        {"absent_seconds": 0}, {"for_seconds": -1}, {"above": float("nan")}, {"above": "85"},
    ],
    ids=str,
)  # fmt: skip
def test_a_rule_that_could_never_work_is_refused(change):
    with pytest.raises(ConfigError, match="cannot work"):
        replace(RULES["memory"], **change)


@pytest.mark.parametrize("text", ["[a]\nabove = 1", "a = 1", "[a", '[a]\nmetric="up"\nabov=1', "\x00"])
def test_a_file_that_holds_no_rules_is_refused(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError):
        read_rules(tmp_path / "mine.toml")
    with pytest.raises(ConfigError):
        read_rules(tmp_path / "none.toml")


def test_the_learners_own_rule_works_from_a_file(tmp_path):
    row = '[slow]\nmetric = "request_ms"\nabove = 100\nclear = 50\nseverity = "warning"\nsays = "slow: {value:.0f}"\n'
    (tmp_path / "mine.toml").write_text(row)
    alerts = Alerts(read_rules(tmp_path / "mine.toml"))
    assert states(fed(alerts, "request_ms", 101.0, 3)) == [("slow", "firing")]


# -- the same rules for Prometheus ---------------------------------------------------------------------------------------


def test_the_export_is_yaml_with_two_alerts_a_rule():
    (group,) = yaml.safe_load(rules_yaml(RULES))["groups"]
    assert [one["alert"] for one in group["rules"]] == [n for name in RULES for n in (name, name + NO_DATA)]
    assert all("labkit_" in one["expr"] and one["labels"]["severity"] for one in group["rules"])
    strange = replace(RULES["memory"], name='quo"te: [x]\n')
    assert yaml.safe_load(rules_yaml([strange]))["groups"][0]["rules"][0]["alert"] == strange.name


# Prometheus' own unit test of rules: series of one reading every 15 s, and the alerts that fire at a time.
CASES = [
    ("memory", "labkit_memory_usage_percent", "90x40", "5m", True),
    ("memory", "labkit_memory_usage_percent", "85x40", "5m", False),
    ("memory", "labkit_memory_usage_percent", "90x12 83x28", "9m", True),  # between clear and limit: it goes on
    ("memory", "labkit_memory_usage_percent", "90x12 70x28", "9m", False),
    ("memory-no-data", "labkit_memory_usage_percent", "50x8 _x32", "9m", True),
    ("memory-no-data", "labkit_memory_usage_percent", "50x40", "9m", False),
    ("gpu-memory-no-data", "labkit_up", "1x40", "9m", False),  # a GPU that never was here is not missed
    ("queue", "labkit_requests_waiting", "51x40", "5m", True),
    ("queue", "labkit_requests_waiting", "50x40", "5m", False),
    ("engine-down", "labkit_up", "1x12 0x28", "9m", True),
    ("engine-down-no-data", "labkit_up", "1x12 _x28", "9m", True),
]


def test_promtool_takes_the_rules_and_they_fire_as_ours_do(require, tmp_path):
    promtool = shutil.which("promtool")
    require("prometheus", promtool, "sudo apt-get install prometheus")
    (tmp_path / "rules.yml").write_text(rules_yaml(RULES))
    texts = {f"{one['alert']}": one for one in yaml.safe_load(rules_yaml(RULES))["groups"][0]["rules"]}

    def case(alert, series, values, when, fires):
        found = {
            "exp_labels": {"severity": texts[alert]["labels"]["severity"]},
            "exp_annotations": texts[alert]["annotations"],
        }
        return {
            "interval": "15s",
            "input_series": [{"series": series, "values": " ".join(_spread(part) for part in values.split())}],
            "alert_rule_test": [{"eval_time": when, "alertname": alert, "exp_alerts": [found] if fires else []}],
        }

    cases = {"rule_files": ["rules.yml"], "evaluation_interval": "15s", "tests": [case(*one) for one in CASES]}
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "cases.json"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _spread(part: str) -> str:
    value, _, times = part.partition("x")
    return f"_x{times}" if value == "_" else f"{value}+0x{int(times) - 1}"


def test_a_rule_needs_no_more_than_its_threshold():
    rule = Rule(name="r", metric="up", below=1, clear=1, severity="warning", says="")
    assert rule.beyond(0) and not rule.beyond(1) and rule.cleared(1)
