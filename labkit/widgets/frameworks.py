"""Which engine computes on which hardware: what was measured here, and where the others would have to be measured.

    frameworks(found)                 # found: what labkit.quantize.formats returned; a table for a notebook
    print(frameworks(found).text)     # the same in words

The rows stand in data/runtimes.toml. A figure belongs to a row only if labkit runs that engine in that way on this machine; no
figure is taken over from anywhere else.

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from labkit.paths import read_table
from labkit.widgets.look import escape, page
from labkit.widgets.runtime_chooser import facts, holds

if TYPE_CHECKING:
    from labkit.hardware import Machine
    from labkit.quantize.formats import Formats, Measured

__all__ = ["FrameworkTable", "Row", "frameworks"]

HEAD = {"engine": "10%", "hardware": "20%", "through": "18%", "it takes": "24%", "here": "28%"}
ELSEWHERE = "not measured here"


@dataclass(frozen=True)
class Row:
    """One engine on one kind of hardware. needs: the package and its wheels. here: figures, or why there are none."""

    engine: str
    on: str
    through: str
    needs: str
    here: str
    corrects: str = ""

    @property
    def measured(self) -> bool:
        """Whether `here` has figures of this machine."""
        return not self.here.startswith("not ")


@dataclass(frozen=True, repr=False)
class FrameworkTable:
    """The rows; a notebook shows `html`, everything else `text`."""

    rows: tuple[Row, ...]
    title: str

    @property
    def html(self) -> str:
        """The rows as an HTML table, escaped."""
        head = "".join(f'<th scope="col" style="width: {width}">{one}</th>' for one, width in HEAD.items())
        body = "".join(_html(row) for row in self.rows)
        caption = f'<caption class="labkit-title">{escape(self.title)}</caption>'
        return page(f'<table class="labkit-wide">{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>')

    @property
    def text(self) -> str:
        """The rows as plain text: two lines each."""
        lines = [self.title]
        for row in self.rows:
            lines.append(f"{row.engine:9} {row.on:42} {row.here}")
            lines.append(f"{'':9} through {row.through}; it takes {row.needs}. {row.corrects}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def frameworks(found: Formats, machine: Machine | None = None) -> FrameworkTable:
    """Return every engine on every hardware of the table, with what `found` measured on `machine` (default: this one)."""
    known = facts(machine)
    rows = tuple(_row(one, known, found) for one in _table())
    title = f"Engines by hardware; × as fast as {found.measured[0].form.id}. Measured on {found.machine}"
    return FrameworkTable(rows, title)


def _row(one: dict, known: dict[str, str], found: Formats) -> Row:
    needs = f"{one['package']}; wheels: {one['wheels']}" if one.get("wheels") else one["package"]
    return Row(one["engine"], one["on"], one["through"], needs, _here(one, known, found), one.get("corrects", ""))


def _here(one: dict, known: dict[str, str], found: Formats) -> str:
    if not one.get("ours") or not holds(one["when"], known):
        return ELSEWHERE
    its = [form for form in found.measured if form.form.engine == one["engine"]]
    if its:
        return "; ".join(_figures(form, found.measured[0]) for form in its)
    missing = next((gone for gone in found.missing if gone.form.engine == one["engine"]), None)
    return f"not here: {missing.why or missing.what}" if missing else "not measured in this run"


def _figures(one: Measured, reference: Measured) -> str:
    if one is reference:
        return (
            f"{one.form.id} reads {one.prompt.value.value:.0f} and writes {one.decode.value.value:.0f} tokens a second"
        )
    return f"{one.form.id} reads × {one.prompt.ratio.value:.2g}, writes × {one.decode.ratio.value:.2g}"


def _html(row: Row) -> str:
    note = f'<br><span class="labkit-quiet">{escape(row.corrects)}</span>' if row.corrects else ""
    cells = (row.on, row.through, row.needs, row.here)
    told = "".join(f"<td>{escape(one)}{note if one is row.through else ''}</td>" for one in cells)
    return f'<tr><th scope="row">{escape(row.engine)}</th>{told}</tr>'


@cache
def _table() -> list[dict]:
    return read_table("runtimes.toml")["hardware"]
