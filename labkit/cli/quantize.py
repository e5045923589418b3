"""labkit quantize: one model in every type of the ladder, measured."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()

HEAD = f"{'type':7} {'MB':>6} {'bits':>5} {'load s':>6} {'MB peak':>7} {'in t/s':>7} {'out t/s':>7} {'right':>7} "
SCORES = f"{'perplexity':>15} {'KL':>15} {'same top':>14}"


@app.command(epilog="Example: **labkit quantize smollm2-135m --types Q8_0,Q4_K_M --json**")
def quantize(
    model: Annotated[str, typer.Argument(help="An alias of `labkit models`, or a GGUF file.")] = "auto",
    types: Annotated[str, typer.Option(help="Types with commas between; all that can be written here if none.")] = "",
    keep: Annotated[Path | None, typer.Option(help="Keep the files in this folder.")] = None,
    requantize: Annotated[bool, typer.Option(help="Accept a source that is quantized already.")] = False,
    no_fallback: Annotated[bool, typer.Option(help="Refuse where rows do not divide into a type's blocks.")] = False,
    chunks: Annotated[int, typer.Option(min=1, max=120, help="Stretches of 512 tokens that are scored.")] = 4,
    text: Annotated[
        str, typer.Option(help="Scored on: moby-dick, wikitext-2 (from the hub), or a file.")
    ] = "moby-dick",
    exclusive: Annotated[bool, typer.Option(help="Use every core: for a machine with nothing else to do.")] = False,
    as_json: Json = False,
) -> None:
    """Write a model in every type of the ladder; measure what each costs and loses."""
    from labkit import quantize
    from labkit.progress import progress_bar

    wanted = [one.strip() for one in types.split(",") if one.strip()]
    here = quantize.available()
    if not here:
        print(f"{here.why}: left out. Try: {here.fix}", file=sys.stderr)
    head = HEAD + (SCORES if here else "")

    def show(one) -> None:
        nonlocal head
        print_out("\n".join(filter(None, (head, _line(one)))))
        head = ""  # once, and only when there is something below it

    found = quantize.ladder(
        model,
        wanted,
        keep=keep,
        requantize=requantize,
        no_fallback=no_fallback,
        chunks=chunks,
        text=text,
        exclusive=exclusive,
        progress=progress_bar(unit="step"),
        on_rung=(lambda one: None) if as_json else show,
    )
    if as_json:
        print_out([one.to_dict() for one in found])


def _line(one) -> str:
    run, right = one.run, one.run.task.right
    text = (
        f"{one.type:7} {one.size_bytes / 1e6:6.1f} {one.bits_per_weight:5.2f} {run.load_seconds:6.2f} "
        f"{run.peak_bytes / 1e6:7.0f} {run.prompt_speed.value:7.0f} {run.decode_speed.value:7.1f} "
        f"{right.right:>3}/{right.n:<3} "
    )
    if one.score is None:
        return text
    score = one.score
    return (
        f"{text}{score['perplexity']:8.2f} ± {score['perplexity_error']:4.2f} {score['kl']:7.4f} ± {score['kl_error']:.4f} "
        f"{score['same_top']:6.1%} ± {score['same_top_error']:.1%}"
    )
