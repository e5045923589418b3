"""labkit record: keep what engines answer in a lesson, for learners who lack them, and hold it against the live engines."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, ProgressLine, print_out

app = typer.Typer()


@app.command(
    epilog="Examples: **labkit record 07 --backend vllm**; **labkit record --check** asks every engine here again."
)
def record(
    lessons: Annotated[list[str] | None, typer.Argument(help="Numbers, names or notebook files.")] = None,
    backend: Annotated[str, typer.Option(help="Only this engine, which has to be here.")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compare the recordings with live engines; change none.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run lessons live and keep what their engines answer, for learners without them. Exit status 1 if one is red or stale."""
    from labkit import recordings

    if not lessons and not check:
        raise typer.BadParameter("name the lessons to record, or give --check")
    with ProgressLine() as line:
        if check:
            found = list(recordings.check(lessons or (), backend=backend, progress=line.show))
        else:
            found = list(recordings.record(lessons, backend=backend, on_progress=line.show_cell))
    print_out([one.to_dict() for one in found] if as_json else "\n".join(map(_checked if check else _recorded, found)))
    raise typer.Exit(0 if all((one.state != "stale") if check else one.ok for one in found) else 1)


def _recorded(one) -> str:
    if not one.ok:
        return "\n".join(
            [f"RED   {one.lesson}  nothing was replaced", *(f"      {problem}" for problem in one.problems)]
        )
    kept = [f"      {path}  {path.stat().st_size / 1000:.0f} kB" for path in one.files]
    return "\n".join([f"green {one.lesson}", *kept])


def _checked(one) -> str:
    head = f"{one.state:15} {one.engine} {one.lesson}"
    advice = [] if one.state == "true" else [f"      Try: {one.fix}"]
    return "\n".join([head, *(f"      {finding}" for finding in one.findings), *advice])
