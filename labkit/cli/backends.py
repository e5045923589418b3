"""labkit backends: what every engine can really do, as measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, ProgressLine, complain, print_out

app = typer.Typer()


@app.command(
    epilog="Examples: **labkit backends** prints what is known; **labkit backends ollama --measure** asks Ollama now "
    "(about a minute)."
)
def backends(
    names: Annotated[list[str] | None, typer.Argument(help="Engines; all of them if none.")] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Start each engine and run every check now.")] = False,
    out: Annotated[Path | None, typer.Option(help="With --measure: also write the results into this folder.")] = None,
    as_json: Json = False,
) -> None:
    """What every engine can really do: the capability matrix, as measured here or shipped with the course."""
    from labkit import conformance

    found = conformance.matrix(*names or ())  # a wrong name is told before anything starts
    if measure:
        _measure(list(names or ()), out)
        found = conformance.matrix(*names or ())
    print_out(found.to_dict() if as_json else str(found))


def _measure(names: list[str], out: Path | None) -> None:
    """Run the suite on these engines (default: those that are here), one at a time, and keep what it finds."""
    from labkit import conformance
    from labkit.backends import available

    line, here = ProgressLine(), available()
    known = conformance.measure_reference(line.show)
    for name in names or [name for name, is_here in here.items() if is_here]:
        result = conformance.measure(name, known, line.show)
        conformance.store(result)
        if out:
            conformance.store(result, out)
        line.clear()
        complain(f"{name}: measured in {result.seconds:.0f} s")
