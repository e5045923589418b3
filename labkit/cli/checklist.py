"""labkit checklist: the module's three checklists, looked at for real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Backend, Json, Model, ProgressLine, print_out

app = typer.Typer()


@app.command(
    epilog='Example: **labkit checklist kiosk.toml --json**, where kiosk.toml says `audit = "audit.jsonl"`, '
    "`requests_per_second = 2`, `tokens_per_hour = 50000`, `queue = 100` and so on (see labkit/operate/service.py)"
)
def checklist(
    file: Annotated[
        Path | None, typer.Argument(help="A description of your service (TOML); without it, labkit's defaults.")
    ] = None,
    backend: Backend = "auto",
    model: Model = "auto",
    just_list: Annotated[bool, typer.Option("--list", help="Only say what there is, check nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Check each item of the deployment checklists: pass, fail, or not checkable here, with evidence. Exit status 1 if one fails.

    Without a base_url in the file, labkit starts an engine of its own, and kills it once to see it come back.
    """
    from labkit.operate import checklist as lists
    from labkit.operate.service import Service, read

    if just_list:
        rows = [
            {"id": one.id, "group": one.group, "says": one.says, "where": one.where, "check": one.check or None}
            for one in lists.items()
        ]
        words = "\n".join(f"{one['id']:16} {one['check'] or 'not checkable here':20} {one['says']}" for one in rows)
        return print_out(rows if as_json else words)
    service = read(file) if file else Service()
    with ProgressLine() as line:
        results = lists.run(service, backend=backend, model=model, progress=line.show)
    print_out([one.to_dict() for one in results] if as_json else lists.table(results))
    raise typer.Exit(int(any(one.status == "fail" for one in results)))
