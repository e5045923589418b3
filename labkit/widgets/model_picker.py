"""The model picker: every model that the course knows, its size and licence, whether it is here and whether it fits.

    picker = model_picker()          # a list to pick from, and what the picked one needs
    picker.value                     # "smollm2-135m"
    print(models_text())             # the same as a plain table

Keyboard: Tab reaches the list, Space opens it, arrows and Enter pick. (While the list is closed, JupyterLab takes the
arrow keys for itself.) Taught in notebook 00, section "How exercises work".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labkit import catalog, hardware, weights
from labkit.errors import LabkitError
from labkit.widgets.look import Card, escape, page, saved_note

__all__ = ["ModelPicker", "Row", "model_picker", "models_text", "rows"]

HEAD = ("model", "parameters", "file", "licence", "on this disk", "fits in memory")


@dataclass(frozen=True)
class Row:
    """One model as the picker shows it: its catalogue entry, whether its file is here, and whether it fits."""

    model: catalog.Model
    here: bool
    fit: hardware.Fit

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of HEAD as text."""
        model = self.model
        yes_no = ("yes" if one else "no" for one in (self.here, self.fit.ok))
        return (model.alias, count_text(model.parameters), size_text(model.file_bytes), model.licence, *yes_no)

    @property
    def choice(self) -> str:
        """One line for the list."""
        here = "here" if self.here else "not fetched"
        return f"{self.model.alias} · {size_text(self.model.file_bytes)} · {here} · {'fits' if self.fit else 'too big'}"

    @property
    def details(self) -> list[tuple[str, str]]:
        """What to know about it: pairs of (label, sentence)."""
        model = self.model
        fetch = f"no; to fetch it: labkit pull {model.alias} (takes {size_text(model.disk_bytes)} of the disk"
        agreement = ", and its maker asks for an agreement first)" if model.gated else ")"
        return [
            ("Model", f"{model.name}, {count_text(model.parameters)} parameters"),
            ("File", f"{size_text(model.file_bytes)}, {model.licence}"),
            ("On this disk", "yes" if self.here else fetch + agreement),
            ("Memory", self.fit.reason),
            ("Engines", ", ".join(model.engines)),
            *(("Note", note) for note in model.notes),
        ]


def rows() -> list[Row]:
    """Return one Row a model of the catalogue, measured now. Taught in notebook 00, section "How exercises work"."""
    machine = hardware.machine()
    return [Row(one, bool(weights.present(one)), hardware.fits(one, machine)) for one in catalog.models()]


def models_text(found: list[Row] | None = None) -> str:
    """Return the models as a plain table. Taught in notebook 00, section "How exercises work"."""
    lines = [HEAD, *(row.cells for row in found or rows())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def models_html(found: list[Row]) -> str:
    """Return the models as an HTML table, escaped."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in HEAD)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in others) + "</tr>"
        for first, *others in (row.cells for row in found)
    )
    return page(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def details_html(row: Row, error: BaseException | None = None) -> str:
    """Return what to know about one model as HTML, escaped, with the `error` that picking it brought, if any."""
    lines = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(text)}</td></tr>' for label, text in row.details
    )
    failed = f'<div class="labkit-failed" role="alert">{escape(str(error))}</div>' if error else ""
    return page(f'<table class="labkit-wide"><tbody>{lines}</tbody></table>{failed}')


def model_picker(on_pick: Callable[[str], object] | None = None, *, value: str | None = None) -> ModelPicker:
    """Return a picker of the catalogue's models; `value` is the alias picked at first (default: the course's default).

    `on_pick(alias)` is called when another one is picked; a LabkitError that it raises is shown in the picker. Raises
    UnknownModel if `value` is no model. Taught in notebook 00, section "How exercises work".
    """
    return ModelPicker(on_pick, value)


class ModelPicker(Card):
    """A list of models and the picked one's details. `value` is its alias, `model` its catalogue entry."""

    def __init__(self, on_pick: Callable[[str], object] | None = None, value: str | None = None):
        import ipywidgets

        self._rows, self._on_pick = {row.model.alias: row for row in rows()}, on_pick
        picked = (catalog.model(value) if value else catalog.default_model()).alias
        options = [(row.choice, alias) for alias, row in self._rows.items()]
        wide = {"width": "calc(100% - 4px)", "max_width": "560px"}  # less its margins
        style = {"description_width": "initial"}
        self._list = ipywidgets.Dropdown(
            options=options,
            value=picked,
            description="Model",
            tooltip="Space opens the list; arrows and Enter pick",
            layout=wide,
            style=style,
        ).add_class("labkit-pick")
        self._details = ipywidgets.HTML(details_html(self._rows[picked]))
        self._list.observe(self._picked, "value")
        self.view = ipywidgets.VBox([self._list, self._details])

    @property
    def value(self) -> str:
        """The alias of the picked model; set it to pick another."""
        return self._list.value

    @value.setter
    def value(self, alias: str) -> None:
        self._list.value = catalog.model(alias).alias

    @property
    def model(self) -> catalog.Model:
        """The picked model's catalogue entry."""
        return self._rows[self.value].model

    @property
    def html(self) -> str:
        """All models as a table, and the picked one's details, as a page that stands alone."""
        return (
            models_html(list(self._rows.values())) + details_html(self._rows[self.value]) + page(saved_note("to pick"))
        )

    @property
    def text(self) -> str:
        """All models as a plain table, and the picked one's details."""
        details = [f"{label}: {text}" for label, text in self._rows[self.value].details]
        return "\n".join([models_text(list(self._rows.values())), "", f"Picked: {self.value}", *details])

    def _picked(self, change) -> None:
        row = self._rows[change["new"]]
        self._details.value = details_html(row)
        if self._on_pick:
            try:
                self._on_pick(change["new"])
            except LabkitError as error:
                self._details.value = details_html(row, error)


def size_text(nbytes: int) -> str:
    """Return a file's size as download pages give it: "271 MB", "9.1 GB"."""
    return f"{nbytes / 1e9:.1f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.0f} MB"


def count_text(parameters: int) -> str:
    """Return a number of parameters: "135 M", "14.7 B"."""
    return f"{parameters / 1e9:.1f} B" if parameters >= 1e9 else f"{parameters / 1e6:.0f} M"
