"""Spans kept in memory, the last few thousand, and put together to runs: what an agent did, step by step.

    spans.runs()[-1].steps          # depth, name, seconds, tokens, tool, error, in the order in which they began

Taught in notebook 11, section "A poisoned result".
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from labkit.operate.semconv import CONTENT, ERROR_TYPE, INPUT_TOKENS, OPERATION, OUTPUT_TOKENS, TOOL_NAME

__all__ = ["Run", "Spans", "Step"]


@dataclass(frozen=True)
class Step:
    """One span: `start` in seconds after its run began, `seconds` long, `depth` 0 for the run itself.

    operation: "invoke_agent", "chat", "execute_tool", or "" for others. Tokens are None where the span counts none. error: its
    type, or "". attributes: all of the span's, without anybody's words unless content was asked for.
    Taught in notebook 11, section "A poisoned result".
    """

    name: str
    operation: str
    depth: int
    start: float
    seconds: float
    input_tokens: int | None = None
    output_tokens: int | None = None
    tool: str = ""
    error: str = ""
    attributes: dict = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Run:
    """One trace: everything that belongs together, from the first span that has no parent here.

    Taught in notebook 11, section "A poisoned result".
    """

    trace_id: str
    steps: tuple[Step, ...]

    @property
    def seconds(self) -> float:
        """From the first start to the last end."""
        return max(step.start + step.seconds for step in self.steps)

    @property
    def tokens(self) -> tuple[int, int]:
        """Input and output tokens of the calls of models; an agent's own sum is not added to that of its calls."""
        calls = [step for step in self.steps if step.operation == "chat"]
        return sum(one.input_tokens or 0 for one in calls), sum(one.output_tokens or 0 for one in calls)


class Spans(SpanExporter):
    """Keeps the last `most` spans. content: keep attributes that hold what people and models wrote.

    Taught in notebook 11, section "A poisoned result".
    """

    def __init__(self, content: bool = False, most: int = 2000):
        self.content, self._lock = content, threading.Lock()
        self._spans: deque[ReadableSpan] = deque(maxlen=most)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take spans from the SDK."""
        with self._lock:
            self._spans.extend(spans)
        return SpanExportResult.SUCCESS

    def runs(self) -> list[Run]:
        """Return the traces, the oldest first."""
        traces: dict[int, list[ReadableSpan]] = {}
        with self._lock:
            for span in self._spans:
                traces.setdefault(span.context.trace_id, []).append(span)
        ordered = sorted(traces.items(), key=lambda one: min(span.start_time for span in one[1]))
        return [Run(f"{trace:032x}", tuple(self._steps(spans))) for trace, spans in ordered]

    def _steps(self, spans: list[ReadableSpan]) -> list[Step]:
        spans = sorted(spans, key=lambda span: span.start_time)
        here, origin, depths = {span.context.span_id for span in spans}, spans[0].start_time, {}
        for span in spans:  # a parent begins before its children
            parent = span.parent.span_id if span.parent and span.parent.span_id in here else None
            depths[span.context.span_id] = depths.get(parent, -1) + 1
        return [self._step(span, depths[span.context.span_id], origin) for span in spans]

    def _step(self, span: ReadableSpan, depth: int, origin: int) -> Step:
        found = {k: v for k, v in (span.attributes or {}).items() if self.content or k not in CONTENT}
        failed = not span.status.is_ok and span.status.status_code.name == "ERROR"
        return Step(
            name=span.name,
            operation=str(found.get(OPERATION, "")),
            depth=depth,
            start=(span.start_time - origin) / 1e9,
            seconds=(span.end_time - span.start_time) / 1e9,
            input_tokens=found.get(INPUT_TOKENS),
            output_tokens=found.get(OUTPUT_TOKENS),
            tool=str(found.get(TOOL_NAME, "")),
            error=str(found.get(ERROR_TYPE, "error" if failed else "")),
            attributes=found,
        )
