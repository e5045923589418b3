"""labkit deploy: from a preset or a manifest to today's commands, and to files for Compose, Kubernetes and systemd."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer(
    no_args_is_help=True,
    help="Plan a deployment, write its files, or run it on Ray Serve here.",
    epilog="Example: **labkit deploy plan DEVELOPMENT** starts nothing, and says what would be started",
)

What = Annotated[str, typer.Argument(metavar="FILE|PRESET", help="A manifest, or DEVELOPMENT … ENTERPRISE.")]


@app.command(epilog="Example: **labkit deploy plan STAGING --explain**, or **labkit deploy plan shop.yaml --json**")
def plan(
    what: What,
    explain: Annotated[bool, typer.Option(help="Say who was asked, and what became of each setting.")] = False,
    as_json: Json = False,
) -> None:
    """Print the exact commands for the engines that are installed here, and every reason why they would not run."""
    from labkit.deploy import plan as planning

    found = planning.plan(planning.read(what))
    print_out(found.to_dict() if as_json else found.text(explain))
    if not found.ok:
        raise typer.Exit(1)


@app.command(epilog="Example: **labkit deploy schema > manifest.schema.json**")
def schema() -> None:
    """Print the JSON Schema of a manifest: which keys there are, and what each one takes."""
    from labkit.deploy.manifest import json_schema

    print_out(json_schema())


@app.command(epilog="Example: **labkit deploy render shop.yaml --to compose --out deployed**")
def render(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A manifest.")],
    to: Annotated[str, typer.Option(help="compose, kubernetes or systemd.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Write the files here; without it, they are printed.")] = "",
    as_json: Json = False,
) -> None:
    """Write the files of a manifest for Docker Compose, Kubernetes or systemd; without --out, print them."""
    from labkit.deploy import render as rendering
    from labkit.deploy.manifest import load

    files = rendering.render(load(Path(file)), rendering.target(to))
    if out:
        written = [str(path) for path in rendering.write(files, Path(out))]
        print_out(written if as_json else "\n".join(written))
    else:
        print_out(files if as_json else "\n".join(f"# ---- {name}\n{text}" for name, text in files.items()))
