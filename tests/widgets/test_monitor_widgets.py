"""Dashboard, agent run and alert timeline: figures, words and saved pages say the same."""

import json

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from labkit.operate.alerts import Alerts, Event
from labkit.operate.health import Health
from labkit.operate.monitor import Monitor, Sample
from labkit.operate.rules import rules
from labkit.operate.spans import Run, Step
from labkit.widgets.agent_run import run_figure, run_scene, run_text
from labkit.widgets.alert_timeline import stretches, timeline_figure, timeline_scene, timeline_text
from labkit.widgets.dashboard import dashboard, dashboard_html, dashboard_text, sparkline

EVIL = "<img src=x onerror=alert(1)>"


def samples():
    values = [
        {"up": 1.0, "requests_waiting": float(n), "response_time_ms": None if n == 2 else 100.0 * n} for n in range(5)
    ]
    return [Sample(float(n), 0.0, one, ("m",)) for n, one in enumerate(values)]


# -- dashboard ------------------------------------------------------------------------------------------------------------


def test_words_and_page_have_every_figure_and_every_alert():
    firing = [Event(0.0, "queue", "firing", "critical", 60.0, "60 requests wait in line")]
    health = Health("degraded", 100.0, "queue: 60 requests wait in line")
    text = dashboard_text(samples()[-1], health, firing, ["gpu-busy"])
    html = dashboard_html(samples(), health, firing)
    assert text.startswith("degraded: queue") and "nothing here to watch for: gpu-busy" in text
    for part in ("400", "60 requests wait in line", "critical"):
        assert part in text and part in html
    assert html.count("<svg") == 3, "a line beside each figure that is there"


def test_an_unknown_figure_is_said_to_be_unknown():
    text = dashboard_text(samples()[2], Health("healthy", 100.0))
    (line,) = [line for line in text.splitlines() if "response_time_ms" in line]
    assert "unknown" in line and " 0 " not in line


def test_a_gap_breaks_the_line_and_is_no_zero():
    assert sparkline([1.0, 2.0, None, 2.0, 1.0]).count("M") == 2
    assert sparkline([1.0, 2.0, 1.0, 2.0]).count("M") == 1 and 'stroke="currentColor"' in sparkline([1.0])
    assert "nothing known" in sparkline([None, None]) and 'd=""' in sparkline([])
    assert "between 0 and 0" in sparkline([0.0, 0.0])


def test_what_an_engine_says_is_escaped():
    html = dashboard_html(
        samples(), Health("unhealthy", 0.0, EVIL), [Event(0.0, EVIL, "firing", "critical", None, EVIL)]
    )
    assert "<img" not in html and html.count("&lt;img") == 3


