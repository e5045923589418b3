"""labkit deploy edge-drill and capacity: an edge that is put to the test here, and a larger one on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit.cli.common import Backend, Json, Model, ProgressLine, print_out
from labkit.errors import ConfigError

app = typer.Typer()


@app.command(
    epilog="Example: **labkit deploy edge-drill --offline-seconds 10** (half a minute), or your own: "
    "**labkit deploy edge-drill edge.yaml --json**"
)
def edge_drill(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A manifest; default: the module's, data/edge.yaml.")
    ] = None,
    devices: Annotated[int, typer.Option(min=0, help="So many equal devices, in place of a manifest.")] = 0,
    offline_seconds: Annotated[float, typer.Option(min=1, help="How long the first device is offline.")] = 60.0,
    per_second: Annotated[
        float, typer.Option(min=0.1, max=20, help="Requests a second at each device, at most.")
    ] = 1.0,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the devices' files in this new folder.")
    ] = None,
    backend: Backend = "auto",
    model: Model = "auto",
    as_json: Json = False,
) -> None:
    """Take a device off the network, kill it, bring it back, and account for every request. Exit status 1 if one is lost.

    Devices and cloud tier are processes of this machine and share one engine, which plays every model of the manifest.
    """
    import labkit
    from labkit.deploy.edge.drill import drill
    from labkit.deploy.edge.layout import example, layout
    from labkit.deploy.manifest import load
    from labkit.paths import data_dir

    manifest = example(devices) if devices else load(file or data_dir() / "edge.yaml")
    layout(manifest)  # refused before an engine is started for it
    if keep:
        _new_folder(keep)
    with ProgressLine() as line:
        line.show("starting the engine", 0, 1)
        with labkit.connect(backend, model, context=1024, shared=False) as engine:
            told = {"seconds": offline_seconds, "per_second": per_second, "folder": keep, "progress": line.show}
            report = drill(manifest, engine, **told)
    print_out(report if as_json else _words(report))
    raise typer.Exit(int(not report["ok"]))


def _new_folder(folder: Path) -> None:
    """Files of an earlier drill would be counted as this one's."""
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty.",
            "a drill begins with devices that know of nothing",
            "labkit deploy edge-drill --keep another-folder",
        )
    folder.mkdir(parents=True, exist_ok=True)


SAID = {
    "accepted": "accepted", "lost": "  lost", "answered_locally": "  answered on the device",
    "answered_by_peer": "  answered by a peer", "answered_by_cloud": "  answered by the cloud",
    "nobody_sure": "  nobody was sure", "stored": "stored for the cloud", "forwarded": "  forwarded",
    "waiting": "  still waiting", "private": "private", "private_kept": "  kept on the device",
}  # fmt: skip


def _words(report: dict) -> str:
    devices, cloud = report["devices"], report["cloud"]
    lines = [f"{'':26}{''.join(f'{name:>10}' for name in devices)}{'together':>10}"]
    for name, said in SAID.items():
        counts = "".join(f"{one[name]:>10}" for one in devices.values())
        lines.append(f"{said:26}{counts}{report['total'][name]:>10}")
    offline = f"{report['offline_device']} was offline for {report['seconds_offline']:g} s and killed in the middle"
    lines += [
        "",
        f"{offline}: {report['accepted_offline']} accepted meanwhile, {report['stored_when_back']} waited for the cloud then",
        f"the cloud got {cloud['received']} sendings, suppressed {cloud['duplicates']} duplicates, did {cloud['effects']} "
        f"requests, {cloud['twice']} twice",
        f"private requests that left their device: {report['total']['private_sent']}",
        f"every model was played by {report['played_by']}",
        "Everything is accounted for." if report["ok"] else f"Not well: {'; '.join(report['problems'])}.",
    ]
    return "\n".join(lines)


@app.command(
    epilog="Example: **labkit bench --concurrency 4 --json > bench.json**, then "
    "**labkit deploy capacity --bench bench.json --requests-per-day 1e6 --assume tokens_out=20:40:80**"
)
def capacity(
    requests_per_day: Annotated[
        str, typer.Option(help="Of all devices together; LOW:MIDDLE:HIGH where unsure.")
    ] = "1e6",
    devices: Annotated[int, typer.Option(min=0, help="How many there are; 0: as many as it takes.")] = 0,
    assume: Annotated[list[str] | None, typer.Option(metavar="NAME=SPAN", help="As in data/capacity.toml.")] = None,
    bench: Annotated[
        Path | None, typer.Option(help="Output of labkit bench --json; else an engine is measured.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once in one device.")] = 4,
    target: Annotated[float, typer.Option(help="Utilisation to stay at, at the busiest time.")] = 0.7,
    cloud: Annotated[str, typer.Option(help="Row of the price table.")] = "large",
    backend: Backend = "auto",
    model: Model = "auto",
    as_json: Json = False,
) -> None:
    """How many devices for so many requests a day, how long the line, what it costs beside the cloud, and from when it pays."""
    from labkit.deploy import capacity as plan

    own = dict(_assumed(one, plan.table()["assume"]) for one in assume or [])
    given = {
        "requests_per_day": plan.Span.of(requests_per_day),
        "devices": devices or None,
        "target": target,
        "cloud": cloud,
        **own,
    }
    level = _stored(bench, concurrency) if bench else _measured(backend, model, concurrency)
    found = plan.capacity(plan.Assumptions(plan.Speed.of(level), **given))
    print_out(found.to_dict() if as_json else found.text())


def _assumed(text: str, known: dict) -> tuple[str, Any]:
    """NAME=SPAN, checked before an engine is measured for it."""
    from labkit.deploy.span import Span

    name, _, value = text.partition("=")
    if name not in known:
        raise ConfigError(
            f"There is no assumption {name!r}.", f"they are {', '.join(known)}", "labkit deploy capacity -h"
        )
    return name, Span.of(value)


def _stored(file: Path, concurrency: int):
    """The level of a benchmark that was kept."""
    from labkit.bench.results import Engine

    try:
        engine = Engine.from_dict(json.loads(file.read_text(encoding="utf-8"))["engines"][0])
        return next(one for one in engine.levels if one.concurrency == concurrency)
    except (OSError, ValueError, KeyError, TypeError, IndexError, StopIteration) as error:
        what = f"{file} holds no benchmark with {concurrency} at once."
        fix = f"labkit bench --concurrency {concurrency} --json > bench.json"
        raise ConfigError(what, f"{type(error).__name__}: {error}", fix) from None


def _measured(backend: str, model: str, concurrency: int):
    """An engine here, measured now: some seconds."""
    import labkit
    from labkit.bench.serving import Plan, measure

    with ProgressLine() as line, labkit.connect(backend, model, parallel=concurrency) as engine:
        return measure(engine, Plan(levels=(concurrency,), rounds=2), line.show).levels[0]
