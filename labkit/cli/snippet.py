"""labkit snippet: a part of labkit for a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


@app.command(epilog="Example: **labkit snippet guard --to my-project**; without a name, what there is")
def snippet(
    name: Annotated[str, typer.Argument(help="Which part.")] = "",
    to: Annotated[Path, typer.Option(help="The folder of your project.")] = Path("."),
    package: Annotated[str, typer.Option(help="Name of the package in your project; else the part's own.")] = "",
    as_json: Json = False,
) -> None:
    """Copy a part of labkit, with all that it imports, its tables and its test, as a package that needs no labkit."""
    from labkit import snippets

    if not name:
        rows = [
            {
                "name": one.name,
                "title": one.title,
                "modules": len(one.parts()),
                "lines": one.lines(),
                "needs": one.requires(),
            }
            for one in snippets.snippets().values()
        ]
        return print_out(rows if as_json else "\n".join(map(_row, rows)))
    files = snippets.snippet(name).write(to, package)
    if as_json:
        return print_out({"files": [str(one) for one in files]})
    print_out("\n".join(str(one) for one in files))
    print_out(
        f"\npip install -r {to / f'requirements-{package or name}.txt'} && pytest {to / f'test_{package or name}.py'}"
    )


def _row(row: dict) -> str:
    needs = ", ".join(row["needs"]) or "nothing but Python"
    return f"{row['name']:9} {row['title']}\n          {row['modules']} modules, {row['lines']} lines; needs {needs}"
