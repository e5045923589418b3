"""Every check of the checklists passes where it should and fails where it should; the rest says why nobody can check it here."""

import http.server
import json
import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest
from test_cli import run as labkit_run

import labkit
from labkit import paths
from labkit.errors import ConfigError, EngineStartError
from labkit.operate import checklist
from labkit.operate.audit import AuditLog
from labkit.operate.checking import CHECKS, FAIL, NOT_CHECKABLE, PASS
from labkit.operate.checklist import items, look, table
from labkit.operate.checks_live import _addresses
from labkit.operate.service import Place, Service, read

DEAD = "http://127.0.0.1:9/v1"


@pytest.fixture
def served(endpoint, monkeypatch):
    """Give a function: the place of a service whose engine is the real one of the tests, already running."""
    monkeypatch.setenv("LABKIT_API_KEY", endpoint.api_key)
    return lambda **words: Place(Service(**{"base_url": endpoint.base_url, **words}))


@pytest.fixture
def log(tmp_path) -> Path:
    log = AuditLog(tmp_path / "audit.jsonl", key=None)
    for number in range(5):
        log.append("tool.called", who="ana", number=number)
    return log.file


def said(check: str, place: Place) -> str:
    return look(check, place)[0]


@pytest.fixture
def stub():
    """Give a server that answers anybody, key or not, on every address of this machine."""

    class Anybody(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self._say({"data": [{"id": "open"}]})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            message = {"role": "assistant", "content": "hello"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._say({"id": "1", "object": "chat.completion", "created": 1, "model": "open", "choices": [choice]})

        def _say(self, what):
            body = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *about):
            pass

    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), Anybody) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


# -- the lists ----------------------------------------------------------------------------------------------------------


def test_every_item_has_a_check_that_exists_or_a_reason_and_every_check_an_item():
    said("limits", Place(Service()))  # loads the checks
    assert {item.check for item in items()} - {""} == set(CHECKS)
    assert len({item.id for item in items()}) == len(items()) >= 30
    assert {where for item in items() for where in item.where} == {"Foundry Local", "Ollama", "vLLM", "best practices"}
    assert all(item.command.startswith("labkit ") for item in items() if item.check)


def test_an_item_with_neither_check_nor_reason_is_refused(tmp_path, monkeypatch):
    (tmp_path / "checklists.toml").write_text(
        '[[item]]\nid = "a"\ngroup = "g"\nsays = "s"\nwhere = []\n', encoding="utf-8"
    )
    monkeypatch.setattr(paths, "data_dir", lambda: tmp_path)
    with pytest.raises(ConfigError, match="'a'"):
        items()


def test_the_table_counts_and_offers_a_command_where_something_fails():
    first, second = items()[:2]
    text = table([checklist.Result(first, PASS, "seen"), checklist.Result(second, FAIL, "not set")])
    assert "1 pass, 1 fail, 0 not checkable here" in text and f"Try: {second.command}" in text
    assert f"Try: {first.command}" not in text


# -- what a service says of itself --------------------------------------------------------------------------------------


def test_a_description_is_read_strictly_and_its_files_are_beside_it(tmp_path):
    file = tmp_path / "kiosk.toml"
    file.write_text('audit = "audit.jsonl"\nqueue = 20\nmemory_gb = 4\nmodels = ["smollm2-135m"]', encoding="utf-8")
    service = read(file)
    assert service.file("audit") == tmp_path / "audit.jsonl" and service.file("roles") is None
    assert (service.queue, service.memory_gb, service.models) == (20, 4, ("smollm2-135m",))


@pytest.mark.parametrize(
    "text",
    ["que = 3", "queue = true", "queue = 1.5", 'queue = "3"', 'models = "one"', "models = [1]", "audit = 3", "["],
)
def test_a_description_that_does_not_mean_one_thing_is_refused(tmp_path, text):
    file = tmp_path / "kiosk.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        read(file)


def test_no_prompt_goes_to_another_machine():
    assert said("answers", Place(Service(base_url="http://192.0.2.1:8000/v1"))) == FAIL
    with pytest.raises(ConfigError, match="another machine"):
        _ = Place(Service(base_url="http://192.0.2.1:8000/v1")).endpoint


