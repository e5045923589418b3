"""labkit claims: what the module says, beside what this machine measured."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


@app.command(epilog="Example: **labkit claims --lesson 03**")
def claims(
    lesson: Annotated[str | None, typer.Option(help="Only the claims that this lesson measures.")] = None,
    as_json: Json = False,
) -> None:
    """Show every figure that the module claims, what was measured here, and whether it holds."""
    from labkit import claims, course
    from labkit.widgets.claims_table import claims_text

    wanted = course.lesson_by_id(lesson).id if lesson else None
    found = [one for one in claims.results() if wanted in (None, one.claim.lesson)]
    print_out([one.to_dict() for one in found] if as_json else claims_text(found))
