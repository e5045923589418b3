"""The pages as files: templates of data/site filled in, style and scripts beside them, and an index for the search.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from labkit import module_map, paths
from labkit._notebook_file import place_text
from labkit.site.pages import Page

__all__ = ["write"]

PLOTLY_JS = "assets/plotly.min.js"


def write(dest: Path, pages: list[Page]) -> list[Path]:
    """Write every page and what it needs into `dest` (made if missing); return the HTML files, the first page first."""
    parts = paths.data_dir() / "site"
    (dest / "assets").mkdir(parents=True, exist_ok=True)
    for file in (*parts.glob("*.css"), *parts.glob("*.js")):
        shutil.copyfile(file, dest / "assets" / file.name)
    place_text(_search_index(pages), dest / "assets" / "search-index.js")
    if any(page.figures for page in pages):
        place_text(_plotly(), dest / PLOTLY_JS)
    return [place_text(text, dest / name) for name, text in _texts(parts, pages).items()]


def _texts(parts: Path, pages: list[Page]) -> dict[str, str]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    jinja = Environment(
        loader=FileSystemLoader(parts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters["page"] = _page_link
    front = {
        "pages": pages,
        "headings": module_map.headings(),
        "recipes": module_map.recipes(),
        "minutes": sum(page.row.minutes for page in pages),
        "exercises": sum(page.row.exercises for page in pages),
    }
    texts = {"index.html": jinja.get_template("index.html.j2").render(**front)}
    texts["search.html"] = jinja.get_template("search.html.j2").render()
    lesson = jinja.get_template("lesson.html.j2")
    around = zip([None, *pages[:-1]], pages, [*pages[1:], None], strict=True)
    for before, page, after in around:
        texts[page.file] = lesson.render(page=page, before=before, after=after)
    return texts


def _page_link(place: module_map.Place) -> str:
    """Return the link to a section's page; "" for a lesson that is not written yet."""
    return place.link.replace(".ipynb", ".html") if place.file else ""


def _search_index(pages: list[Page]) -> str:
    """Return a script, since a page opened from a disk may not read other files."""
    rows = [
        {"page": f"{page.row.id} {page.row.title}", "section": part.title, "link": part.link, "words": part.words}
        for page in pages
        for part in page.parts
    ]
    return f"const SECTIONS = {json.dumps(rows, ensure_ascii=False)};\n"


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
