"""What every call costs, as OpenTelemetry's GenAI metrics and spans: tokens, duration, time to the first chunk, per token.

    telemetry = Telemetry()
    endpoint = telemetry.watch(labkit.connect())       # the same endpoint; chat and stream are measured
    endpoint.chat("What is the capital of France?")
    telemetry.calls.window(60)                         # mean and p95 ms, error rate, calls a second of the last minute
    telemetry.spans.runs()                             # one trace a call or agent run
    telemetry.install()                                # Agent Framework's own metrics and spans come here as well

Agent Framework measures what goes through `endpoint.chat_client()` by itself and wants only providers; nothing is counted
twice, because `chat` and `stream` are another way to the engine. Nobody's words are kept unless `content=True`.

Taught in notebook 11, section "What an engine tells".
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import fields

from labkit.backends.answer import Reply, Stream
from labkit.backends.base import Endpoint, Messages
from labkit.errors import ConfigError
from labkit.operate import semconv as names
from labkit.operate.bounded_labels import Labels
from labkit.operate.calls import Calls
from labkit.operate.spans import Spans

__all__ = ["Telemetry", "Watched"]

CANCELLED = "cancelled"


class Telemetry:
    """Instruments, providers and what they have seen.

    content: keep prompts and answers in spans (never in metrics). limit: values of a label before they become "other".
    metric_readers, span_exporters: OpenTelemetry's own objects, to send the same elsewhere (see exporter.otlp).
    Taught in notebook 11, section "What an engine tells".
    """

    def __init__(
        self, *, content: bool = False, limit: int = 20, metric_readers: Sequence = (), span_exporters: Sequence = ()
    ):
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        self.content, self.labels, self.calls, self.spans = content, Labels(limit), Calls(), Spans(content)
        self.reader, self.closed = InMemoryMetricReader(), False
        about = Resource.create({"service.name": "labkit"})
        self.meters = MeterProvider([self.reader, *metric_readers], about, views=_views())
        self.traces = TracerProvider(resource=about)
        self.traces.add_span_processor(SimpleSpanProcessor(self.spans))
        for exporter in span_exporters:
            self.traces.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self.traces.get_tracer("labkit")
        meter = self.meters.get_meter("labkit")
        known = names.METRICS | names.OURS
        self.histograms = {
            name: meter.create_histogram(name, unit, text)
            for name, (unit, text) in known.items()
            if name != names.IN_FLIGHT
        }
        self.in_flight = meter.create_up_down_counter(names.IN_FLIGHT, *known[names.IN_FLIGHT])

    def watch(self, endpoint: Endpoint) -> Watched:
        """Return `endpoint` with its calls measured. Closing it closes `endpoint`."""
        return Watched.of(endpoint, self)

    def install(self) -> Telemetry:
        """Make these the providers of this process, so that Agent Framework's metrics and spans come here; return self.

        Raises ConfigError if the process has providers already: OpenTelemetry sets them once.
        """
        from agent_framework.observability import enable_instrumentation
        from opentelemetry import metrics, trace

        trace.set_tracer_provider(self.traces)
        metrics.set_meter_provider(self.meters)
        if trace.get_tracer_provider() is not self.traces or metrics.get_meter_provider() is not self.meters:
            why = "OpenTelemetry takes providers once in a process"
            raise ConfigError("This process has telemetry providers already.", why, "labkit monitor --help")
        enable_instrumentation(enable_sensitive_data=self.content)
        return self

    def close(self) -> None:
        """Send what is waiting to be sent, and stop. Twice is fine."""
        if not self.closed:
            self.closed = True
            self.traces.shutdown()
            self.meters.shutdown()

    def record(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Add one `value` to the histogram `name`."""
        self.histograms[name].record(value, labels)


class Watched(Endpoint):
    """An endpoint whose `chat` and `stream` are measured; all else as it was.

    Taught in notebook 11, section "What an engine tells".
    """

    @classmethod
    def of(cls, endpoint: Endpoint, telemetry: Telemetry) -> Watched:
        """Return `endpoint` watched by `telemetry`."""
        watched = cls(**{field.name: getattr(endpoint, field.name) for field in fields(Endpoint)})
        watched.on_close, watched.telemetry = endpoint.close, telemetry
        return watched

    def chat(self, prompt: Messages, **parameters) -> Reply:
        """As Endpoint.chat."""
        call = _Call(self, prompt, parameters)
        try:
            reply = super().chat(prompt, **parameters)
        except BaseException as error:
            call.end(error=error)
            raise
        call.end(reply)
        return reply

    def stream(self, prompt: Messages, **parameters) -> Stream:
        """As Endpoint.stream."""
        call = _Call(self, prompt, parameters)
        try:
            return _WatchedStream(self, super().stream(prompt, **parameters), call)
        except BaseException as error:
            call.end(error=error)
            raise


