"""Every lesson in a real JupyterLab: opened, run from top to bottom, its widgets used, its figures drawn, its picture taken."""

from __future__ import annotations

import pytest

from labkit import paths

NOTEBOOKS = sorted(path.name for path in paths.notebooks_dir().glob("*.ipynb"))
WIDGET = ".jp-OutputArea-output .jupyter-widgets"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NOTEBOOKS, ids=lambda name: name.removesuffix(".ipynb"))
def test_runs_green_and_its_widgets_work(open_lab, artifacts, name):
    lab = open_lab(name)
    lab.run_all()
    assert lab.errors() == []
    use_selects(lab)
    use_sliders(lab)
    press_buttons(lab)
    use_chat(lab)
    play_figures(lab)
    lab.wait_idle()
    lab.screenshot(artifacts / f"{name.removesuffix('.ipynb')}.png")
    assert lab.errors() == []
    held, drawn = lab.figures()
    assert held == drawn, f"{held} figures, {drawn} of them drawn"
    assert lab.page.locator(".jupyter-widgets-error-widget").count() == 0
    assert lab.complaints == []


def use_selects(lab) -> None:
    """Pick the next choice of every list by keyboard."""
    for one in lab.page.locator(f"{WIDGET} select").all():
        before = one.input_value()
        one.focus()
        for key in ("Space", "ArrowDown", "Enter"):
            lab.page.keyboard.press(key)
        assert one.input_value() != before


def use_sliders(lab) -> None:
    """Move every slider of a widget one step by keyboard."""
    for one in lab.page.locator(f"{WIDGET} .noUi-handle").all():
        one.focus()
        lab.page.keyboard.press("ArrowRight")


def press_buttons(lab) -> None:
    """Press every button that does not belong to a chat box."""
    for one in lab.page.locator(f"{WIDGET} button:enabled").all():
        if one.inner_text() not in ("Send", "Stop", "New"):
            one.click()


def use_chat(lab) -> None:
    """Send one message in every chat box, with Enter, and wait for the speed under its answer."""
    for field in lab.page.get_by_label("Message").all():
        answered = lab.page.locator(".labkit-turn").get_by_text("tokens/s")
        before = answered.count()
        field.fill("What is the capital of Italy?")
        field.press("Enter")
        answered.nth(before).wait_for(timeout=60_000)


def play_figures(lab) -> None:
    """Press the first button (Play) of every figure that has some."""
    for one in lab.page.locator(".js-plotly-plot").all():
        button = one.locator(".updatemenu-button").first
        if button.count():
            button.scroll_into_view_if_needed()
            button.click()
    lab.page.wait_for_timeout(1500)
