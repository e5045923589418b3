"""labkit kit: build, verify, board. The course on a stick, and thirty machines at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out
from labkit.progress import Progress, progress_bar

app = typer.Typer(
    no_args_is_help=True,
    help="A workshop without a network: the course in one folder, and a board of the machines.",
    epilog="Example: **labkit kit build --to /media/stick/kit**, then **labkit kit verify /media/stick/kit**",
)


@app.command(epilog="Example: **labkit kit build --to /media/stick/kit --platform linux-x86_64 --python 3.12**")
def build(
    to: Annotated[Path, typer.Option(help="The folder of the kit; what is there and right is kept.")],
    platform: Annotated[
        list[str] | None, typer.Option(help="For which machines; again for more. Else: this one.")
    ] = None,
    python: Annotated[list[str] | None, typer.Option(help="For which Pythons; again for more. Else: this one.")] = None,
    as_json: Json = False,
) -> None:
    """Pack wheels, weights, notebooks and an installer for machines without a network. Needs a clone and a network."""
    from labkit import kit

    names = platform or [kit.here().platform]
    targets = [kit.Target.of(one, version) for one in names for version in python or [kit.here().python]]
    built = kit.build(to, targets, _progress())
    if as_json:
        return print_out(built.to_dict())
    print_out(f"{built.folder}: {built.files} files, {built.nbytes / 1e6:,.0f} MB, checksum {built.fingerprint[:16]}")
    print_out(f"\nTry: python {built.folder / 'install.py'}")


@app.command(epilog="Example: **labkit kit verify /media/stick/kit**")
def verify(folder: Annotated[Path, typer.Argument(help="The kit.")], as_json: Json = False) -> None:
    """Read every file of a kit against its checksum. Exit status 1 if one is changed or missing."""
    from labkit import kit

    found = kit.verify(folder, _progress())
    print_out(found.to_dict() if as_json else str(found))
    raise typer.Exit(0 if found.ok else 1)


@app.command(epilog="Example: **labkit kit board reports/ --html board.html**")
def board(
    reports: Annotated[
        list[Path], typer.Argument(help="Files of `doctor --report` and `progress --export`, or folders.")
    ],
    html: Annotated[Path | None, typer.Option(help="Also write the board as a page.")] = None,
    as_json: Json = False,
) -> None:
    """Show all machines and learners at a glance: what runs where, what is wrong, who is how far."""
    from labkit.kit import board as boards
    from labkit.kit import board_page

    found = boards.board(reports)
    if html:
        board_page.write(found, html)
    print_out(found.to_dict() if as_json else board_page.text(found))


def _progress() -> Progress:
    """Bars of bytes, and of wheels where those are counted."""
    bytes_, wheels = progress_bar(), progress_bar(unit=" wheels")
    return lambda label, done, total: (wheels if label.startswith("wheels") else bytes_)(label, done, total)
