"""labkit bench formats: one model in the formats of several engines, beside each other."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


@app.command(
    epilog="Example: **labkit bench formats smollm2-135m --form onnx-int8 --form gguf-q8_0 --json** (a minute)"
)
def formats(
    model: Annotated[str, typer.Argument(help="An alias of `labkit models`, or auto.")] = "auto",
    form: Annotated[list[str] | None, typer.Option(help="A form, beside F16; may be given again. All if none.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; ratios come with their range.")] = 3,
    ask: Annotated[int, typer.Option(min=1, max=32, help="Questions whose answers are compared.")] = 24,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of an answer, at most.")] = 12,
    exclusive: Annotated[bool, typer.Option(help="Use every core: for a machine with nothing else to do.")] = False,
    as_json: Json = False,
) -> None:
    """Size, load time, speed as ratios, and agreement with F16's answers: GGUF, ONNX, OpenVINO and MLX (minutes for all)."""
    from labkit.progress import progress_bar
    from labkit.quantize import formats
    from labkit.widgets.formats import formats_text

    bar = progress_bar(unit="step")
    options = {"rounds": rounds, "ask": ask, "answer_tokens": tokens, "exclusive": exclusive, "progress": bar}
    found = formats(model, form or (), **options)
    print_out(found.to_dict() if as_json else formats_text(found))
