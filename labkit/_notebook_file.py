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

PLOTLY = "application/vnd.plotly.v1+json"
# nbconvert's page of JupyterLab, without what it would fetch from elsewhere when it is opened: formulas, diagrams and live widgets.
STAND_ALONE = """{% extends "lab/index.html.j2" %}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
"""


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
    """Return a notebook, outputs and all, as one HTML page that needs no network.

    A widget shows the HTML or text that it left beside itself; a formula in a text stays as it was written.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    nb = read(Path(notebook)) if isinstance(notebook, str | Path) else deepcopy(notebook)
    _draw_figures(nb)
    exporter = HTMLExporter(extra_loaders=[DictLoader({"index.html.j2": STAND_ALONE})])
    page, _ = exporter.from_notebook_node(nb, resources={"metadata": {"name": title or "notebook"}})
    return page


def _draw_figures(nb: NotebookNode) -> None:
    """Give each plotly figure an HTML form: JupyterLab draws its JSON, nbconvert would leave it out."""
    outputs = [output.data for cell in nb.cells for output in cell.get("outputs", []) if "data" in output]
    figures = [data for data in outputs if PLOTLY in data and "text/html" not in data]
    for i, data in enumerate(figures):
        from plotly.io import to_html

        script = i == 0  # plotly itself, 5 MB, once a page
        data["text/html"] = to_html(data[PLOTLY], include_plotlyjs=script, full_html=False, auto_play=False)
