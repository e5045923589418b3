"""labkit map, names, site: where headings of the original module and labkit's own names are taught; the course as pages."""

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


@app.command("names", epilog="Example: **labkit names connect**, or **labkit names labkit.operate.alerts --json**")
def show_names(
    name: Annotated[str, typer.Argument(help="A name as it is imported, its end, or a module; all without it.")] = "",
    as_json: Json = False,
) -> None:
    """Print where labkit's public names are taught: the section of a lesson, and the sections whose code has them."""
    from labkit import names

    found = names.find(name) if name else names.names()
    print_out(names.to_dict(found) if as_json else names.text(found))


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
