"""labkit convert: one model in the forms that the engines read, made on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()

# Form -> who reads it.
READERS = {
    "gguf-f16": "llama.cpp, OpenVINO, Ollama",
    "safetensors": "vLLM, MLX, Hugging Face transformers",
    "onnx-int4": "ONNX Runtime, Foundry Local (too coarse for the bundled model)",
    "onnx-int8": "ONNX Runtime, Foundry Local",
    "mlx-f32": "MLX on a CPU",
    "mlx-bf16": "MLX on Apple silicon (too coarse for the bundled model)",
    "mlx-4bit": "MLX on Apple silicon (too coarse for the bundled model)",
    "ollama": "Ollama, from the GGUF as it is",
    "ollama-q8_0": "Ollama, which quantizes it",
    "ollama-q4_K_M": "Ollama, which quantizes it",
}
EXAMPLE = (
    "Example: **labkit convert smollm2-135m --to onnx-int8**; into your own Ollama: "
    "**LABKIT_OLLAMA_URL=http://127.0.0.1:11434 labkit convert smollm2-135m --to ollama**"
)


@app.command(epilog=EXAMPLE)
def convert(
    model: Annotated[str | None, typer.Argument(help="An alias of `labkit models`.")] = None,
    form: Annotated[str | None, typer.Option("--to", metavar="FORM", help=f"One of {', '.join(READERS)}.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List what is here, of this model or of all.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Delete the form, or all forms; the GGUF stays.")] = False,
    as_json: Json = False,
) -> None:
    """Make a model in another form, from the GGUF that is here; without --to, say which forms there are."""
    from labkit import catalog

    if model is None and (form or remove):
        raise typer.BadParameter("say which model: `labkit models` lists them", param_hint="MODEL")
    chosen = catalog.model(model) if model else None
    if form and form not in READERS:
        raise _no_such(form)
    if remove:
        return _remove(chosen, form, as_json)
    if form and not show:
        return _make(chosen, form, as_json)
    _list(chosen, form, show or chosen is None, as_json)


def _make(model, form: str, as_json: bool) -> None:
    from labkit import convert
    from labkit.backends import ollama_form
    from labkit.progress import progress_bar

    bar = progress_bar()
    if form in ollama_form.FORMS:
        made = ollama_form.make(model, form, bar)
        found = {"path": f"ollama run {made.name}", "where": made.where or "labkit's own folder", "bytes": made.nbytes}
    else:
        path = convert.convert(model, form, bar)
        found = {"path": str(path), "bytes": _bytes(path)}
    text = f"{model.alias} as {form}: {found['path']} ({found['bytes'] / 1e6:.0f} MB)"
    print_out({"model": model.alias, "form": form, **found} if as_json else text)


def _remove(model, form: str | None, as_json: bool) -> None:
    from labkit import convert
    from labkit.backends import ollama_form

    freed = 0
    if form in (None, *convert.FORMS):
        freed += convert.remove(model, form)
    if form in (None, *ollama_form.FORMS):
        freed += ollama_form.remove(model, form)
    found = {"model": model.alias, "form": form, "freed_bytes": freed}
    print_out(found if as_json else f"{model.alias}: {freed / 1e6:.0f} MB freed")


def _list(model, form: str | None, here_only: bool, as_json: bool) -> None:
    """Print the forms that are here, or of one model all that could be."""
    from labkit import weights

    rows = [one for one in _here() if model is None or one["model"] == model.alias]
    if model and (gguf := weights.present(model)):
        rows.insert(0, {"model": model.alias, "form": "gguf-f16", "bytes": _bytes(gguf), "path": str(gguf)})
    if not here_only:
        made = {one["form"] for one in rows}
        rows += [{"model": model.alias, "form": one, "bytes": 0, "path": ""} for one in READERS if one not in made]
    rows = [
        {**one, "here": bool(one["path"]), "for": READERS[one["form"]]} for one in rows if form in (None, one["form"])
    ]
    if as_json:
        return print_out(rows)
    print_out(f"{'model':20} {'form':14} {'size':>8}  {'for'}" if rows else "No model has been converted here.")
    for one in rows:
        size = f"{one['bytes'] / 1e6:,.0f} MB" if one["here"] else "-"
        print_out(f"{one['model']:20} {one['form']:14} {size:>8}  {one['for']}")
        if one["path"]:
            print_out(f"{'':20} {one['path']}")


def _here() -> list[dict]:
    from labkit import convert
    from labkit.backends import ollama_form

    files = [{"model": c.alias, "form": c.form, "bytes": c.nbytes, "path": str(c.path)} for c in convert.converted()]
    ours = [
        {"model": made.alias, "form": made.form, "bytes": made.nbytes, "path": f"ollama run {made.name}"}
        for made in ollama_form.listed()
    ]
    return files + ours


def _bytes(path) -> int:
    parts = path.rglob("*") if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts if part.is_file())


def _no_such(form: str):
    from labkit.errors import ConfigError
    from labkit.nearest import meant

    why = meant(form, READERS, "the forms are")
    return ConfigError(f"There is no form {form!r}.", why, "labkit convert --help")
