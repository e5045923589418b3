"""labkit soak: a load and fault run against a real engine."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Backend, Json, Model, ProgressLine, print_out

app = typer.Typer()


@app.command(epilog="Example: **labkit soak --minutes 3 --json** (the engine is killed every 20 seconds)")
def soak(
    backend: Backend = "auto",
    model: Model = "auto",
    minutes: Annotated[float, typer.Option(min=0.05, help="How long.")] = 3.0,
    clients: Annotated[int, typer.Option(min=1, help="Clients at once.")] = 16,
    kill: Annotated[float, typer.Option(min=1, help="Seconds between two kills of the engine.")] = 20.0,
    as_json: Json = False,
) -> None:
    """Load a model with clients, kill its engine again and again, account for every request. Exit status 1 if one is lost."""
    from labkit.operate.soak import soak as run

    with ProgressLine() as line:
        report = run(backend, model, seconds=60 * minutes, clients=clients, kill_s=kill, progress=line.show)
    print_out(report if as_json else _words(report))
    raise typer.Exit(int(not report["ok"]))


def _words(report: dict) -> str:
    ends = "\n".join(f"  {name:18} {count:6}" for name, count in report["requests"].items())
    recovery = ", ".join("never" if one is None else f"{one:.1f}" for one in report["recovery_s"]) or "no kill"
    memory = f"{report['memory_before_bytes'] / 1e6:.0f} MB, then {report['memory_after_bytes'] / 1e6:.0f} MB"
    lines = [
        f"{report['clients']} clients, {report['seconds']:g} s, {report['kills']} kills of the engine",
        ends,
        f"lost {report['lost']}; done twice {report['once_twice']} of {report['once_begun']} that must not be",
        f"queue at most {report['queue_longest']} of {report['queue_bound']}; memory of this process {memory}",
        f"seconds until it answered again after a kill: {recovery}",
        "Every request is accounted for." if report["ok"] else f"Not well: {'; '.join(report['problems'])}.",
    ]
    return "\n".join(lines)
