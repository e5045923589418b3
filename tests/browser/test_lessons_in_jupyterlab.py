"""Every lesson in a real JupyterLab, by keyboard alone: opened, run from top to bottom, its widgets used, its figures drawn.

Then its picture is taken in light and in dark, and what labkit shows must be readable in both.
"""

from __future__ import annotations

import by_keyboard
import pytest

from labkit import paths

NOTEBOOKS = sorted(path.name for path in paths.notebooks_dir().glob("*.ipynb"))


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NOTEBOOKS, ids=lambda name: name.removesuffix(".ipynb"))
def test_by_keyboard_alone_and_readable_in_light_and_dark(open_lab, artifacts, name):
    lab = open_lab(name)
    by_keyboard.run_all(lab)
    assert lab.errors() == []
    by_keyboard.walk(lab)
    lab.wait_idle()
    stem = name.removesuffix(".ipynb")
    pale = lab.screenshot(artifacts / f"{stem}-light.png")
    lab.darken()
    pale += lab.screenshot(artifacts / f"{stem}-dark.png")
    assert pale == []
    assert lab.errors() == []
    held, drawn = lab.figures()
    assert held == drawn, f"{held} figures, {drawn} of them drawn"
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.complaints == []
