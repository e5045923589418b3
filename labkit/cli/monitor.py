"""labkit monitor: what an engine does, second by second; what is wrong; and the same for Prometheus."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import (
    HIGHEST_PORT,
    Backend,
    Json,
    Model,
    end_in_order,
    key_of,
    print_out,
    say_starting,
)

app = typer.Typer(invoke_without_command=True, help="What an engine does, second by second, and what is wrong.")


@app.callback(
    invoke_without_command=True,
    epilog="Example: **labkit monitor --backend llamacpp --once --json**. For an engine that runs already (`labkit serve`), "
    "set LABKIT_BASE_URL and LABKIT_API_KEY. With Prometheus: **labkit monitor --port 9100 --write-config .**, then "
    "**prometheus --config.file=prometheus.yml**",
)
def monitor(
    context: typer.Context,
    backend: Backend = "auto",
    model: Model = "auto",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between samples.")] = 1.0,
    seconds: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: with Ctrl-C.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="One sample (of two readings, for the rates), and end.")] = False,
    probe: Annotated[float, typer.Option(min=0, help="Seconds between one-token questions; 0 asks none.")] = 30.0,
    rules: Annotated[Path | None, typer.Option(help="Alert rules of your own, as in data/alerts.toml.")] = None,
    history: Annotated[Path | None, typer.Option(help="Keep the samples in this SQLite file, a day's at most.")] = None,
    port: Annotated[
        int, typer.Option(min=-1, max=HIGHEST_PORT, help="Serve /metrics at this port of 127.0.0.1; 0: a free one.")
    ] = -1,
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Variable with the key for /metrics; else a fresh one.")
    ] = "",
    write_config: Annotated[
        Path | None, typer.Option(help="Write prometheus.yml and labkit.rules.yml into this folder.")
    ] = None,
    otlp: Annotated[str, typer.Option(metavar="URL", help="Send metrics and spans to this OTLP collector.")] = "",
    as_json: Json = False,
) -> None:
    """Watch an engine: one line a sample, and a line for each alert that begins or ends.

    With --json a sample is one line of JSON. With --once the exit status is 0 if it is healthy or degraded, 1 if not.
    """
    if context.invoked_subcommand:
        return
    import labkit
    from labkit.operate.history import History
    from labkit.operate.monitor import Monitor
    from labkit.operate.rules import read_rules

    end_in_order()
    own = read_rules(rules) if rules else None
    with contextlib.ExitStack() as stack:
        say_starting(backend, as_json)
        engine = stack.enter_context(labkit.connect(backend, model))
        telemetry = stack.enter_context(contextlib.closing(_telemetry(otlp)))
        watching = stack.enter_context(
            Monitor(
                engine,
                telemetry=telemetry,
                rules=own,
                history=History(history) if history else None,
                probe_every=0 if once else probe,
            )
        )
        if once:
            return _once(watching, every, as_json)
        if port >= 0 or write_config:
            _serve(stack.enter_context(_exporter(watching, max(port, 0), key_env)), write_config, own, every)
        _watch(watching, every, seconds, as_json)


@app.command(
    epilog="Example: **labkit monitor --history monitor.sqlite --seconds 120**, then "
    "**labkit monitor advice monitor.sqlite --slots 4 --json**"
)
def advice(
    history: Annotated[Path, typer.Argument(help="What `labkit monitor --history` wrote.")],
    window: Annotated[float, typer.Option(min=1, help="Look at the last so many seconds of it.")] = 300.0,
    slots: Annotated[int, typer.Option(min=0, help="Conversations that the engine takes at once; 0: not known.")] = 0,
    as_json: Json = False,
) -> None:
    """More engines, a faster one, or fewer? What the samples in a file advise, and the figures that it stands on.

    Exit status 1 if nobody can know: an outage or too short a time is no reason for anything.
    """
    from labkit.operate.history import kept
    from labkit.operate.scaling import advice as advise

    found = advise(kept(history, window), slots or None, window)
    if as_json:
        print_out(vars(found))
    else:
        figures = [f"  {name:13} {'unknown' if one is None else f'{one:.2f}'}" for name, one in found.figures.items()]
        print_out("\n".join([f"{found.action}: {found.why}", *figures]))
    raise typer.Exit(int(found.action == "unknown"))


def _telemetry(otlp_url: str):
    from labkit.operate.exporter import otlp
    from labkit.operate.telemetry import Telemetry

    readers, exporters = otlp(otlp_url) if otlp_url else ([], [])
    return Telemetry(metric_readers=readers, span_exporters=exporters)


def _once(watching, every: float, as_json: bool) -> None:
    watching.endpoint.chat("ping", max_tokens=1)
    watching.sample()
    threading.Event().wait(every)
    sample, health = watching.sample(), watching.health()
    firing = [{"alert": one.alert, "severity": one.severity, "text": one.text} for one in watching.alerts.firing]
    if as_json:
        found = {"health": vars(health), "models": sample.models, "values": sample.values, "firing": firing}
        print_out({**found, "unwatched": watching.alerts.unwatched})
    else:
        from labkit.widgets.dashboard import dashboard_text

        print_out(dashboard_text(sample, health, watching.alerts.firing, watching.alerts.unwatched))
    if health.status not in ("healthy", "degraded"):
        raise typer.Exit(1)


def _exporter(watching, port: int, key_env: str):
    from labkit.operate.exporter import Exporter

    return Exporter(watching, port=port, key=key_of(key_env) if key_env else "")


def _serve(exporter, folder: Path | None, own, every: float) -> None:
    from labkit.operate.prometheus_rules import rules_yaml
    from labkit.operate.rules import rules

    print(f"{exporter.address}/metrics  Authorization: Bearer {exporter.key}", file=sys.stderr, flush=True)
    if folder:
        (folder / "labkit.rules.yml").write_text(rules_yaml(own or rules()), encoding="utf-8")
        config = folder / "prometheus.yml"
        config.touch()
        config.chmod(0o600)  # the key is in it
        config.write_text(exporter.scrape_config(max(every, 1.0), rules="labkit.rules.yml"), encoding="utf-8")


def _watch(watching, every: float, seconds: float, as_json: bool) -> None:
    done, left = threading.Event(), max(1, round(seconds / every)) if seconds else -1
    while left:
        sample, health = watching.sample(), watching.health()
        if as_json:
            row = {"time": sample.time, "health": health.status, "values": sample.values}
            print(json.dumps({**row, "events": [vars(event) for event in sample.events]}), flush=True)
        else:
            print(_line(sample, health), flush=True)
            for event in sample.events:
                print(f"  {event.severity} {event.alert} {event.state}: {event.text}", flush=True)
        left -= 1
        if left:
            done.wait(every)


LINE = {
    "requests_running": "running {:.0f}", "requests_waiting": "waiting {:.0f}",
    "output_tokens_per_second": "{:.1f} tokens/s", "response_time_ms": "answer {:.0f} ms",
    "error_rate_percent": "errors {:.1f} %", "process_cpu_percent": "cpu {:.0f} %",
    "process_memory_gb": "{:.2f} GB", "gpu_utilization_percent": "gpu {:.0f} %",
}  # fmt: skip


def _line(sample, health) -> str:
    from datetime import datetime

    known = [text.format(value) for name, text in LINE.items() if (value := sample.values.get(name)) is not None]
    when = datetime.fromtimestamp(sample.time).strftime("%H:%M:%S")
    return f"{when}  {health.status:9}  " + ("  ".join(known) if known else health.why)
