"""The memory calculator: weights + KV cache + overhead of a model, at a number of bits and a length of context.

    memory_card()                                         # in a notebook: pick, slide, read the sum
    memory_sum("phi-4-mini", bits=4.84, context=4096).needed_bytes
    print(memory_text("phi-4-mini", 4.84, 4096))

Keyboard: Tab goes from field to field; in the sliders the arrow keys move.

Taught in notebook 02, section "Memory".
"""

from __future__ import annotations

from labkit import catalog, hardware
from labkit.hardware import Fit
from labkit.widgets.look import Card, escape, page, saved_note
from labkit.widgets.model_picker import count_text

__all__ = ["MemoryCard", "memory_card", "memory_html", "memory_sum", "memory_text"]

BITS = (16.0, 8.5, 6.56, 4.84, 4.5, 3.35)
CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384, 32768)
TITLE = "What would it take?"


def memory_sum(
    model: str, bits: float, context: int, parallel: int = 1, machine: hardware.Machine | None = None
) -> Fit:
    """Return the sum for a model of the catalogue if each of its weights took `bits` bits; context in tokens.

    parallel: conversations at once. The same formula as labkit.hardware.fits. Raises UnknownModel, ConfigError.
    Taught in notebook 02, section "Sizes and times".
    """
    known = catalog.model(model)
    shape = {name: getattr(known, name) for name in ("alias", "n_layers", "n_kv_heads", "head_dim")}
    size = {"file_bytes": round(known.parameters * bits / 8), "disk_bytes": 0}
    return hardware.fits(shape | size, machine, context, parallel)


def memory_text(
    model: str, bits: float, context: int, parallel: int = 1, machine: hardware.Machine | None = None
) -> str:
    """Return the sum as plain text, a line a term."""
    rows = _rows(model, bits, context, parallel, machine)
    wide = max(len(what) for what, *_ in rows)
    return "\n".join(f"{what:{wide}}  {mega:>10}  {how}" for what, mega, how in rows)


def memory_html(
    model: str, bits: float, context: int, parallel: int = 1, machine: hardware.Machine | None = None
) -> str:
    """Return the sum as an HTML table, escaped."""
    body = "".join(
        f'<tr><th scope="row">{escape(what)}</th><td>{escape(mega)}</td><td class="labkit-quiet">{escape(how)}</td></tr>'
        for what, mega, how in _rows(model, bits, context, parallel, machine)
    )
    return page(
        f'<table class="labkit-wide"><caption class="labkit-title">{TITLE}</caption><tbody>{body}</tbody></table>'
    )


def memory_card(
    model: str | None = None, bits: float = 4.84, context: int = 4096, machine: hardware.Machine | None = None
) -> MemoryCard:
    """Return the calculator, set to a model (default: the course's), for `machine` (default: this one, read anew each time).

    Raises UnknownModel.
    """
    return MemoryCard((catalog.model(model) if model else catalog.default_model()).alias, bits, context, machine)


class MemoryCard(Card):
    """Four fields and the sum under them. `html` and `text` hold the sum that is shown now."""

    def __init__(self, model: str, bits: float, context: int, machine: hardware.Machine | None = None):
        import ipywidgets

        self._machine = machine
        aliases = [one.alias for one in catalog.models()]
        wide = {"layout": {"width": "calc(100% - 4px)", "max_width": "520px"}, "style": {"description_width": "110px"}}
        self._fields = {
            "model": ipywidgets.Dropdown(options=aliases, value=model, description="Model", **wide).add_class(
                "labkit-pick"
            ),
            "bits": ipywidgets.SelectionSlider(
                options=sorted({*BITS, bits}), value=bits, description="Bits a weight", **wide
            ),
            "context": ipywidgets.SelectionSlider(
                options=sorted({*CONTEXTS, context}), value=context, description="Context, tokens", **wide
            ),
            "parallel": ipywidgets.IntSlider(value=1, min=1, max=16, description="At once", **wide),
        }
        self._table = ipywidgets.HTML()
        for field in self._fields.values():
            field.observe(lambda _: self._show(), "value")
        self._show()
        self.view = ipywidgets.VBox([*self._fields.values(), self._table])

    @property
    def values(self) -> dict:
        """What the fields say: model, bits, context, parallel."""
        return {name: field.value for name, field in self._fields.items()}

    @property
    def html(self) -> str:
        """The sum as a page that stands alone."""
        return memory_html(**self.values, machine=self._machine) + page(saved_note("to change the fields"), style=False)

    @property
    def text(self) -> str:
        """The sum as plain text."""
        return memory_text(**self.values, machine=self._machine)

    def _show(self) -> None:
        self._table.value = memory_html(**self.values, machine=self._machine)


def _rows(model: str, bits: float, context: int, parallel: int, machine) -> list[tuple[str, str, str]]:
    known, fit = catalog.model(model), memory_sum(model, bits, context, parallel, machine)
    terms = fit.inputs
    cache = f"2 × {known.n_layers} layers × {known.n_kv_heads} heads × {known.head_dim} × {context} tokens × {parallel} × 2 bytes"
    return [
        ("weights", _mega(terms["weights_bytes"]), f"{known.alias}: {count_text(known.parameters)} × {bits:g} bits"),
        ("KV cache", _mega(terms["kv_cache_bytes"]), cache),
        (
            "overhead",
            _mega(terms["overhead_bytes"]),
            "the process, its vocabulary and buffers: a round figure, on the safe side",
        ),
        ("together", _mega(fit.needed_bytes), "fits into what is free now" if fit else "more than is free now"),
        ("free here", _mega(fit.free_bytes), "memory that this machine can still give"),
    ]


def _mega(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
