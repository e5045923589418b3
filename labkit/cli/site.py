"""labkit map, labkit site: the original module heading by heading, and the course as pages that any browser reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, ProgressLine, print_out

app = typer.Typer()


@app.command("map", epilog="Example: **labkit map --json**")
def show_map(as_json: Json = False) -> None:
    """Print where each heading of the original module is taught, what became of its recipes, and the same by lesson."""
    from labkit import module_map

    print_out(module_map.to_dict() if as_json else module_map.text())


@app.command(epilog="Example: **labkit run --out executed**, then **labkit site --from executed --to site**")
def site(
    to: Annotated[Path, typer.Option(help="The folder to write; open its index.html in a browser.")],
    executed: Annotated[
        Path | None, typer.Option("--from", help="A folder of executed lessons; without it, all are run first.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the executed lessons as pages that need no server and no network, and check their links.

    Exit status 1 if a lesson is red or was never executed, or if a link leads nowhere.
    """
    from labkit.site import build

    with ProgressLine() as line:
        built = build(to, executed, line.show_cell)
    if as_json:
        print_out(built.to_dict())
    else:
        print_out(f"{len(built.pages)} pages with {built.figures} figures: {built.pages[0]}")
        for what in built.problems:
            print_out(f"  {what}")
        if built.external:
            print_out(f"  links to other hosts, not tried: {', '.join(built.external)}")
    raise typer.Exit(0 if built.ok else 1)
