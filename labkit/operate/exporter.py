"""Show the figures to Prometheus, on loopback and with a key; or send them on by OTLP.

    with Exporter(monitor) as exporter:                        # a fresh key, unless one is given
        exporter.address, exporter.key                         # GET {address}/metrics, Authorization: Bearer {key}
        Path("prometheus.yml").write_text(exporter.scrape_config())
    readers, exporters = otlp("http://127.0.0.1:4318")         # for Telemetry(metric_readers=…, span_exporters=…)

What is unknown has no series: Prometheus' absent() sees it, where a zero would look like an idle engine.

Taught in notebook 11, section "Out of this program".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.backends.asgi import Locked, LoopbackServer
from labkit.errors import ConfigError
from labkit.operate.engine_metrics import table
from labkit.operate.prometheus_rules import PREFIX

if TYPE_CHECKING:
    from labkit.operate.monitor import Monitor
    from labkit.operate.telemetry import Telemetry

__all__ = ["Exporter", "otlp"]

UNITS = {"s": "_seconds", "{token}": "_tokens", "tokens": "_tokens"}


class Exporter:
    """GET /metrics for `monitor`, on 127.0.0.1. port: 0 takes a free one. key: a fresh one unless given.

    It shows the monitor's last sample and takes none of its own: how often somebody scrapes costs the engine nothing.
    Raises EngineStartError when the port is taken.
    Taught in notebook 11, section "Out of this program".
    """

    def __init__(self, monitor: Monitor, *, port: int = 0, key: str = ""):
        from prometheus_client import CollectorRegistry, make_asgi_app

        self.key, registry = key or secrets.token_urlsafe(24), CollectorRegistry(auto_describe=False)
        registry.register(_Samples(monitor))
        registry.register(_Instruments(monitor.telemetry))
        self._server = LoopbackServer(Locked(_only_metrics(make_asgi_app(registry)), self.key), port)
        self.address = self._server.address

    def scrape_config(self, seconds: float = 1.0, rules: str = "") -> str:
        """Return a prometheus.yml that scrapes this every `seconds`. rules: a file with alerting rules. It holds the key."""
        job = {
            "job_name": "labkit",
            "scrape_interval": f"{1000 * seconds:.0f}ms",
            "scrape_timeout": f"{1000 * seconds:.0f}ms",
            "authorization": {"credentials": self.key},
            "static_configs": [{"targets": [self.address.removeprefix("http://")]}],
        }
        config = {"global": {"evaluation_interval": f"{1000 * seconds:.0f}ms"}, "scrape_configs": [job]}
        return json.dumps(config | ({"rule_files": [rules]} if rules else {}), indent=1) + "\n"  # JSON is YAML

    def close(self) -> None:
        """Stop serving. Twice is fine."""
        self._server.close()

    def __enter__(self) -> Exporter:
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def otlp(address: str, *, every: float = 10.0, headers: dict[str, str] | None = None) -> tuple[list, list]:
    """Return (metric_readers, span_exporters) that send to an OTLP collector over HTTP, metrics every so many seconds.

    address: "http://127.0.0.1:4318". Nothing is sent anywhere unless this is called. Raises ConfigError without the extra.
    Taught in notebook 11, section "Out of this program".
    """
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        why = "the exporter is an extra of labkit"
        raise ConfigError("OTLP export is not installed.", why, "python -m pip install 'labkit[otlp]'") from error
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    metrics = OTLPMetricExporter(endpoint=f"{address.rstrip('/')}/v1/metrics", headers=headers)
    spans = OTLPSpanExporter(endpoint=f"{address.rstrip('/')}/v1/traces", headers=headers)
    return [PeriodicExportingMetricReader(metrics, export_interval_millis=1000 * every)], [spans]


class _Samples:
    """The last sample as gauges and counters, and which alerts fire."""

    def __init__(self, monitor: Monitor):
        self.monitor = monitor

    def collect(self) -> Iterator:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        sample = self.monitor.current()
        if sample is None:  # a monitor that stopped must not go on saying that all is well
            return
        endpoint, values = self.monitor.endpoint, sample.values
        labels = {"backend": endpoint.backend, "model": endpoint.model}
        for name, row in ((name, row) for section in table().values() for name, row in section.items()):
            if (value := values.get(name)) is not None:
                family = CounterMetricFamily if row.get("kind") == "counter" else GaugeMetricFamily
                one = family(PREFIX + name, f"{row['meaning']}, {row['unit']}", labels=labels)
                one.add_metric(list(labels.values()), value)
                yield one
        firing = GaugeMetricFamily(PREFIX + "alert_firing", "1 while it fires", labels=["alert", "severity"])
        for event in self.monitor.alerts.firing:
            firing.add_metric([event.alert, event.severity], 1)
        yield firing


class _Instruments:
    """What the OpenTelemetry instruments have counted, of labkit's calls and of Agent Framework's alike."""

    def __init__(self, telemetry: Telemetry):
        self.telemetry = telemetry

    def collect(self) -> Iterator:
        data = self.telemetry.reader.get_metrics_data()
        families: dict[str, object] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    _add(families, metric, scope.scope.name)
        yield from families.values()


def _add(families: dict, metric, scope: str) -> None:
    """Add the points of `metric` to its family. The scope is a label: two libraries may count under one name."""
    from opentelemetry.sdk.metrics.export import Histogram
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    name = metric.name.replace(".", "_") + UNITS.get(metric.unit, "")
    histogram = isinstance(metric.data, Histogram)
    plain = CounterMetricFamily if getattr(metric.data, "is_monotonic", False) else GaugeMetricFamily
    kind = HistogramMetricFamily if histogram else plain
    family = families.setdefault(name, kind(name, metric.description or name))
    for point in metric.data.data_points:
        labels = {key.replace(".", "_"): str(value) for key, value in point.attributes.items()} | {
            "otel_scope_name": scope
        }
        if not histogram:
            family.add_sample(name, labels, point.value)
            continue
        total = 0
        for edge, count in zip([*point.explicit_bounds, float("inf")], point.bucket_counts, strict=True):
            total += count
            family.add_sample(f"{name}_bucket", {**labels, "le": _edge(edge)}, total)
        family.add_sample(f"{name}_count", labels, point.count)
        family.add_sample(f"{name}_sum", labels, point.sum)


def _edge(edge: float) -> str:
    return "+Inf" if edge == float("inf") else str(float(edge))


def _only_metrics(app):
    """Answer /metrics and /health, and 404 elsewhere: their application answers at every path."""

    async def narrow(scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/metrics":
            return await app(scope, receive, send)
        status, body = (200, b'{"status": "ok"}') if scope["path"] == "/health" else (404, b"")
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return narrow
