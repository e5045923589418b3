"""labkit tools: count how well tools are called, and fit what the layer weighs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Backend, Json, Model, ProgressLine, print_out

app = typer.Typer(
    no_args_is_help=True,
    help="Tool calls: five rates, what the layer costs, a schema's lint.",
    epilog="Example: **labkit tools cost** (two seconds, no engine)",
)
Mode = Annotated[list[str], typer.Option(help="native, schema or two-stage; repeat it for several side by side.")]
Half = Annotated[str, typer.Option(help="dev (to develop with) or kept (for final figures).")]


@app.command(
    "eval", epilog="Example: **labkit tools eval --mode native --mode two-stage --half kept --json** (minutes)"
)
def evaluate(
    backend: Backend = "auto",
    model: Model = "auto",
    mode: Mode = ("native", "schema", "two-stage"),
    half: Half = "dev",
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many items of each kind; 0: all.")] = 0,
    outcomes: Annotated[bool, typer.Option(help="Show what came of every item.")] = False,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the engine; 0: the course's default.")] = 0,
    as_json: Json = False,
) -> None:
    """Five rates of an endpoint: parses, fits the schema, right tool, right arguments, right abstention."""
    import labkit
    from labkit.tools.rates import measure

    with ProgressLine() as line, labkit.connect(backend, model, threads=threads or None) as endpoint:
        found = [measure(endpoint, half, one, limit, line.show) for one in mode]
        head = {"backend": endpoint.backend, "engine_version": endpoint.engine_version, "model": endpoint.model}
    if as_json:
        return print_out({**head, "half": half, "modes": {one.mode: one.to_dict(outcomes) for one in found}})
    print_out(f"{head['model']} on {head['backend']} {head['engine_version']}")
    for one in found:
        print_out(f"\n{one.table()}")
        for row in one.outcomes if outcomes else ():
            print_out(f"{'+' if row.right_call or row.abstained else '-'} {row.kind:8} {row.text}  ->  {row.wrote}")


@app.command(epilog="Example: **labkit tools cost --json**")
def cost(as_json: Json = False) -> None:
    """What the layer costs without the model: milliseconds a decision, on the development items. Tokens: labkit tools eval."""
    from labkit.tools.cost import measure

    found = measure()
    if as_json:
        return print_out(found)
    print_out(f"{found['median_ms']:.2f} ms a decision (90 %: {found['p90_ms']:.2f}), {found['decisions']} decisions,")
    print_out(
        f"{found['per_tool_ms']:.2f} ms a tool looked at; the model is asked in {100 * found['asked']:.0f} % of them"
    )


@app.command(epilog="Example: **labkit tools lint tools.json** (a list of OpenAI tool dicts)")
def lint(
    file: Annotated[Path, typer.Argument(help="JSON: one tool dict, or a list of them.")], as_json: Json = False
) -> None:
    """Say what in the tools' schemas an engine would not hold. Exit status 1 if there is something."""
    from labkit.tools.lint import lint_file

    found = lint_file(file)
    if as_json:
        print_out(found)
    else:
        for name, words in found.items():
            print_out(f"{name}: {'; '.join(words) or 'held in full'}")
    raise typer.Exit(int(any(found.values())))


@app.command(epilog="Example: **labkit tools fit** (writes data/tool_weights.toml, from the development half alone)")
def fit(as_json: Json = False) -> None:
    """Fit the weights by which a tool is taken to fit a request."""
    from labkit.paths import data_dir
    from labkit.tools import weigh

    weights = weigh.fit()
    weigh.write(weights, data_dir() / "tool_weights.toml")
    print_out(weights if as_json else "\n".join(f"{name:15} {value:+.2f}" for name, value in weights.items()))
