"""The dashboard: what an engine does now, the last minutes as small lines, and what is wrong. Refreshed in place.

    board = dashboard(monitor)        # in a notebook: follows the monitor's samples until board.close()
    print(board.text)                 # the same in words, as it stands

A saved page keeps the last state. A line breaks where nothing was known: an outage is a gap, and not a zero.

Taught in notebook 11, section "What an engine tells".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labkit.operate.engine_metrics import table
from labkit.widgets.look import Card, escape, page, saved_note

if TYPE_CHECKING:
    from labkit.operate.alerts import Event
    from labkit.operate.health import Health
    from labkit.operate.monitor import Monitor, Sample

__all__ = ["Dashboard", "dashboard", "dashboard_html", "dashboard_text", "sparkline"]

SHOWN = (
    "up", "requests_running", "requests_waiting", "calls_in_flight", "output_tokens_per_second", "requests_per_second",
    "response_time_ms", "response_time_p95_ms", "error_rate_percent", "tool_results_caught_percent", "kv_cache_percent",
    "model_memory_gb", "process_memory_gb", "process_cpu_percent",
    "memory_usage_percent", "cpu_usage_percent", "gpu_utilization_percent",
    "gpu_memory_gb",
)  # fmt: skip
UNITS = {name: row["unit"] for section in table().values() for name, row in section.items()} | {"up": ""}
WIDTH, HEIGHT, POINTS = 160, 22, 120


def dashboard(monitor: Monitor) -> Dashboard:
    """Return the dashboard of `monitor`, which samples if it has not yet. It follows until `close()`.

    Taught in notebook 11, section "What an engine tells".
    """
    return Dashboard(monitor)


def dashboard_text(
    sample: Sample | None, health: Health, firing: Sequence[Event] = (), unwatched: Sequence[str] = ()
) -> str:
    """Return the state in words: health, every figure with its unit, what fires, and which rules cannot be watched here.

    Taught in notebook 11, section "What an engine tells".
    """
    lines = [f"{health.status}{f': {health.why}' if health.why else ''}"]
    lines += [f"  {name:26} {text:>10} {UNITS[name]}".rstrip() for name, text in _figures(sample)]
    lines += [f"  {event.severity}: {event.alert}, {event.text}" for event in firing]
    if unwatched:
        lines.append(f"  nothing here to watch for: {', '.join(unwatched)}")
    return "\n".join(lines)


def dashboard_html(samples: Sequence[Sample], health: Health, firing: Sequence[Event] = ()) -> str:
    """Return the same as HTML, escaped, with a line of the last samples beside each figure.

    Taught in notebook 11, section "What an engine tells".
    """
    last = samples[-1] if samples else None
    rows = "".join(_row(name, text, [one.values.get(name) for one in samples]) for name, text in _figures(last))
    why = f' <span class="labkit-quiet">{escape(health.why)}</span>' if health.why else ""
    head = f'<p class="labkit-title"><span class="labkit-label">{escape(health.status)}</span>{why}</p>'
    alerts = "".join(
        f'<p class="labkit-failed">{escape(one.severity)}: {escape(one.alert)}, {escape(one.text)}</p>'
        for one in firing
    )
    return page(f"{head}{alerts}<table><tbody>{rows}</tbody></table>")


def sparkline(values: Sequence[float | None], width: int = WIDTH, height: int = HEIGHT) -> str:
    """Return an SVG line of `values`, from zero to their most, in the colour of the text; None leaves a gap.

    Taught in notebook 11, section "What an engine tells".
    """
    known = [value for value in values if value is not None]
    most, step = max(known, default=0) or 1, width / max(len(values) - 1, 1)
    pieces, pen = [], "M"
    for number, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        pieces.append(f"{pen}{number * step:.1f} {height - 2 - (height - 4) * value / most:.1f}")
        pen = "L"
    said = f"between {min(known):.4g} and {max(known):.4g}" if known else "nothing known"
    return (
        f'<svg role="img" aria-label="{said}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<path d="{" ".join(pieces)}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"/></svg>'
    )


class Dashboard(Card):
    """The live board. `html` and `text` hold what it shows now.

    Taught in notebook 11, section "What an engine tells".
    """

    def __init__(self, monitor: Monitor):
        import ipywidgets

        self.monitor, self.view = monitor, ipywidgets.HTML()
        if not monitor.samples:
            monitor.sample()
        self._follow(None)
        monitor.listeners.append(self._follow)

    @property
    def html(self) -> str:
        """What it shows, as a page that stands alone."""
        return self._now() + page(saved_note("to watch it live"), style=False)

    @property
    def text(self) -> str:
        """What it shows, in words."""
        alerts = self.monitor.alerts
        return dashboard_text(self.monitor.samples[-1], self.monitor.health(), alerts.firing, alerts.unwatched)

    def close(self) -> None:
        """Stop following; what it shows stays. Twice is fine."""
        if self._follow in self.monitor.listeners:
            self.monitor.listeners.remove(self._follow)

    def _follow(self, sample: Sample | None) -> None:
        self.view.value = self._now()

    def _now(self) -> str:
        return dashboard_html(self.monitor.samples[-POINTS:], self.monitor.health(), self.monitor.alerts.firing)


def _figures(sample: Sample | None) -> list[tuple[str, str]]:
    values = sample.values if sample else {}
    return [(name, _YES[values[name]] if name == "up" else _number(values[name])) for name in SHOWN if name in values]


_YES = {1.0: "yes", 0.0: "no"}


def _number(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _row(name: str, text: str, values: list[float | None]) -> str:
    label = escape(name.replace("_", " "))
    return (
        f'<tr><th scope="row">{label}</th><td>{escape(text)} <span class="labkit-quiet">{escape(UNITS[name])}</span></td>'
        f"<td>{sparkline(values)}</td></tr>"
    )
