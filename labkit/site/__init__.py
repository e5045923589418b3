"""The course as pages: all lessons executed, as static HTML that any browser reads, without a server and without a network.

    site = build("site")                       # runs every lesson first; minutes
    site = build("site", "executed")           # from the notebooks that `labkit run --out executed` left
    assert site.ok, site.problems

Pages and parts lie in one folder, so it can be opened from a disk, put on a stick or behind any web server. A page asks no other
host for anything. Templates, style and scripts are in data/site.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import course
from labkit._notebook_file import read
from labkit.errors import CourseError
from labkit.site.links import check
from labkit.site.pages import Page, lesson_page
from labkit.site.write import write

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Site", "build"]


@dataclass(frozen=True)
class Site:
    """What was built: the page of each lesson and the others, and every reason not to show them to anybody.

    problems: lessons that are red or were never executed, links that lead nowhere, anything that would be asked from another host.
    external: links to other hosts, for a person to try; labkit does not.
    """

    folder: Path
    pages: list[Path]
    figures: int = 0
    problems: list[str] = field(default_factory=list)
    external: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing speaks against it."""
        return not self.problems

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {**asdict(self), "folder": str(self.folder), "pages": [str(page) for page in self.pages], "ok": self.ok}


def build(
    dest: str | Path,
    executed: str | Path | None = None,
    on_progress: Callable[[course.Progress], None] | None = None,
) -> Site:
    """Write the site into the folder `dest`, over an older one, and check its links.

    executed: a folder with an executed notebook of every lesson; None runs them all (`on_progress` as in `course.run`).
    Raises CourseError when one is missing there, or is no notebook.
    """
    if executed is not None:
        return _built(Path(dest), _notebooks(Path(executed)), [])
    with tempfile.TemporaryDirectory(prefix="labkit-executed-") as folder:
        results = course.run(out=folder, on_progress=on_progress)
        red = [f"lesson {one.lesson} is red: {problem}" for one in results for problem in one.problems]
        return _built(Path(dest), _notebooks(Path(folder)), red)


def _built(dest: Path, notebooks: dict[str, NotebookNode], problems: list[str]) -> Site:
    rows = course.lessons()
    pages: list[Page] = [lesson_page(row, notebooks[row.id]) for row in rows]
    files = write(dest, pages)
    unrun = [f"{page.row.file} was never executed" for page in pages if not page.executed]
    links = check(dest, files)
    figures = sum(page.figures for page in pages)
    return Site(dest, files, figures, [*problems, *unrun, *links.problems], links.external)


def _notebooks(folder: Path) -> dict[str, NotebookNode]:
    """Return the notebook of each lesson, by its id."""
    missing = [row.file for row in course.lessons() if not (folder / row.file).is_file()]
    if missing:
        numbers = " ".join(name[:2] for name in missing)
        why = f"missing: {', '.join(missing)}"
        raise CourseError(f"{folder} does not hold every lesson", why, f"labkit run {numbers} --out {folder}")
    return {row.id: read(folder / row.file) for row in course.lessons()}
