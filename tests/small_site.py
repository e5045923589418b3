"""What the tests of the rendered course build from: a notebook that really ran, and has every kind of output that lessons have."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbclient import NotebookClient

FIGURE = """
import plotly.graph_objects as go
from labkit.widgets.theme import quiet
figure = go.Figure(go.Scatter(x=[1, 2], y=[3, 5], name="in all"), frames=[go.Frame(data=[{"y": [8, n]}]) for n in (8, 13)])
figure.update_layout(sliders=[{"steps": [{"args": [["0"]], "label": "</script>first"}]}])
quiet(figure, x="callers", y="tokens a second")
"""
CARD = "from labkit.widgets import hardware_card\nhardware_card()"
TABLE = 'from IPython.display import Markdown\nMarkdown("| engine | tokens |\\n| --- | --- |\\n| one | <b>12</b> |")'
PRINTED = r'print("\033[31mred\033[0m and \033[1;34mblue\033[0m", "<script>document.title = 1</script>", "word " * 60)'
ERROR = 'import labkit\nlabkit.connect(model="smolm2-135")'
WARNED = 'import sys\nprint("to stderr", file=sys.stderr)'
BAR = "from tqdm.auto import tqdm\nlist(tqdm(range(3), desc='a bar'))"


def executed(*cells: str | tuple[str, str], folder: Path) -> nbformat.NotebookNode:
    """Return a notebook of `cells` after a run in a fresh kernel: text is Markdown, a pair ("code", source) is code."""
    nb = nbformat.v4.new_notebook(cells=[_cell(one) for one in cells])
    return NotebookClient(nb, timeout=120, allow_errors=True, resources={"metadata": {"path": str(folder)}}).execute()


def every_output(folder: Path) -> list[nbformat.NotebookNode]:
    """Return executed code cells: a figure, a card, a table, coloured text, an error, a warning, a progress bar."""
    sources = (FIGURE, CARD, TABLE, PRINTED, ERROR, WARNED, BAR)
    return executed(*(("code", source.strip()) for source in sources), folder=folder).cells


def _cell(one: str | tuple[str, str]) -> nbformat.NotebookNode:
    if isinstance(one, str):
        return nbformat.v4.new_markdown_cell(one)
    return nbformat.v4.new_code_cell(one[1])
