"""labkit deploy: from a preset or a manifest to today's commands, and to files for Compose, Kubernetes and systemd."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer(no_args_is_help=True, help="Plan a deployment and write its files; nothing is started.")

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
