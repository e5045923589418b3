"""One model in several formats, as a table in words: size, load, speed beside F16's, and how far the answers agree.

    print(formats_text(found))          # what labkit.quantize.formats returned

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.quantize.formats import Figure, Formats, Measured, Missing
    from labkit.quantize.task import Share

__all__ = ["formats_text"]

HEAD = f"{'form':14}{'MB':>6}{'load':>14}{'reading':>14}{'writing':>14}   {'same next token':20}{'same answer':>12}"


def formats_text(found: Formats) -> str:
    """Return the forms as a plain table, the missing ones with why and what to do, and how to read the columns."""
    reference = found.measured[0]
    base = (
        f"{reference.form.id}: loads in {reference.load.value.value:.1f} s, reads {reference.prompt.value.value:.0f} and writes "
        f"{reference.decode.value.value:.0f} tokens a second. Loading, reading and writing below are times these figures."
    )
    seen = f"{found.questions} questions; rounds: {found.rounds}; threads: {found.threads}; {found.machine}."
    lines = [base, HEAD, *map(_line, found.measured), "", seen, *_notes(found.measured), *map(_missing, found.missing)]
    return "\n".join(lines)


def _line(one: Measured) -> str:
    times = "".join(f"{_times(figure):>14}" for figure in (one.load, one.prompt, one.decode))
    same = one.agreement.same_answer
    size = f"{one.size_bytes / 1e6:6.0f}"
    return f"{one.form.id:14}{size}{times}   {_share(one.agreement.next_token):20}{f'{same.right}/{same.n}':>12}"


def _times(figure: Figure) -> str:
    value, error = figure.ratio.value, figure.ratio.error
    if math.isnan(value):
        return "–"
    return f"{value:.2f} ± {error:.2f}" if error else f"{value:.2f}"  # one round has no range


def _share(share: Share) -> str:
    known = share.to_dict()
    return f"{known['rate']:.0%} ({known['low']:.0%} to {known['high']:.0%})"


def _notes(measured: Sequence[Measured]) -> list[str]:
    found = [f"{one.form.id}: {one.form.note}" for one in measured if one.form.note]
    other = [one.form.id for one in measured if not one.same_prompt]
    if other:
        found.append(f"{', '.join(other)}: the engine made another prompt; agreement is not the format's alone.")
    return found


def _missing(one: Missing) -> str:
    return f"Not here: {one.form.id} ({one.form.says}). {one.what} {one.why}. Try: {one.fix}"
