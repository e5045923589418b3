"""labkit lessons, labkit progress: what there is to learn, and how far one has come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


@app.command(
    epilog="Example: **labkit lessons**; **labkit lessons 04** for one; **labkit lessons --plan 4h** for a workshop"
)
def lessons(
    lesson: Annotated[str, typer.Argument(help="One lesson: its exercises, and notes for who teaches it.")] = "",
    plan: Annotated[str, typer.Option(help="A timetable: 2h, 4h or 8h.")] = "",
    as_json: Json = False,
) -> None:
    """List the lessons with their minutes, needs and engines, and how much of each is done."""
    from labkit import course
    from labkit.kit import syllabus
    from labkit.kit.lessons import about, about_text, listing, listing_text

    if plan:
        table = syllabus.plan(plan)
        print_out(table.to_dict() if as_json else syllabus.plan_text(table))
    elif lesson:
        found = about(course.lesson_by_id(lesson))
        print_out(found if as_json else about_text(found))
    else:
        rows = listing()
        print_out(rows if as_json else listing_text(rows))


@app.command(epilog="Example: **labkit progress --export desk-07-progress.json** for an instructor")
def progress(
    export: Annotated[
        Path | None, typer.Option(help="Write verdicts, counts and times into this file; no answers.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="With --export: also the answers in the notebooks of this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how far you have come in each lesson."""
    from labkit.kit import progress as own

    if answers and not export:
        raise typer.BadParameter("it goes with --export", param_hint="--answers")
    if export:
        path = own.export(export, answers)
        return print_out(
            {"file": str(path)} if as_json else f"{path} holds {'answers too' if answers else 'no answers'}."
        )
    rows = own.by_lesson()
    print_out([row.to_dict() for row in rows] if as_json else own.text(rows))
