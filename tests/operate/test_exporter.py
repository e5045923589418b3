"""What Prometheus and a collector see: scraped over real sockets, by a real Prometheus where there is one."""

import dataclasses
import http.server
import json
import math
import shutil
import subprocess
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labkit.backends.loopback import get
from labkit.backends.process import ServerProcess, free_port
from labkit.errors import EngineStartError
from labkit.operate.exporter import Exporter, otlp
from labkit.operate.monitor import Monitor
from labkit.operate.prometheus_rules import rules_yaml
from labkit.operate.rules import Rule, rules
from labkit.operate.telemetry import Telemetry


@pytest.fixture
def monitor(endpoint):
    with Monitor(endpoint) as made:
        yield made


def scraped(exporter) -> dict[str, list]:
    status, text = get(exporter.address, "/metrics", exporter.key)
    assert status == 200
    families = list(text_string_to_metric_families(text))
    assert len({one.name for one in families}) == len(families)
    return {
        sample.name: [s for s in one.samples if s.name == sample.name] for one in families for sample in one.samples
    }


def test_a_scrape_has_the_last_sample_and_the_calls(monitor):
    reply = monitor.endpoint.chat("Count to five.", max_tokens=8)
    monitor.sample()
    with Exporter(monitor) as exporter:
        found = scraped(exporter)
    assert found["labkit_up"][0].value == 1 and found["labkit_up"][0].labels["backend"] == "llamacpp"
    assert found["labkit_requests_waiting"][0].value == 0 and found["labkit_output_tokens_total"][0].value >= 8
    assert found["gen_ai_client_operation_duration_seconds_count"][0].value == 1
    tokens = {one.labels["gen_ai_token_type"]: one.value for one in found["gen_ai_client_token_usage_tokens_sum"]}
    assert tokens == {"input": reply.prompt_tokens, "output": reply.completion_tokens}
    buckets = found["gen_ai_client_operation_duration_seconds_bucket"]
    assert [float(one.labels["le"]) for one in buckets][-1] == math.inf and buckets[-1].value == 1
    assert [one.value for one in buckets] == sorted(one.value for one in buckets)


def test_what_is_unknown_has_no_series(monitor):
    monitor.sample()
    with Exporter(monitor) as exporter:
        found = scraped(exporter)
    assert "labkit_kv_cache_percent" not in found and "labkit_response_time_ms" not in found
    assert found["labkit_calls"][0].value == 0


def test_without_a_current_sample_nothing_is_claimed(monitor):
    with Exporter(monitor) as exporter:
        assert not [name for name in scraped(exporter) if name.startswith("labkit_")]
        sample = monitor.sample()
        assert "labkit_up" in scraped(exporter)
        monitor.samples += (dataclasses.replace(sample, at=time.monotonic() - 31),)
        assert not [name for name in scraped(exporter) if name.startswith("labkit_")]


@pytest.mark.parametrize("key", ["", "wrong"])
def test_nobody_reads_without_the_key(monitor, key):
    with Exporter(monitor, key="right") as exporter:
        assert get(exporter.address, "/metrics", key)[0] == 401
        assert get(exporter.address, "/metrics", "right")[0] == 200
        assert get(exporter.address, "/anything", "right")[0] == 404
        assert exporter.address.startswith("http://127.0.0.1:")


def test_a_port_that_is_taken_is_an_error(monitor):
    with Exporter(monitor) as exporter, pytest.raises(EngineStartError):
        Exporter(monitor, port=int(exporter.address.rsplit(":", 1)[1]))


def test_ten_thousand_models_are_a_bounded_scrape(endpoint):
    telemetry = Telemetry(limit=5)
    with Monitor(endpoint, telemetry=telemetry) as watching, Exporter(watching) as exporter:
        for number in range(10_000):
            labels = telemetry.labels.bounded({"gen_ai.request.model": f"m{number}"})
            telemetry.record("gen_ai.client.operation.duration", 0.1, labels)
        found = scraped(exporter)["gen_ai_client_operation_duration_seconds_count"]
    assert len(found) == 6 and sum(one.value for one in found) == 10_000


