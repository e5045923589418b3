"""One executed notebook as the inside of a page: text, code and outputs, with links between lessons, and words for the search.

nbconvert does the converting; here its HTML is made to stand alone: figures are still, tables scroll by keyboard, and every
section has a link of its own.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from labkit.course import Lesson, lessons
from labkit.module_map import Section
from labkit.site.figures import still_figures

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from nbformat import NotebookNode

__all__ = ["Page", "Part", "lesson_page"]

# Of widgets, what they left.
SHOWN = ["text/html", "text/markdown", "image/svg+xml", "image/png", "text/latex", "text/plain"]
WIDGET = "application/vnd.jupyter.widget-view+json"
MARKS = re.compile(r"[*`]|\]\([^)]*\)|(?<!\w)\[")  # emphasis, code, links
RULES = re.compile(r"[#|>]|-{3,}")  # headings, tables, quotations
HEADING = re.compile(r"^##+ (.+?)\s*$", re.M)


@dataclass(frozen=True)
class Part:
    """A section for the search: its title ("" for the beginning), where it is, and its plain words."""

    title: str
    link: str
    words: str


@dataclass(frozen=True)
class Page:
    """A lesson's page. body: HTML; figures: how many are in it; executed: whether the notebook ever ran."""

    row: Lesson
    body: str
    figures: int
    executed: bool
    parts: list[Part] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The page's file."""
        return page_file(self.row)


def page_file(row: Lesson) -> str:
    """Return the file of a lesson's page."""
    return row.file.replace(".ipynb", ".html")


def lesson_page(row: Lesson, notebook: NotebookNode) -> Page:
    """Return the page of a lesson from its executed notebook, which stays as it is."""
    from bs4 import BeautifulSoup

    nb = deepcopy(notebook)
    _drop_bars(nb)
    figures = still_figures(nb)
    executed = any(cell.get("execution_count") for cell in nb.cells)
    soup = BeautifulSoup(_converted(nb), "html.parser")
    _link_lessons(soup)
    _name_anchors(soup)
    _frame_tables(soup)
    return Page(row, str(soup), figures, executed, _parts(row, nb))


def _drop_bars(nb: NotebookNode) -> None:
    """Progress bars, and widgets that left nothing but their name, are of no use when the run is over."""
    for cell in nb.cells:
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if WIDGET not in one.get("data", {}) or "text/html" in one.data]


def _converted(nb: NotebookNode) -> str:
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    settings = Config({"NbConvertBase": {"display_data_priority": SHOWN}})
    exporter = HTMLExporter(
        config=settings, template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True
    )
    return exporter.from_notebook_node(nb)[0]


def _link_lessons(soup: BeautifulSoup) -> None:
    """A link to a notebook becomes one to its page."""
    pages = {row.file: page_file(row) for row in lessons()}
    for link in soup.select("a[href]"):
        name, mark, anchor = link["href"].partition("#")
        if name in pages:
            link["href"] = pages[name] + mark + anchor


def _name_anchors(soup: BeautifulSoup) -> None:
    """The sign behind a heading is a link; whoever cannot see where it stands hears where it leads."""
    for link in soup.select("a.anchor-link"):
        title = link.parent.get_text().removesuffix(link.get_text())
        link.parent["id"] = anchor = Section(title, 0).anchor  # nbconvert would spell some letters as %C2%B7
        link["href"], link["aria-label"] = f"#{anchor}", f"Link to the section {title}"


def _frame_tables(soup: BeautifulSoup) -> None:
    """A table wider than a phone scrolls inside a frame, which the keyboard can reach."""
    for table in soup.select("table"):
        named = table.select("caption") or table.select("thead th")
        names = ", ".join(filter(None, (one.get_text(" ", strip=True) for one in named)))
        label = f"Table: {names}" if names else "Table"
        frame = soup.new_tag("div", role="group", tabindex="0", **{"class": "wide", "aria-label": label})
        table.wrap(frame)


def _parts(row: Lesson, nb: NotebookNode) -> list[Part]:
    """Return the text of the notebook by section, without code and outputs."""
    text = "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    begin, *rest = HEADING.split(text)
    pieces = [("", begin), *zip(rest[::2], rest[1::2], strict=True)]
    return [Part(_plain(title), _link(row, title), _plain(words)) for title, words in pieces]


def _link(row: Lesson, title: str) -> str:
    return page_file(row) + (f"#{Section(title, 0).anchor}" if title else "")


def _plain(markdown: str) -> str:
    return " ".join(RULES.sub(" ", MARKS.sub("", markdown)).split())
