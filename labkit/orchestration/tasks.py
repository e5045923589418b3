"""Which model does which kind of task: a table of categories with words, and a model each (data/orchestration.toml).

    pick("Find the bug in this simple code")     # coding and lightweight both have a word: a tie, said so

The recipe that this repairs pulled all models at construction, and took the first category of which any keyword stood anywhere
inside the text. Here whole words count, the category with most of them wins, a tie goes to the one listed last, which can do more,
and a model is only named if it is on this disk and fits; else the nearest smaller one that does, and the choice says so.

Taught in notebook 09, section "Routing".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labkit import catalog, hardware, weights
from labkit.orchestration.route import table
from labkit.tools.words import stem, words

__all__ = ["Category", "Pick", "categories", "pick"]


@dataclass(frozen=True)
class Category:
    """A kind of task: its `name`, the `keywords` that speak for it (none: it is the rest), and its `model`, an alias.

    Taught in notebook 09, section "Routing".
    """

    name: str
    keywords: tuple[str, ...]
    model: str


@dataclass(frozen=True)
class Pick:
    """category: what kind of task it is. wanted: the table's model for it. model: the one that is here. reason: one sentence.

    Taught in notebook 09, section "Routing".
    """

    category: str
    wanted: str
    model: str
    reason: str


def categories() -> list[Category]:
    """Return the table's categories, the smallest model first; the last, without keywords, takes what no other does.

    Taught in notebook 09, section "Routing".
    """
    return [Category(row["name"], tuple(row["keywords"]), row["model"]) for row in table()["category"]]


def pick(text: str, among: Sequence[Category] = (), here: Callable[[str], bool] | None = None) -> Pick:
    """Return the model for a task described in `text`.

    here(alias): whether a model can be used; the default asks the disk and the memory of this machine. Raises UnknownModel for a
    category whose model the catalogue does not know.

    Taught in notebook 09, section "Routing".
    """
    among, usable = among or categories(), here or _usable
    said = {stem(word) for word in words(text)}
    hits = {one.name: [word for word in one.keywords if stem(word) in said] for one in among}
    most = max(len(found) for found in hits.values())
    best = [one for one in among if len(hits[one.name]) == most][-1]
    why = f"it says {', '.join(hits[best.name])}" if most else "no word speaks for another category"
    if usable(best.model):
        return Pick(best.name, best.model, best.model, why)
    other = _smaller(best.model, usable)
    return Pick(best.name, best.model, other, f"{why}; {best.model} is not here or does not fit, {other} is and does")


def _smaller(alias: str, usable: Callable[[str], bool]) -> str:
    """The largest usable chat model below `alias`, or the course's own."""
    most = catalog.model(alias).parameters
    rest = [one for one in catalog.models() if one.kind == "chat" and one.parameters < most and usable(one.alias)]
    return max(rest, key=lambda one: one.parameters, default=catalog.default_model()).alias


def _usable(alias: str) -> bool:
    found = catalog.model(alias)
    return bool(weights.present(found)) and bool(hardware.fits(found))
