"""labkit backends: what every engine can really do, as measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, ProgressLine, complain, print_out
from labkit.errors import LabkitError

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

    if out and not measure:
        raise typer.BadParameter("it goes with --measure", param_hint="--out")
    found, failed = conformance.matrix(*names or ()), 0  # a wrong name is told before anything starts
    if measure:
        failed = _measure(list(names or ()), out)
        found = conformance.matrix(*names or ())
    print_out(found.to_dict() if as_json else str(found))
    raise typer.Exit(1 if failed else 0)


def _measure(names: list[str], out: Path | None) -> int:
    """Run the suite on these engines (default: those that are here), one at a time; return how many could not be measured."""
    from labkit import conformance
    from labkit.backends import available

    with ProgressLine() as line:
        known, failed = conformance.measure_reference(line.show), 0
    for name in names or [name for name, is_here in available().items() if is_here]:
        try:
            with ProgressLine() as line:
                result = conformance.measure(name, known, line.show)
        except LabkitError as error:  # the other engines still can
            failed += 1
            complain(f"{name}: {type(error).__name__}: {error}")
            continue
        for folder in (None, out) if out else (None,):
            conformance.store(result, folder)
        complain(f"{name}: measured in {result.seconds:.0f} s")
    return failed
