"""labkit map, labkit site: the original module heading by heading, and the course as pages that any browser reads."""

from __future__ import annotations

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


@app.command("map", epilog="Example: **labkit map --json**")
def show_map(as_json: Json = False) -> None:
    """Print where each heading of the original module is taught, what became of its recipes, and the same by lesson."""
    from labkit import module_map

    print_out(module_map.to_dict() if as_json else module_map.text())
