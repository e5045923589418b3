"""A notebook as a file: read and checked, written whole or not at all, rendered as a page."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import disk
from labkit.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["place_text", "read", "render", "text_of"]


def read(path: Path) -> NotebookNode:
    """Return the notebook in a file, as nbformat 4; CourseError when there is none in it."""
    import nbformat

    try:
        nb = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(nb)
    except OSError as error:
        raise CourseError(f"{path} cannot be read", str(error.strerror), "labkit lab") from error
    except (ValueError, AttributeError, TypeError, nbformat.ValidationError) as error:
        raise CourseError(f"{path} is not a notebook", str(error).split("\n")[0], "labkit lab") from error
    return nb


def text_of(nb: NotebookNode) -> str:
    """Return what a notebook's file holds."""
    import nbformat

    return nbformat.writes(nb)


def place_text(text: str, path: Path) -> Path:
    """Write a text file whole or not at all, its folder too if missing; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.placed(path) as file:
        file.write(text.encode())
    return path


def render(notebook: NotebookNode | str | Path, title: str = "") -> str:
    """Return a notebook, outputs and all, as one HTML page; widgets without saved state show their text twin."""
    from nbconvert import HTMLExporter

    nb = read(Path(notebook)) if isinstance(notebook, str | Path) else deepcopy(notebook)
    if "widgets" not in nb.metadata:
        for output in (output for cell in nb.cells for output in cell.get("outputs", [])):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    page, _ = HTMLExporter().from_notebook_node(nb, resources={"metadata": {"name": title or "notebook"}})
    return page
