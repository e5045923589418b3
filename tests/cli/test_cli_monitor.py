"""labkit monitor, as a person and as a program meet it. The engine runs already: LABKIT_BASE_URL names it."""

import json
import stat

import pytest
import yaml
from test_cli import run

from labkit.operate.engine_metrics import table


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