class _WatchedStream(Stream):
    def __init__(self, endpoint: Endpoint, inner: Stream, call: _Call):
        self._inner, self._call = inner, call
        super().__init__(endpoint, inner._chunks, 0.0)

    def close(self) -> None:
        super().close()
        self._inner.close()
        self._call.end(error=CANCELLED)  # if it has not ended by now, nobody will read on

    def _read(self, endpoint: Endpoint, started: float):
        try:
            for piece in self._inner:
                self._call.chunk()
                yield piece
        except GeneratorExit:
            self._call.end(error=CANCELLED)
            raise
        except BaseException as error:
            self._call.end(error=error)
            raise
        self.reply = self._inner.reply
        self._call.end(self.reply)


class _Call:
    """One call from its start to its end: a span, and the figures that go into the histograms."""

    def __init__(self, endpoint: Watched, prompt: Messages, parameters: dict):
        endpoint.client()  # made once, which is no part of the first call
        self.telemetry, self.started, self.last, self.ended = endpoint.telemetry, time.perf_counter(), None, False
        self.labels = self.telemetry.labels.bounded(
            {
                names.OPERATION: names.CHAT,
                names.PROVIDER: endpoint.backend,
                names.REQUEST_MODEL: parameters.get("model", endpoint.model),
            }
        )
        wanted = {names.REQUEST_MAX_TOKENS: "max_tokens", names.REQUEST_TEMPERATURE: "temperature"}
        asked = {name: parameters[key] for name, key in wanted.items() if key in parameters}
        self.span = self.telemetry.tracer.start_span(
            f"chat {self.labels[names.REQUEST_MODEL]}", attributes={**self.labels, **asked}
        )
        if self.telemetry.content:
            self.span.set_attribute(names.INPUT_MESSAGES, str(prompt))
        self.telemetry.in_flight.add(1, self.labels)
        self.telemetry.calls.begin()

    def chunk(self) -> None:
        now = time.perf_counter()
        if self.last is None:
            self.telemetry.record(names.TIME_TO_FIRST_CHUNK, now - self.started, self.labels)
            self.span.set_attribute(names.RESPONSE_FIRST_CHUNK, now - self.started)
        else:
            self.telemetry.record(names.TIME_PER_OUTPUT_CHUNK, now - self.last, self.labels)
        self.last = now

    def end(self, reply: Reply | None = None, error: BaseException | str | None = None) -> None:
        if self.ended or self.telemetry.closed:  # a probe may still be waiting when all is over
            return
        self.ended, seconds = True, time.perf_counter() - self.started
        self.telemetry.in_flight.add(-1, self.labels)
        labels = self.labels
        if error is not None:
            kind = error if isinstance(error, str) else type(error).__name__
            labels = self.telemetry.labels.bounded({**labels, names.ERROR_TYPE: kind})
            self._failed(kind)
        if reply:
            self._answered(reply)
        self.telemetry.record(names.OPERATION_DURATION, seconds, labels)
        self.telemetry.calls.add(seconds, "cancelled" if error == CANCELLED else "failed" if error else "answered")
        self.span.end()

    def _failed(self, kind: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self.span.set_attribute(names.ERROR_TYPE, kind)
        if kind != CANCELLED:  # who stops reading has had enough; nothing failed
            self.span.set_status(Status(StatusCode.ERROR))

    def _answered(self, reply: Reply) -> None:
        counts = {"input": reply.prompt_tokens, "output": reply.completion_tokens}
        for kind, count in counts.items():
            self.telemetry.record(names.TOKEN_USAGE, count, {**self.labels, names.TOKEN_TYPE: kind})
        if reply.first_token_seconds is not None and reply.completion_tokens > 1:
            each = (reply.seconds - reply.first_token_seconds) / (reply.completion_tokens - 1)
            self.telemetry.record(names.TIME_PER_OUTPUT_TOKEN, each, self.labels)
        about = {names.INPUT_TOKENS: counts["input"], names.OUTPUT_TOKENS: counts["output"]}
        self.span.set_attributes({**about, names.FINISH_REASONS: (reply.finish_reason,)})
        if self.telemetry.content:
            self.span.set_attribute(names.OUTPUT_MESSAGES, reply.text)


def _views() -> list:
    """The buckets that the conventions advise; and metrics of agents and models alone, as Agent Framework's own views have it."""
    from opentelemetry.sdk.metrics.view import DropAggregation, ExplicitBucketHistogramAggregation, View

    buckets = {
        names.OPERATION_DURATION: names.SECONDS_BUCKETS,
        names.TOKEN_USAGE: names.TOKEN_BUCKETS,
        names.TIME_TO_FIRST_CHUNK: names.SHORT_BUCKETS,
        names.TIME_PER_OUTPUT_CHUNK: names.SHORT_BUCKETS,
        names.TIME_PER_OUTPUT_TOKEN: names.SHORT_BUCKETS,
    }
    keys = {*names.METRIC_LABELS, "agent_framework.function.name"}  # whatever else a library adds has no bound
    chosen = [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(edges), attribute_keys=keys)
        for name, edges in buckets.items()
    ]
    known = [View(instrument_name=one, attribute_keys=keys) for one in (names.IN_FLIGHT, "agent_framework*")]
    return [*chosen, *known, View(instrument_name="*", aggregation=DropAggregation())]
