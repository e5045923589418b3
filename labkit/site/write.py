"""The pages as files: templates of data/site filled in, style and scripts beside them, and an index for the search.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import module_map, names, paths
from labkit._notebook_file import place_text
from labkit.names import PublicName
from labkit.site.pages import Page

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["write"]

PLOTLY_JS = "assets/plotly.min.js"


def write(dest: Path, pages: list[Page]) -> list[Path]:
    """Write every page and what it needs into `dest` (made if missing); return the HTML files, the first page first."""
    parts = paths.data_dir() / "site"
    (dest / "assets").mkdir(parents=True, exist_ok=True)
    for file in (*parts.glob("*.css"), *parts.glob("*.js")):
        shutil.copyfile(file, dest / "assets" / file.name)
    known = names.names()
    place_text(_search_index(pages, known), dest / "assets" / "search-index.js")
    if any(page.figures for page in pages):
        place_text(_plotly(), dest / PLOTLY_JS)
    return [place_text(text, dest / name) for name, text in _texts(parts, pages, known).items()]


def _texts(parts: Path, pages: list[Page], known: list[PublicName]) -> dict[str, str]:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    jinja = Environment(
        loader=FileSystemLoader(parts), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    jinja.filters |= {"page": _page_link, "code": _code}
    front = {
        "pages": pages,
        "headings": module_map.headings(),
        "recipes": module_map.recipes(),
        "minutes": sum(page.row.minutes for page in pages),
        "exercises": sum(page.row.exercises for page in pages),
    }
    texts = {"index.html": jinja.get_template("index.html.j2").render(**front)}
    texts["search.html"] = jinja.get_template("search.html.j2").render()
    texts["names.html"] = jinja.get_template("names.html.j2").render(groups=_grouped(known))
    lesson = jinja.get_template("lesson.html.j2")
    around = zip([None, *pages[:-1]], pages, [*pages[1:], None], strict=True)
    for before, page, after in around:
        texts[page.file] = lesson.render(page=page, before=before, after=after)
    return texts


def _page_link(place: module_map.Place) -> str:
    """Return the link to a section's page; "" for a lesson that is not written yet."""
    return place.link.replace(".ipynb", ".html") if place.file else ""


def _code(text: str) -> Markup:
    """Return a line of a docstring as HTML: what stands between backticks is code."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _grouped(known: list[PublicName]) -> dict[str, list[PublicName]]:
    """Return the names by package, or module at the top; the few of `import labkit` itself come first."""
    groups: dict[str, list[PublicName]] = {}
    for one in known:
        groups.setdefault(".".join(one.name.split(".")[:-1][:2]), []).append(one)
    return groups


def _search_index(pages: list[Page], known: list[PublicName]) -> str:
    """Return a script, since a page opened from a disk may not read other files. Lessons come first, then names."""
    rows = [
        {"page": f"{page.row.id} {page.row.title}", "section": part.title, "link": part.link, "words": part.words}
        for page in pages
        for part in page.parts
    ]
    rows += [
        {"page": "Names", "section": one.last, "link": f"names.html#{one.name}", "words": f"{one.name} {one.says}"}
        for one in known
    ]
    return f"const SECTIONS = {json.dumps(rows, ensure_ascii=False)};\n"


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()
