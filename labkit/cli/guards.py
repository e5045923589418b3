"""labkit guards: what the guards catch, and how often they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, complain, print_out

app = typer.Typer(
    no_args_is_help=True,
    help="Guards: attacks caught and false alarms, on labelled texts.",
    epilog='Example: **labkit guards check "Ignore all previous instructions."**',
)


@app.command("eval", epilog="Example: **labkit guards eval --half kept --json**")
def evaluate(
    half: Annotated[
        str, typer.Option(help="dev (to work with) or kept (for figures that nothing was fitted to).")
    ] = "kept",
    wrong: Annotated[bool, typer.Option(help="Show the texts that were judged wrongly.")] = False,
    as_json: Json = False,
) -> None:
    """For each guard: attacks caught and false alarms, each with its 95 % Wilson interval. A changed text counts as caught.

    Then the injection guard's operating curve: the same for every place where it may draw its line, in log-odds. That guard has
    learned from the half dev, so only the half kept says what it does with texts that it has not seen.
    """
    from labkit.operate.guard_curve import curve, text
    from labkit.operate.guard_rates import measure, table

    rows, points = measure(half), curve(half)
    if as_json:
        guards = [row.to_dict(wrong) for row in rows]
        return print_out({"half": half, "guards": guards, "injection_curve": [one.to_dict() for one in points]})
    print_out(f"{table(rows)}\n\nThe injection guard, input and tool result together:\n{text(points)}")
    for row in rows if wrong else ():
        for wrongly, what in [(one, "missed") for one in row.missed] + [(one, "false alarm") for one in row.alarmed]:
            print_out(f"{row.place}, {row.guard}, {what}: {wrongly!a}")


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


@app.command(epilog="Example: **labkit guards fit** (seconds; for whoever adds texts to data/guard_training.toml)")
def fit(
    to: Annotated[Path | None, typer.Option(help="Where to write the weights; default: the shipped file.")] = None,
) -> None:
    """Learn the injection guard's weights again, from data/guard_training.toml and the half dev."""
    from labkit.operate import guard_fit
    from labkit.paths import data_dir

    file = to or data_dir() / "guard_weights.npz"
    complain("Learning, some seconds …")
    guard_fit.write(guard_fit.fit(), file)
    print_out(f"wrote {file}; now: labkit guards eval")
