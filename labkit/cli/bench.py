"""labkit bench: waiting time, writing speed and throughput of the engines that are here, and how far to trust them."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, Model, ProgressLine, print_out
from labkit.errors import ConfigError

app = typer.Typer(invoke_without_command=True, help="Speed: of the engines that are here, and of labkit itself.")


@app.callback(
    invoke_without_command=True,
    epilog="Example: **labkit bench --compare --concurrency 1,4 --rounds 2** (some minutes, on an idle machine)",
)
def bench(
    context: typer.Context,
    backend: Annotated[list[str] | None, typer.Option(help="An engine of `labkit doctor`; may be given again.")] = None,
    everything: Annotated[
        bool, typer.Option("--compare", help="All engines that are here, beside each other.")
    ] = False,
    concurrency: Annotated[str, typer.Option(help="How many ask at once, with commas.")] = "1,4,16,32",
    requests: Annotated[int, typer.Option(min=0, help="Requests a level and round; 0: as many as ask at once.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; figures come with their range.")] = 3,
    words: Annotated[int, typer.Option(min=1, help="Words of a prompt, about a token each.")] = 32,
    tokens: Annotated[int, typer.Option(min=2, help="Tokens of an answer.")] = 32,
    threads: Annotated[int, typer.Option(min=0, help="Threads of an engine; 0: all cores but one.")] = 0,
    model: Model = "auto",
    as_json: Json = False,
) -> None:
    """Time to first token, time per token and throughput, by how many ask at once. Engines run one after the other."""
    if context.invoked_subcommand:
        return
    from labkit.bench.compare import compare
    from labkit.bench.serving import Plan

    plan = Plan(_levels(concurrency), requests, rounds, words, tokens)
    found = _watched(compare, _engines(backend or [], everything), plan, model=model, threads=threads or None)
    print_out(found.to_dict() if as_json else _words(found))


def _levels(text: str) -> tuple[int, ...]:
    levels = {int(part) for part in text.split(",") if part.strip().isdigit()}
    if not levels or 0 in levels or not all(part.strip().isdigit() for part in text.split(",")):
        raise ConfigError(f"--concurrency {text!r} is no list of numbers.", "", "labkit bench --concurrency 1,4,16")
    return tuple(sorted(levels))


def _engines(named: list[str], everything: bool) -> list[str]:
    from labkit.backends import available

    if not everything:
        return list(dict.fromkeys(named)) or ["auto"]
    return list(dict.fromkeys([*named, *(name for name, here in available().items() if here)]))


def _watched(work, *arguments, **options):
    """Call `work` with a progress line that is gone afterwards, whatever happens."""
    line = ProgressLine()
    try:
        return work(*arguments, **options, progress=line.show)
    finally:
        line.clear()


def _words(found) -> str:
    from labkit.widgets.serving import ratios_text, serving_text

    parts = [serving_text(found.engines)]
    if found.ratios:
        parts.append(ratios_text(found.ratios))
    parts += [f"not measured: {why}" for why in found.failed.values()]
    parts.append(
        f"Times in milliseconds. {found.other_load:.0%} of the cores were busy before the first engine started."
    )
    return "\n\n".join(parts)


@app.command(epilog="Example: **labkit bench overhead --json** (about three minutes, on an idle machine)")
def overhead(
    calls: Annotated[int, typer.Option(min=20, help="Pairs of calls to the stub.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds at each concurrency.")] = 5,
    as_json: Json = False,
) -> None:
    """What labkit costs beside the plain openai client, and beside xllamacpp driven directly."""
    from labkit.bench.overhead import measure

    found = _watched(measure, calls, rounds)
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