def test_the_board_follows_the_monitor_until_it_is_closed(endpoint):
    with Monitor(endpoint) as watching:
        board = dashboard(watching)
        assert len(watching.samples) == 1 and "healthy" in board.view.value and "svg" in board.view.value
        before = board.view.value
        watching.endpoint.chat("hello", max_tokens=2)
        watching.sample()
        assert board.view.value != before and "response time ms" in board.html and "response_time_ms" in board.text
        kept = board.view.value
        board.close()
        board.close()
        watching.sample()
        assert board.view.value == kept
        bundle = board._repr_mimebundle_()
        assert {"text/html", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(bundle)


BOARD = """import json, os
from labkit.backends.base import Endpoint
from labkit.operate.monitor import Monitor
from labkit.widgets.dashboard import dashboard
monitor = Monitor(Endpoint(**json.loads('{where}'))).start(every=0.1)
dashboard(monitor)"""


def test_under_papermill_the_saved_page_has_the_board(endpoint, tmp_path):
    where = json.dumps({name: getattr(endpoint, name) for name in ("backend", "base_url", "model", "api_key")})
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    source, done = tmp_path / "source.ipynb", tmp_path / "done.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(BOARD.format(where=where))], metadata=kernel), source)
    papermill.execute_notebook(str(source), str(done), progress_bar=False, execution_timeout=120)
    (output,) = nbformat.read(done, as_version=4).cells[0].outputs
    assert "<svg" in output.data["text/html"] and output.data["text/plain"].startswith("healthy")


# -- one agent run ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def run():
    steps = (
        Step("invoke_agent clerk", "invoke_agent", 0, 0.0, 2.0, 90, 30),
        Step("chat m", "chat", 1, 0.1, 0.5, 40, 20),
        Step("execute_tool stock", "execute_tool", 1, 0.7, 0.2, tool="stock", error="ToolTimeout"),
        Step("chat m", "chat", 1, 1.0, 0.9, 50, 10),
    )
    return Run("0" * 32, steps)


def test_every_step_is_a_bar_and_a_line(run):
    figure, text = run_figure(run), run_text(run)
    bars = {
        label: (base, x) for trace in figure.data for label, base, x in zip(trace.y, trace.base, trace.x, strict=True)
    }
    assert len(bars) == 4 and bars["4.   chat m"] == (1000, 900)
    lines = text.splitlines()
    assert lines[2].split() == ["100", "500", "40/20", "chat", "m"] and "    failed: ToolTimeout" not in lines[2]
    assert "execute_tool stock  failed: ToolTimeout" in lines[3]
    assert lines[-1] == "2.00 s, 90 tokens read, 30 written, 1 tool calls (stock), 1 steps failed"


def test_kinds_of_steps_differ_without_colour_too(run):
    figure = run_figure(run)
    patterns = [trace.marker.pattern.shape for trace in figure.data]
    assert len(set(patterns)) == len(patterns) == 3 and str(run_scene(run)) == run_text(run)
    assert figure.layout.paper_bgcolor == "rgba(0,0,0,0)"


def test_a_real_call_becomes_a_run(endpoint):
    with Monitor(endpoint) as watching:
        reply = watching.endpoint.chat("Count to five.", max_tokens=4)
        (run,) = watching.telemetry.spans.runs()
    assert f"{reply.prompt_tokens}/{reply.completion_tokens}" in run_text(run) and len(run_figure(run).data) == 1


# -- alerts over time --------------------------------------------------------------------------------------------------------


@pytest.fixture
def events():
    alerts = Alerts([rules()["memory"], rules()["engine-down"]])
    for at in range(400):
        heat = 95.0 if 50 <= at < 200 or 300 <= at < 310 else 40.0
        alerts.step(at, {"memory_usage_percent": heat, "up": 0.0 if at > 390 else 1.0})
    return list(alerts.events)


def test_stretches_are_what_happened(events):
    found = stretches(events, until=400.0)
    assert [(one.alert, one.state) for one in found] == [
        ("memory", "pending"), ("memory", "firing"), ("engine-down", "pending"), ("engine-down", "firing"),
    ]  # fmt: skip
    assert found[0].begin == 0 and found[0].end == found[1].begin == 30 and found[1].over
    assert not found[3].over and found[3].end == 400 - events[0].at


def test_one_that_came_to_nothing_ends_where_it_lapsed():
    alerts = Alerts([rules()["engine-down"]])
    for at, up in enumerate([1, 0, 0, 1, 1, 1, 1, 1]):
        alerts.step(float(at), {"up": float(up)})
    assert [(one.begin, one.end, one.over) for one in stretches(alerts.events, until=100.0)] == [(0.0, 2.0, True)]


def test_the_timeline_says_in_words_what_it_draws(events):
    scene = timeline_scene(events, until=400.0)
    bars = [(label, state.name) for state in scene.figure.data for label in state.y]
    assert len(bars) == 4 == len(scene.text.splitlines()) and "% of the memory is in use" in scene.text
    assert "now" in scene.text.splitlines()[-1] and "now" not in scene.text.splitlines()[0]
    assert len({(t.marker.pattern.shape, t.opacity) for t in scene.figure.data}) == len(scene.figure.data)


def test_no_alerts_are_said_to_be_none():
    assert timeline_text([]) == "No alert was pending or firing." and not timeline_figure([]).data
