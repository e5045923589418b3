"""labkit bench: speed, as ratios measured side by side in one run."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, ProgressLine, print_out

app = typer.Typer(no_args_is_help=True, help="Speed, as ratios measured side by side in one run.")


@app.command(epilog="Example: **labkit bench overhead --json** (about three minutes, on an idle machine)")
def overhead(
    calls: Annotated[int, typer.Option(min=20, help="Pairs of calls to the stub.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds at each concurrency.")] = 5,
    as_json: Json = False,
) -> None:
    """What labkit costs beside the plain openai client, and beside xllamacpp driven directly."""
    from labkit.bench.overhead import measure

    line = ProgressLine()
    found = measure(calls, rounds, line.show)
    line.clear()
    if as_json:
        return print_out(found)
    client = found["client"]
    print_out(
        f"one chat call: labkit {client['labkit_ms']:.2f} ms, openai {client['openai_ms']:.2f} ms, difference "
        f"{client['difference_ms']:+.3f} ms [{client['difference_low_ms']:+.3f}, {client['difference_high_ms']:+.3f}]"
    )
    for row in found["throughput"]:
        print_out(
            f"{row['concurrency']:>2} at once: labkit {row['labkit_tokens_per_second']:.0f} tokens/s, directly "
            f"{row['direct_tokens_per_second']:.0f}, ratio {row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
        )
