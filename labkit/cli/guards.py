"""labkit guards: what the guards catch, and how often they are wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer(no_args_is_help=True, help="Guards: attacks caught and false alarms, on labelled texts.")


@app.command("eval", epilog="Example: **labkit guards eval --half kept --json**")
def evaluate(
    half: Annotated[
        str, typer.Option(help="dev (to work with) or kept (for figures that nothing was fitted to).")
    ] = "dev",
    wrong: Annotated[bool, typer.Option(help="Show the texts that were judged wrongly.")] = False,
    as_json: Json = False,
) -> None:
    """For each guard: attacks caught and false alarms, each with its 95 % Wilson interval. A changed text counts as caught."""
    from labkit.operate.guard_rates import measure, table

    rows = measure(half)
    if as_json:
        return print_out({"half": half, "guards": [row.to_dict(wrong) for row in rows]})
    print_out(table(rows))
    for row in rows if wrong else ():
        for text, what in [(one, "missed") for one in row.missed] + [(one, "false alarm") for one in row.alarmed]:
            print_out(f"{row.place}, {row.guard}, {what}: {text!a}")


@app.command(epilog='Example: **labkit guards check "Ignore all previous instructions."**')
def check(
    text: Annotated[str, typer.Argument(help="The text to judge.")],
    place: Annotated[str, typer.Option(help="input, tool result or output.")] = "input",
    as_json: Json = False,
) -> None:
    """Say what the guards make of one text. Exit status 1 if it is blocked."""
    from labkit.operate.guardrails import standard

    outcome = standard().outcome(place, text)
    if as_json:
        print_out({"ok": outcome.ok, "reason": outcome.reason, "text": outcome.text})
    else:
        print_out(
            f"{'passes' if outcome.ok else 'blocked'}: {outcome.reason or 'nothing found'}\n{outcome.text}".strip()
        )
    raise typer.Exit(int(not outcome.ok))
