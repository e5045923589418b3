"""Every kind of control by keyboard alone, in a notebook that needs no engine; and the faults that the lessons' test would find."""

from __future__ import annotations

import by_keyboard
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
LESSON = 'import labkit\n\nlabkit.lesson("02", "0.1")'
CONTROLS = [
    "from labkit.widgets import hardware_card, model_picker\n\nhardware_card()",
    "model_picker()",
    'from labkit.widgets.memory import memory_card\n\nmemory_card("phi-4-mini")',
    "from labkit.agents import run, thermostat\nfrom labkit.widgets.worlds import room_scene\n\n"
    'room_scene({"reflex": run(thermostat.Room(), thermostat.single_threshold, 60)})',
]
PALE = """import plotly.graph_objects as go

go.Figure(layout={"template": "none", "title": {"text": "pale", "font": {"color": "#999"}}})"""
CAUGHT = """from IPython.display import HTML

HTML("<button>once</button><button onfocus='this.previousSibling.focus()'>never</button>")"""
UNSEEN = "from IPython.display import HTML\n\nHTML('<button style=\"outline: none\">where</button>')"


@pytest.fixture
def opened(open_lab, server):
    """Give `opened(*cells)`: a fresh notebook of a heading, the lesson's first cell and these, run by keyboard."""

    def open_with(*cells: str):
        sources = [new_markdown_cell("# Keys"), *(new_code_cell(one) for one in (LESSON, *cells))]
        nbformat.write(new_notebook(cells=sources, metadata=KERNEL), server.folder / "keys.ipynb")
        lab = open_lab("keys.ipynb")
        by_keyboard.run_all(lab)
        assert lab.errors() == []
        return lab

    return open_with


@pytest.mark.timeout(600)
def test_every_kind_of_control_and_light_and_dark(opened, artifacts):
    lab = opened(*CONTROLS)
    used = by_keyboard.walk(lab)
    assert used == {"choose": 2, "move": 4, "play": 2, "unfold": 1, "ask": 0, "press": 1, "follow": 0}
    assert lab.page.locator(".modebar-btn").count() and not lab.page.locator("[data-title*='hare']").count()
    assert lab.screenshot(artifacts / "keys-light.png") == []
    lab.darken()
    assert lab.screenshot(artifacts / "keys-dark.png") == []
    assert lab.complaints == []


@pytest.mark.timeout(600)
def test_faults_are_found(opened, tmp_path):
    lab = opened(CAUGHT, UNSEEN, PALE)
    with pytest.raises(AssertionError, match=r"comes back to .*once"):
        by_keyboard.walk(lab)
    assert [text[:6] for text in lab.screenshot(tmp_path / "pale.png")] == ["'pale'"]