def test_a_label_that_a_library_adds_is_left_out(endpoint):
    telemetry = Telemetry()
    with Monitor(endpoint, telemetry=telemetry) as watching, Exporter(watching) as exporter:
        histogram = telemetry.meters.get_meter("other").create_histogram("gen_ai.client.operation.duration", "s")
        for number in range(500):
            histogram.record(0.1, {"gen_ai.operation.name": "chat", "user.id": str(number)})
        (one,) = scraped(exporter)["gen_ai_client_operation_duration_seconds_count"]
    assert one.value == 500 and "user_id" not in one.labels


def test_otlp_sends_metrics_and_spans_to_a_collector(endpoint, require):
    try:
        import opentelemetry.exporter.otlp.proto.http as here
    except ImportError:
        here = None
    require("otlp", here, "python -m pip install 'labkit[otlp]'")
    got: dict[str, bytes] = {}

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got[self.path] = got.get(self.path, b"") + self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    readers, exporters = otlp(f"http://127.0.0.1:{server.server_port}")
    telemetry = Telemetry(metric_readers=readers, span_exporters=exporters)
    telemetry.watch(endpoint).chat("The password is swordfish.", max_tokens=2)
    telemetry.close()
    server.shutdown()
    server.server_close()
    assert set(got) == {"/v1/metrics", "/v1/traces"}
    everything = b"".join(_plain(body) for body in got.values())
    assert b"gen_ai.client.token.usage" in everything and b"swordfish" not in everything


def _plain(body: bytes) -> bytes:
    import gzip

    return gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body


def test_a_real_prometheus_scrapes_asks_and_alerts(endpoint, require, tmp_path):
    prometheus = shutil.which("prometheus")
    require("prometheus", prometheus, "sudo apt-get install prometheus")
    slow = Rule(
        name="any-call", metric="response_time_ms", above=0, clear=0, window_seconds=5, absent_seconds=5,
        severity="warning", says="",
    )  # fmt: skip
    (tmp_path / "rules.yml").write_text(rules_yaml([slow, *rules().values()]))
    with Monitor(endpoint) as watching, Exporter(watching) as exporter:
        watching.endpoint.chat("Count to five.", max_tokens=8)
        watching.start(every=0.25)
        (tmp_path / "prometheus.yml").write_text(exporter.scrape_config(0.25, rules="rules.yml"))
        port = free_port()
        command = [prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb"]
        server = ServerProcess(
            [*command, f"--web.listen-address=127.0.0.1:{port}"],
            label="prometheus",
            ready=lambda one: one.find(r"(Server is ready)"),
        )
        server.start(60)
        try:
            alerts = _asked(port, 'ALERTS{alertname="any-call",alertstate="firing"}')
            up, waiting = _asked(port, "labkit_up"), _asked(port, "labkit_requests_waiting")
            slowest = _asked(
                port, "histogram_quantile(0.95, sum by (le) (gen_ai_client_operation_duration_seconds_bucket))"
            )
            targets = json.loads(get(f"http://127.0.0.1:{port}", "/api/v1/targets")[1])["data"]["activeTargets"]
        finally:
            server.stop()
    assert [one["health"] for one in targets] == ["up"] and not targets[0]["lastError"]
    assert alerts and up == [1.0] and waiting == [0.0] and 0 < slowest[0] < 60


def _asked(port: int, query: str, patience: float = 30.0) -> list[float]:
    """Ask until there is an answer: Prometheus needs a scrape and an evaluation first."""
    from urllib.parse import quote

    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = json.loads(get(f"http://127.0.0.1:{port}", f"/api/v1/query?query={quote(query)}")[1])["data"]["result"]
        if found:
            return [float(one["value"][1]) for one in found]
        time.sleep(0.1)
    return []


def test_promtool_takes_the_scrape_config(endpoint, require, tmp_path):
    promtool = shutil.which("promtool")
    require("prometheus", promtool, "sudo apt-get install prometheus")
    (tmp_path / "rules.yml").write_text(rules_yaml(rules()))
    with Monitor(endpoint) as watching, Exporter(watching) as exporter:
        (tmp_path / "prometheus.yml").write_text(exporter.scrape_config(rules="rules.yml"))
        done = subprocess.run(
            [promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        watching.sample()
        text = get(exporter.address, "/metrics", exporter.key)[1]
        done = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        assert not [line for line in done.stderr.splitlines() if "error while linting" in line], done.stderr
