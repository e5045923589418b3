"""Commands about the course and this machine: doctor, lab, run, version."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import HIGHEST_PORT, Backend, Json, ProgressLine, complain, print_out
from labkit.errors import LabkitError

app = typer.Typer()


@app.command(
    epilog="Example: **labkit doctor --json**; **labkit doctor --report desk-07.json** for an instructor's board"
)
def doctor(
    report: Annotated[Path | None, typer.Option(help="Write it into this file too, without names and folders.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is here, what fits, which lessons run, what to install, and which engines listen."""
    from labkit import doctor, hardware

    found = doctor.report()
    if report:
        from labkit.kit.report import write_report

        complain(f"{write_report(report, found)} is for `labkit kit board`.")
    print_out(found if as_json else doctor.text(found, hardware.machine().table()))


@app.command(epilog="Example: **labkit lab** lays the notebooks out in the folder *my-course* and opens them.")
def lab(
    folder: Annotated[Path, typer.Argument(help="Where to lay the notebooks out; edited ones are kept.")] = Path(
        "my-course"
    ),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[
        int, typer.Option(min=0, max=HIGHEST_PORT, help="Port on this machine; 0 lets JupyterLab choose.")
    ] = 8888,
    prepare: Annotated[bool, typer.Option("--prepare", help="Lay out and fetch, and open nothing.")] = False,
) -> None:
    """Fetch the small model if it is not here yet, and open JupyterLab on the course, at its start page."""
    from labkit import catalog, course, weights
    from labkit.exercises import start_page
    from labkit.lab import open_lab
    from labkit.progress import progress_bar

    _print_laid_out(folder, course.lay_out(folder), start_page.place(folder))
    try:
        weights.ensure(catalog.default_model(), progress=progress_bar())
    except LabkitError as error:
        if prepare:
            raise
        complain(str(error))  # the course still opens; its first cell says the same
    if not prepare:
        raise typer.Exit(open_lab(folder, browser=browser, port=port))


@app.command(epilog="Example: **labkit run 00 01 --html site/**; **labkit run --memory 2** as on Binder")
def run(
    lessons: Annotated[
        list[str] | None, typer.Argument(help="Numbers, names or notebook files; all lessons if none.")
    ] = None,
    backend: Backend = "auto",
    html: Annotated[Path | None, typer.Option(help="Also write the executed lessons as HTML into this folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the executed notebooks in this folder.")] = None,
    timeout: Annotated[int, typer.Option(help="Longest time for one cell, in seconds.")] = 600,
    memory: Annotated[
        float | None, typer.Option(help="Allow a lesson so many GB, as on Binder (2) or a small machine.", min=0.1)
    ] = None,
    as_json: Json = False,
) -> None:
    """Run lessons in fresh kernels and say whether they are really green. Exit status 1 if one is not."""
    from labkit import course
    from labkit.backends import known_backend

    chosen = None if backend == "auto" else known_backend(backend)  # before a kernel starts for nothing
    options = {"backend": chosen, "html": html, "out": out, "timeout": timeout}
    options["memory_bytes"] = round(memory * 1e9) if memory else None
    with ProgressLine() as line:
        results = course.run(lessons or (), **options, on_progress=line.show_cell)
    if as_json:
        print_out([result.to_dict() for result in results])
    else:
        for result in results:
            _print_result(result)
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


@app.command(epilog="Example: **labkit version --json**")
def version(as_json: Json = False) -> None:
    """Print the versions of labkit, Python and the engines."""
    import labkit
    from labkit import backends

    found = {"labkit": labkit.__version__, "python": sys.version.split()[0]}
    found.update({name: here.version for name, here in backends.available().items() if here})
    print_out(found if as_json else "\n".join(f"{name} {number}" for name, number in found.items()))


def _print_laid_out(folder: Path, *done) -> None:
    print_out(f"The notebooks are in {folder}")
    for what, name in (("new", "written"), ("brought up to date", "updated"), ("kept as you left it", "kept")):
        files = [path for one in done for path in getattr(one, name)]
        if files:
            print_out(f"  {what}: {', '.join(path.name for path in files)}")


def _print_result(result) -> None:
    slowest = max(result.cells, key=lambda cell: cell[1], default=(0, 0.0))
    verdict = "green" if result.ok else "RED  "
    pace = f"{len(result.cells)} cells, slowest {slowest[0]} with {slowest[1]:.1f} s"
    memory = f"memory at most {result.peak_bytes / 1e9:.2f} GB"
    print_out(f"{verdict} {result.lesson}  {result.seconds:.1f} s, {pace}, {memory}")
    for problem in result.problems:
        print_out(f"      {problem}")
    if result.problems:
        print_out(f"      executed notebook: {result.output}")
