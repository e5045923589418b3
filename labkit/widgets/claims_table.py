"""The module's claims beside this machine's figures: a table that says for each whether it holds here.

    claims_table()                    # all of them
    claims_table(lesson="03")         # those that one lesson measures
    print(claims_text())              # the same as plain text

Taught in notebook 02, section "Take away".
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from labkit import claims
from labkit.widgets.look import Card, escape, page, saved_note

__all__ = ["ClaimsTable", "claims_html", "claims_table", "claims_text"]

HEAD = ("the module says", "its figure", "here", "verdict")


def claims_table(lesson: str | None = None) -> ClaimsTable:
    """Return the table of all claims, or of those that one lesson measures, with a button that reads again."""
    return ClaimsTable(lesson)


def claims_text(results: Sequence[claims.Result] | None = None, width: int = 100) -> str:
    """Return the claims as plain text: one paragraph each, and the count of verdicts at the end. width: characters."""
    found = claims.results() if results is None else results
    lines = []
    for one in found:
        lines += textwrap.wrap(f"{one.claim.id}: {one.claim.says}", width)
        lines.append(f"    module {one.claim.figure or '–'} · here {_here(one)} · {one.verdict}")
        lines += textwrap.wrap(_remark(one), width, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, count_text(found)])


def claims_html(results: Sequence[claims.Result] | None = None) -> str:
    """Return the claims as an HTML table, escaped."""
    found = claims.results() if results is None else results
    head = "".join(f'<th scope="col">{one}</th>' for one in HEAD)
    rows = "".join(_row(one) for one in found)
    caption = (
        f'<caption class="labkit-title">Claims <span class="labkit-quiet">{escape(count_text(found))}</span></caption>'
    )
    return page(f'<table class="labkit-wide">{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')


def count_text(results: Sequence[claims.Result]) -> str:
    """Return how many claims have which verdict, in one line."""
    verdicts = [one.verdict for one in results]
    parts = [f"{verdicts.count(one)} {one}" for one in dict.fromkeys(sorted(verdicts))]
    return f"{len(results)} claims: {', '.join(parts)}"


class ClaimsTable(Card):
    """The table, and a button "Read again". `html` and `text` hold what the table shows now."""

    def __init__(self, lesson: str | None = None):
        import ipywidgets

        self._lesson, self._table = lesson, ipywidgets.HTML()
        self._show()
        again = ipywidgets.Button(description="Read again", tooltip="Read the measurements anew")
        again.on_click(lambda _: self._show())
        self.view = ipywidgets.VBox([self._table, again])

    @property
    def html(self) -> str:
        """What the table shows, as a page that stands alone."""
        return claims_html(self._results) + page(saved_note("to read the measurements anew"), style=False)

    @property
    def text(self) -> str:
        """What the table shows, as plain text."""
        return claims_text(self._results)

    def _show(self) -> None:
        self._results = [one for one in claims.results() if self._lesson in (None, one.claim.lesson)]
        self._table.value = claims_html(self._results)


def _row(one: claims.Result) -> str:
    remark = f'<br><span class="labkit-quiet">{escape(_remark(one))}</span>' if _remark(one) else ""
    cells = (escape(one.claim.figure or "–"), escape(_here(one)), escape(one.verdict))
    return f"<tr><td>{escape(one.claim.says)}{remark}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _here(one: claims.Result) -> str:
    if (here := one.measurement) is None:
        return "–"
    by = ", ".join(part for part in (here.engine, here.model) if part)
    return f"{here.figure} ({by + '; ' if by else ''}n = {here.n}, {here.date})"


def _remark(one: claims.Result) -> str:
    """Why it cannot be tested, or where it will be; else what is known better."""
    if one.claim.untestable:
        return one.claim.untestable
    waiting = f"Measured in lesson {one.claim.lesson}." if one.measurement is None else one.measurement.note
    return " ".join(part for part in (waiting, one.claim.correction) if part)