# -- the checks without an engine: (check, a service that passes, one that fails) ---------------------------------------

LIMITS = {"requests_per_second": 2.0, "tokens_per_hour": 1000}
SETTINGS = {
    "limits": (LIMITS, {"requests_per_second": 2.0}),
    "limits, nothing is allowed to come in": (LIMITS, {**LIMITS, "characters": 0}),
    "guards": ({"least_caught_percent": 50.0, "most_false_alarms_percent": 30.0}, {"least_caught_percent": 100.0}),
    "guards, too many false alarms": ({}, {"most_false_alarms_percent": 1.0}),
    "access": ({}, {"changing_tools": ("create_ticket", "lookup_customer")}),
    "access, a tool that the policy does not know": ({}, {"changing_tools": ("refund",)}),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_setting_passes_and_fails(case, endpoint):
    check, (good, bad) = case.partition(",")[0], SETTINGS[case]
    assert said(check, Place(Service(**good))) == PASS
    assert said(check, Place(Service(**bad))) == FAIL


@pytest.mark.parametrize("check", ["on_disk", "offline"])
def test_models_are_looked_for_on_the_disk(check, served, tmp_path, monkeypatch):
    assert said(check, served()) == said(check, served(models=("smollm2-135m",))) == PASS
    assert said(check, served(models=("somebody/elses-model",))) == NOT_CHECKABLE
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert said(check, served()) == FAIL


def test_the_audit_check_wants_a_log_whose_chain_holds(log, tmp_path):
    assert said("audit", Place(Service(audit=str(log)))) == PASS
    assert said("audit", Place(Service())) == said("audit", Place(Service(audit=str(tmp_path / "none")))) == FAIL
    log.write_text(log.read_text("utf-8").replace('"number":2', '"number":7'), encoding="utf-8")
    assert said("audit", Place(Service(audit=str(log)))) == FAIL


def test_the_alerts_check_wants_a_rule_for_each_figure_that_the_module_watches(tmp_path):
    assert said("alerts", Place(Service())) == PASS
    whole = (paths.data_dir() / "alerts.toml").read_text("utf-8")
    without = [part for part in whole.split("\n\n") if 'metric = "requests_waiting"' not in part]
    (tmp_path / "alerts.toml").write_text("\n\n".join(without), encoding="utf-8")
    status, evidence = look("alerts", Place(Service(alerts=str(tmp_path / "alerts.toml"))))
    assert status == FAIL and "requests_waiting" in evidence


def test_a_rule_that_never_fires_is_found_out(tmp_path):
    """A float this large plus one is the same float: nothing is ever above it."""
    whole = (paths.data_dir() / "alerts.toml").read_text("utf-8")
    for was, now in {"above = 2000": "above = 1e300", "window_seconds = 60": "window_seconds = 0"}.items():
        whole = whole.replace(was, now, 1)
    (tmp_path / "alerts.toml").write_text(whole, encoding="utf-8")
    status, evidence = look("alerts", Place(Service(alerts=str(tmp_path / "alerts.toml"))))
    assert status == FAIL and "silent: response-time" in evidence
    (tmp_path / "alerts.toml").write_text("[broken]\nmetric = 'up'", encoding="utf-8")
    assert said("alerts", Place(Service(alerts=str(tmp_path / "alerts.toml")))) == FAIL


@pytest.mark.skipif("os.name == 'nt'", reason="permissions are lists there")
def test_files_that_others_may_write_are_found(log):
    place = Place(Service(audit=str(log)))
    assert said("private_files", place) == PASS
    log.chmod(0o666)
    assert said("private_files", place) == FAIL


def test_another_policy_file_is_judged(tmp_path):
    roles = tmp_path / "roles.toml"
    shutil.copy(paths.data_dir() / "roles.toml", roles)
    assert said("access", Place(Service(roles=str(roles)))) == PASS
    text = roles.read_text("utf-8").replace("risky = true", "risky = false").replace('approvers = ["supervisor"]', "")
    roles.write_text(text, encoding="utf-8")
    assert said("access", Place(Service(roles=str(roles)))) == FAIL


# -- the checks with the real engine ------------------------------------------------------------------------------------

LIVE = ["answers", "health", "metrics", "framework", "end_to_end", "key", "loopback"]


@pytest.mark.parametrize("check", LIVE)
def test_the_real_engine_passes(check, served):
    assert look(check, served())[0] == PASS


@pytest.mark.parametrize("check", [*LIVE[:-1], "load", "queue", "fallback"])
def test_where_nobody_answers_it_fails(check, served):
    assert said(check, served(base_url=DEAD)) == FAIL


def test_health_wants_the_models_that_the_service_names(served, endpoint):
    assert said("health", served(models=(endpoint.model,))) == PASS
    assert said("health", served(models=("phi-4",))) == FAIL


def test_a_server_that_is_open_to_all_fails_for_key_and_for_address(stub, served):
    assert said("key", served(base_url=stub)) == FAIL
    if _addresses():
        assert said("loopback", served(base_url=stub)) == FAIL
    assert said("loopback", Place(Service(base_url="http://192.0.2.1:8000/v1"))) == FAIL


def test_the_queue_may_be_as_long_as_can_be_answered(served):
    short = served(queue=1)
    assert said("queue", short) == said("load", short) == PASS
    long = served(queue=10**9)
    long.notes = short.notes  # the rate that was measured
    assert said("queue", long) == FAIL


def test_a_fallback_has_to_answer(served, endpoint):
    assert said("fallback", served(fallback=(endpoint.base_url,))) == PASS
    assert said("fallback", served()) == said("fallback", served(fallback=(DEAD,))) == FAIL


def test_end_to_end_fails_when_an_ordinary_question_does_not_get_through(served):
    assert said("end_to_end", served(characters=5)) == FAIL


def test_the_engine_has_to_fit_the_budget_and_the_budget_the_machine(served):
    assert said("memory", served()) == NOT_CHECKABLE  # somebody else's process
    assert said("memory", served(memory_gb=10.0**6)) == FAIL
    assert said("memory", Place(Service(memory_gb=0.01), "llamacpp", "smollm2-135m")) == FAIL


def test_a_killed_engine_has_to_come_back(endpoint, served):
    starts = []

    def only_once(**wish):
        starts.append(wish)
        if len(starts) == 4:
            raise EngineStartError("It does not start again.", "the drill of this test", "")
        return labkit.connect(**wish)

    place = Place(Service(), "llamacpp", "smollm2-135m", connect=only_once)
    try:
        assert said("memory", place) == said("offline", place) == PASS
        assert look("restart", place)[0] == PASS and len(starts) == 2
        starts += [None]  # from now on none starts
        assert look("restart", place)[0] == FAIL
    finally:
        place.close()
    assert said("restart", served()) == NOT_CHECKABLE


# -- the command --------------------------------------------------------------------------------------------------------


def test_the_command_lists_and_helps():
    rows = json.loads(labkit_run("checklist", "--list", "--json").stdout)
    assert len(rows) == len(items()) and {"id", "says", "where", "check"} <= rows[0].keys()
    assert "labkit checklist kiosk.toml --json" in " ".join(labkit_run("checklist", "--help").stdout.split())


def test_the_command_checks_a_described_service(endpoint, log, tmp_path):
    description = tmp_path / "kiosk.toml"
    description.write_text(
        f'base_url = "{endpoint.base_url}"\nfallback = ["{endpoint.base_url}"]\naudit = "{log.name}"\n'
        "requests_per_second = 2\ntokens_per_hour = 50000\nqueue = 1\n",
        encoding="utf-8",
    )
    key = {"LABKIT_API_KEY": endpoint.api_key}
    done = labkit_run("checklist", str(description), "--json", env=key)
    results = json.loads(done.stdout)
    assert done.returncode == 0, [one for one in results if one["status"] == "fail"]
    assert Counter(one["status"] for one in results)[FAIL] == 0
    description.write_text(f'base_url = "{endpoint.base_url}"', encoding="utf-8")
    done = labkit_run("checklist", str(description), env=key)
    assert done.returncode == 1 and "no audit log is named" in done.stdout
