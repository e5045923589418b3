"""labkit audit: check an audit log's chain, and read it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer(
    no_args_is_help=True,
    help="Audit logs: check the chain, read the entries.",
    epilog="Example: **labkit audit verify audit.jsonl**",
)
File = Annotated[Path, typer.Argument(help="An audit log (JSON lines).")]


@app.command(
    epilog="Example: **labkit audit verify audit.jsonl --json** (with LABKIT_AUDIT_KEY, if it was written with one)"
)
def verify(
    file: File,
    anchor: Annotated[
        str, typer.Option(metavar="SEQ:HASH", help="What an earlier verify printed, kept elsewhere.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check every line, their order, and that the end is there. Exit status 1 if something does not hold."""
    from labkit.operate import chain

    report = chain.verify(file, chain.key_from_environment(), anchor)
    print_out(report.to_dict() if as_json else _words(report))
    raise typer.Exit(int(not report.ok))


@app.command(epilog="Example: **labkit audit show audit.jsonl --event tool.denied --last 5**")
def show(
    file: File,
    event: Annotated[str, typer.Option(help="Only this kind of event.")] = "",
    last: Annotated[int, typer.Option(min=0, help="Only the last so many; 0: all.")] = 20,
    as_json: Json = False,
) -> None:
    """Print entries, oldest first. Reading stops with an error at the first line that does not hold."""
    from labkit.errors import AuditBroken, AuditError
    from labkit.operate import chain

    if not file.exists():
        raise AuditError(
            f"There is no audit log {file}.", "the path is wrong, or nothing was recorded", "labkit audit -h"
        )
    found, seq = [], 0
    try:
        for entry, head in chain.entries(file, chain.key_from_environment()):
            found, seq = [*found, entry][-last:] if event in ("", entry["event"]) else found, head.seq
    except AuditBroken as error:
        what = f"What follows entry {seq} of {file} does not hold: {error.what}."
        raise AuditBroken(what, error.why, f'labkit audit verify "{file}"') from error
    finally:
        print_out(found if as_json else "\n".join(map(_line, found)))


def _words(report) -> str:
    clock = (
        f"\nThe wall clock was set before entries {', '.join(map(str, report.clock_jumps))}."
        if report.clock_jumps
        else ""
    )
    if report.ok:
        seal = "sealed with the key" if report.keyed else "without a key: keep the anchor elsewhere"
        return f"{report.entries} entries hold ({seal}). Anchor: {report.anchor}{clock}"
    torn = (
        f"\nA crash cut it short ({report.torn_bytes} bytes); the next append sets it aside."
        if report.torn_bytes
        else ""
    )
    where = f"Line {report.line}" if report.line else "The end"
    return f"{where} does not hold: {report.problem}. {report.entries} entries before it do.{torn}{clock}"


def _line(entry: dict) -> str:
    when = datetime.datetime.fromtimestamp(entry["time"], datetime.UTC).isoformat(" ", "seconds").removesuffix("+00:00")
    facts = "  ".join(f"{name}={value}" for name, value in entry["facts"].items())
    return f"{entry['seq']:5}  {when}  {entry['event']:16} {facts}"
