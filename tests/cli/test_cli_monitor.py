"""labkit monitor, as a person and as a program meet it. The engine runs already: LABKIT_BASE_URL names it."""

import contextlib
import json
import sqlite3
import stat

import pytest
import yaml
from test_cli import run

from labkit.errors import ConfigError
from labkit.operate.engine_metrics import table
from labkit.operate.history import History, kept
from labkit.operate.monitor import Sample


@pytest.fixture
def here(endpoint) -> dict:
    return {"LABKIT_BASE_URL": endpoint.base_url, "LABKIT_API_KEY": endpoint.api_key}


def test_help_has_an_example():
    said = " ".join(run("monitor", "--help").stdout.split())
    assert "labkit monitor --backend llamacpp --once --json" in said and "LABKIT_BASE_URL" in said


def test_once_for_a_program(here):
    done = run("monitor", "--once", "--json", "--every", "0.1", env=here)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["health"]["status"] in ("healthy", "degraded") and found["models"] == ["smollm2-135m"]
    assert found["values"]["up"] == 1 and found["values"]["calls"] == 1 and found["values"]["process_memory_gb"] > 0.05
    assert set(found["values"]) <= {name for section in table().values() for name in section}


def test_once_for_a_person(here):
    done = run("monitor", "--once", "--every", "0.1", env=here)
    assert done.returncode == 0 and "requests_waiting" in done.stdout and "Traceback" not in done.stderr


def test_samples_go_on_into_a_file_and_to_prometheus(here, tmp_path):
    args = ["--seconds", "1", "--every", "0.2", "--probe", "0", "--port", "0", "--key-env", "MY_KEY"]
    args += ["--history", tmp_path / "h.sqlite", "--write-config", tmp_path]
    done = run("monitor", "--json", *map(str, args), env={**here, "MY_KEY": "sesame"})
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(rows) == 5 and all(row["values"]["up"] == 1 for row in rows)
    assert "Authorization: Bearer sesame" in done.stderr and "http://127.0.0.1:" in done.stderr
    config = tmp_path / "prometheus.yml"
    assert yaml.safe_load(config.read_text())["scrape_configs"][0]["authorization"]["credentials"] == "sesame"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600, "the key is in it"
    assert yaml.safe_load((tmp_path / "labkit.rules.yml").read_text())["groups"]
    from labkit.operate.history import History

    assert len(History(tmp_path / "h.sqlite").read()) == 5


def test_a_rule_of_ones_own_fires(here, tmp_path):
    row = '[any]\nmetric = "up"\nabove = 0\nclear = 0\nseverity = "warning"\nsays = "it is up"\n'
    (tmp_path / "mine.toml").write_text(row)
    done = run("monitor", "--once", "--json", "--every", "0.1", "--rules", str(tmp_path / "mine.toml"), env=here)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and [one["alert"] for one in found["firing"]] == ["any"]
    assert found["health"]["status"] == "degraded"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rules", "/no/such.toml"], ["ConfigError", "holds no alert rules"]),
        (["--port", "0", "--seconds", "1", "--key-env", "NO_SUCH_KEY"], ["NO_SUCH_KEY is not set", "Try: export"]),
        (["--every", "0"], ["--every"]),
        (["--history", "/no/such/folder/h.sqlite"], ["ConfigError", "cannot keep a history"]),
    ],
)
def test_what_is_wrong_and_what_to_do(here, arguments, words):
    done = run("monitor", *arguments, env=here)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_an_engine_that_is_not_there_is_an_error_and_not_idle():
    done = run("monitor", "--once", env={"LABKIT_BASE_URL": "http://127.0.0.1:9/v1"})
    assert done.returncode == 2 and "EngineMissing" in done.stderr and not done.stdout


# -- advice from a file ---------------------------------------------------------------------------------------------------


def kept_in(path, times, **values):
    """Write one sample for each time; values: what differs from an engine at work."""
    history = History(path)
    usual = {"up": 1.0, "requests_running": 2.0, "requests_waiting": 0.0, "calls_per_second": 2.0}
    for at in times:
        history.add(Sample(0.0, float(at), usual | {"response_time_ms": 1000.0} | values, ("m",)))
    history.close()
    return path


def test_advice_comes_with_its_reasons(tmp_path):
    path = kept_in(tmp_path / "h.sqlite", range(1000, 1120), requests_waiting=6.0, calls_per_second=8.0)
    done = run("monitor", "advice", str(path), "--slots", "2", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["action"] == "scale_out" and "and 2 places" in found["why"]
    assert found["figures"]["waiting"] == 6 and found["figures"]["gpu_percent"] is None
    done = run("monitor", "advice", str(path))
    assert done.stdout.startswith("scale_out: ") and "gpu_percent   unknown" in done.stdout


def test_an_outage_in_the_file_advises_nothing(tmp_path):
    gone = dict.fromkeys(("requests_running", "requests_waiting", "calls_per_second", "response_time_ms"))
    path = kept_in(tmp_path / "h.sqlite", range(1000, 1120), up=0.0, **gone)
    done = run("monitor", "advice", str(path), "--json")
    assert done.returncode == 1 and json.loads(done.stdout)["action"] == "unknown" and "outage" in done.stdout


def test_only_the_window_counts(tmp_path):
    path = kept_in(tmp_path / "h.sqlite", range(1000, 1100), requests_waiting=6.0, calls_per_second=8.0)
    kept_in(path, range(1100, 1200))
    assert run("monitor", "advice", str(path), "--window", "90").stdout.startswith("stay")
    assert run("monitor", "advice", str(path), "--window", "300").stdout.startswith("scale_out")


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([], ["holds no samples", "nobody has watched yet"]),
        ([*range(5000, 5200), 1000, 1001], ["breaks off", "the clock went back by 4199 s, and 1 s are known since"]),
        ([*range(1000, 1200), 9000, 9030], ["breaks off", "no sample for 7801 s, and 30 s are known since"]),
    ],
    ids=["empty", "clock went back", "gap"],
)
def test_a_history_that_advises_nothing_says_why(tmp_path, times, words):
    done = run("monitor", "advice", str(kept_in(tmp_path / "h.sqlite", times)))
    assert done.returncode == 2 and not done.stdout and "Try: labkit monitor --history h.sqlite" in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_what_came_after_the_clock_jumped_is_enough_after_a_minute(tmp_path):
    path = kept_in(tmp_path / "h.sqlite", [*range(5000, 5100), *range(1000, 1100)])
    found = kept(path)
    assert [found[0].at, found[-1].at, len(found)] == [1000, 1099, 100]
    assert run("monitor", "advice", str(path)).stdout.startswith("stay")


def test_a_file_that_is_none_or_no_history_is_refused_and_left_alone(tmp_path):
    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as file:
        file.execute("CREATE TABLE mine (a)")
    before = other.read_bytes()
    (tmp_path / "text.sqlite").write_text("no database at all " * 99)
    strange = History(tmp_path / "strange.sqlite")
    strange._insert(1.0, '{"values": 7}')
    strange.close()
    for name in ("none.sqlite", "other.sqlite", "text.sqlite", "strange.sqlite"):
        with pytest.raises(ConfigError, match=name):
            kept(tmp_path / name)
    assert other.read_bytes() == before and not (tmp_path / "none.sqlite").exists()
