"""The hardware card: what this machine is, and where each line was read.

    hardware_card()              # in a notebook: a table, and a button that reads again
    print(hardware_text())       # the same as plain text

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

from labkit import hardware
from labkit.widgets.look import Card, escape, page, saved_note

__all__ = ["HardwareCard", "hardware_card", "hardware_html", "hardware_text"]

TITLE = "This machine"


def hardware_text(machine: hardware.Machine | None = None) -> str:
    """Return this machine's facts (or those of `machine`) as a plain table: what, value, source.

    Taught in notebook 00, section "What runs here".
    """
    rows = _rows(machine)
    labels, values = (max(len(row[column]) for row in rows) for column in (0, 1))
    values = min(values, 40)  # one long line (vector instructions) must not push every source off the screen
    return "\n".join(f"{label:{labels}}  {value:{values}}  [{source}]" for label, value, source in rows)


def hardware_html(machine: hardware.Machine | None = None) -> str:
    """Return the same table as HTML, escaped. Taught in notebook 00, section "What runs here"."""
    lines = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{escape(value)}</td>'
        f'<td class="labkit-quiet">{escape(source)}</td></tr>'
        for label, value, source in _rows(machine)
    )
    caption = (
        f'<caption class="labkit-title">{TITLE} <span class="labkit-quiet">what, and where it was read</span></caption>'
    )
    return page(f'<table class="labkit-wide">{caption}<tbody>{lines}</tbody></table>')


def hardware_card(machine: hardware.Machine | None = None) -> HardwareCard:
    """Return the card of this machine, read now (or of `machine`). Taught in notebook 00, section "What runs here"."""
    return HardwareCard(machine)


class HardwareCard(Card):
    """The table, and a button "Read again". `html` and `text` hold what the table shows now."""

    def __init__(self, machine: hardware.Machine | None = None):
        import ipywidgets

        self._table = ipywidgets.HTML()
        self._show(machine or hardware.machine())
        again = ipywidgets.Button(description="Read again", tooltip="Read every fact of this machine anew")
        again.on_click(lambda _: self._show(hardware.machine()))
        self.view = ipywidgets.VBox([self._table, again])

    @property
    def html(self) -> str:
        """What the table shows, as a page that stands alone."""
        return hardware_html(self._machine) + page(saved_note("to read it anew"), style=False)

    @property
    def text(self) -> str:
        """What the table shows, as plain text."""
        return hardware_text(self._machine)

    def _show(self, machine: hardware.Machine) -> None:
        self._machine, self._table.value = machine, hardware_html(machine)


def _rows(machine: hardware.Machine | None) -> list[tuple[str, str, str]]:
    return (machine or hardware.machine()).table()
