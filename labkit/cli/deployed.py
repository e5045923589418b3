"""labkit deploy up, status, down, drill: a manifest on Ray Serve, on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit.cli.common import HIGHEST_PORT, Json, ProgressLine, end_in_order, print_out, say_starting

app = typer.Typer()

File = Annotated[Path, typer.Argument(metavar="FILE", help="A manifest.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The manifest's name; without it, the only one that runs.")]
Port = Annotated[
    int,
    typer.Option(min=0, max=HIGHEST_PORT, help="Port on 127.0.0.1; 0 takes that of the manifest's first model."),
]


@app.command(epilog="Example: **labkit deploy up shop.yaml**; again, with the file changed, for a rolling update")
def up(
    file: File,
    port: Port = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background, until `labkit deploy down`.")] = (
        False
    ),
    as_json: Json = False,
) -> None:
    """Run a manifest on Ray Serve until Ctrl-C; where it runs already, replace its replicas without losing a request."""
    from labkit.deploy import ray_detach, ray_up
    from labkit.deploy.manifest import load

    manifest = load(file)
    if any(one.name == manifest.name for one in ray_up.running()):
        _show(ray_up.attach(manifest.name).update(manifest), as_json)
        return
    end_in_order()
    say_starting(f"{manifest.name} on Ray Serve", as_json)
    if detach:
        _tell(ray_detach.detach(file, manifest, port), as_json, "until: labkit deploy down")
        return
    with ray_up.up(manifest, port) as deployment:
        _tell(deployment, as_json, "until Ctrl-C")
        deployment.wait()


@app.command(epilog="Example: **labkit deploy status**, or **labkit deploy status shop --json**")
def status(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A manifest's name.")] = "", as_json: Json = False
) -> None:
    """Say what is deployed on this machine: replicas of each model, processes, memory."""
    from labkit.deploy import ray_up

    chosen = [ray_up.attach(name)] if name else ray_up.running()
    found = [one.status() for one in chosen]
    if as_json:
        print_out(found)
    else:
        print_out("\n".join(_words(one) for one in found) or "Nothing is deployed here.")


@app.command(epilog="Example: **labkit deploy down**, or **labkit deploy down shop**")
def down(name: Name = "", as_json: Json = False) -> None:
    """Answer what is under way, take nothing new, and end a deployment with all its processes."""
    from labkit.deploy import ray_up

    deployment = ray_up.attach(name)
    deployment.down()
    print_out({"name": deployment.name, "status": "down"} if as_json else f"{deployment.name} is down.")


@app.command(epilog="Example: **labkit deploy drill shop.yaml --json** (two minutes, on an idle machine)")
def drill(
    file: File,
    callers: Annotated[int, typer.Option(min=1, help="How many ask at once.")] = 6,
    seconds: Annotated[float, typer.Option(min=2, help="Length of each of the three phases.")] = 10,
    as_json: Json = False,
) -> None:
    """Deploy a manifest, kill an engine, a replica and Ray's proxy under load, and count what became of each request."""
    from labkit.bench.deploy_drill import drill as run
    from labkit.bench.deploy_drill import words
    from labkit.deploy.manifest import load

    with ProgressLine() as line:
        found = run(load(file), callers=callers, seconds=seconds, progress=line.show)
    print_out(found if as_json else words(found))
    if not found["ok"]:
        raise typer.Exit(1)


def _tell(deployment: Any, as_json: bool, until: str) -> None:
    facts = {"name": deployment.name, "base_url": deployment.base_url, "pid": deployment.note.pid}
    if as_json:
        # On one line: a program that starts this reads a line, and leaves the rest running.
        print(json.dumps({**facts, "keys": deployment.keys}))
    else:
        rows = [f"{name:9} {value}" for name, value in facts.items()]
        rows += [f"model     {model}, key {key}" for model, key in deployment.keys.items()]
        print_out(f"{deployment.name} on Ray Serve, {until}.\n\n" + "\n".join(rows))
    sys.stdout.flush()


def _show(found: dict[str, Any], as_json: bool) -> None:
    print_out(found if as_json else _words(found))


def _words(found: dict[str, Any]) -> str:
    """Return one deployment's status for people."""
    head = f"{found['name']}  {found['status']}  {found['base_url']}  (process {found['pid']})"
    rows = []
    for name, one in found.get("models", {}).items():
        states = ", ".join(f"{count} {state.lower()}" for state, count in one["replicas"].items())
        rows.append(f"  {name:20} {one['status'].lower():12} {states or 'none'}")
    size = f"  {found['processes']} processes, {found['memory_bytes'] / 1e9:.1f} GB" if "processes" in found else ""
    return "\n".join([head, *rows, size]).rstrip()
