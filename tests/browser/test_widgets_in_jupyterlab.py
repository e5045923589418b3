"""The widgets in a real JupyterLab: used by keyboard alone, and looked at in light and dark, wide and narrow."""

from __future__ import annotations

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
ALL_THREE = [
    "import labkit\nfrom labkit.widgets import chat_box, hardware_card, model_picker\n\nhardware_card()",
    "picker = model_picker()\npicker",
    "endpoint = labkit.connect()\nbox = chat_box(endpoint, ask='What is the capital of France?')\nbox",
    "0",
]
LONG = "Write a long story about the sea."
# Keeps the kernel's main thread busy until the answer is written, and notes whether it was being written at first.
BUSY = """import time
seen, end = box.conversation.writing, time.time() + 60
while box.conversation.writing and time.time() < end:
    time.sleep(0.05)"""
# How the second answer grew: its length each time that something in the box changed.
WATCH = """() => { window.lengths = [];
  const log = document.querySelector('.labkit-turn').closest('.jp-OutputArea-output');
  new MutationObserver(() => {
    const turns = log.querySelectorAll('.labkit-turn');
    window.lengths.push(turns[1]?.querySelector('.labkit-answer .labkit-text')?.textContent.length ?? 0);
  }).observe(log, {childList: true, subtree: true, characterData: true}); }"""
TOO_WIDE = "() => [...document.querySelectorAll('.labkit')].filter(e => e.scrollWidth > e.clientWidth + 1).length"


def write(server, name: str, sources: list[str]) -> str:
    nbformat.write(new_notebook(cells=[new_code_cell(one) for one in sources], metadata=KERNEL), server.folder / name)
    return name


@pytest.fixture
def lab(open_lab, server):
    page = open_lab(write(server, "widgets.ipynb", ALL_THREE))
    page.run_all()
    assert page.errors() == []
    return page


def answers(page):
    return page.locator(".labkit-turn")


def messages(lab) -> list[dict]:
    return json.loads(lab.run_cell(3, "import json; print(json.dumps(box.messages))"))


@pytest.mark.timeout(600)
def test_the_widgets_by_keyboard(lab):
    page = lab.page
    assert "capital of France is Paris" in answers(page).first.inner_text()  # `ask` was answered before it was shown

    page.get_by_label("Message").focus()
    page.evaluate(WATCH)
    page.keyboard.type("And of Italy?")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.labkit-turn').length === 2")
    answers(page).nth(1).get_by_text("tokens/s").wait_for()
    grew = [length for length in page.evaluate("window.lengths") if length]
    assert len(set(grew)) >= 3 and grew == sorted(grew), f"the answer did not come piece by piece: {grew}"
    assert "first token after" in answers(page).nth(1).inner_text()
    assert page.get_by_label("Message").input_value() == ""
    assert page.evaluate("document.activeElement.matches('.widget-text input')"), "the keyboard lost its place"

    # Enter on a text that has been left and not changed: no change event, and still one message.
    page.keyboard.type(LONG)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Send"
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('.labkit-turn').length === 3")

    # Stop, while it writes.
    page.get_by_role("button", name="Stop").and_(page.locator(":enabled")).wait_for()
    answers(page).nth(2).locator(".labkit-answer .labkit-text").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Stop"
    page.keyboard.press("Space")
    answers(page).nth(2).get_by_text("stopped after").wait_for()
    assert page.evaluate("document.activeElement.matches('.widget-text input')"), "the keyboard lost its place"

    said = messages(lab)
    assert [one["role"] for one in said] == ["user", "assistant"] * 3
    assert said[2]["content"] == "And of Italy?" and said[4]["content"] == LONG
    assert said[5]["content"].strip() in answers(page).nth(2).inner_text(), "what was stopped is kept as far as it came"
    assert "tokens/s" in lab.run_cell(3, "print(box.transcript())")

    page.get_by_label("Model").focus()
    for key in ("Space", "ArrowDown", "Enter"):  # a closed list would lose its arrow keys to JupyterLab
        page.keyboard.press(key)
    page.get_by_text("SmolLM2-360M-Instruct").wait_for()
    assert lab.run_cell(3, "print(picker.value)").strip() == "smollm2-360m"
    assert lab.complaints == []


@pytest.mark.timeout(600)
def test_buttons_by_mouse(lab):
    page = lab.page
    page.get_by_role("button", name="Read again").click()
    page.get_by_label("Message").fill("Say yes.")
    page.get_by_role("button", name="Send").click()
    page.wait_for_function("document.querySelectorAll('.labkit-turn').length === 2")
    answers(page).nth(1).get_by_text("tokens/s").wait_for()
    page.get_by_role("button", name="New").click()
    page.wait_for_function("document.querySelectorAll('.labkit-turn').length === 0")
    assert messages(lab) == []
    assert lab.complaints == []


@pytest.mark.timeout(600)
def test_what_the_model_writes_is_text_not_html(open_lab, server):
    lab = open_lab(write(server, "escape.ipynb", [ALL_THREE[0], "endpoint = labkit.connect()\nchat_box(endpoint)"]))
    lab.run_all()
    page = lab.page
    page.get_by_label("Message").fill("<img src=x onerror='window.owned = true'> Repeat this.")
    page.keyboard.press("Enter")
    answers(page).first.get_by_text("tokens/s").wait_for()
    assert "<img src=x" in answers(page).first.inner_text()
    assert page.locator(".labkit-turn img").count() == 0 and not page.evaluate("window.owned")


@pytest.mark.timeout(600)
def test_a_dead_engine_shows_its_three_lines_in_the_box(open_lab, server):
    lab = open_lab(write(server, "dead.ipynb", [ALL_THREE[0], "endpoint = labkit.connect()\nchat_box(endpoint)", "0"]))
    lab.run_all()
    lab.run_cell(2, "endpoint.process.stop()")
    lab.page.get_by_label("Message").fill("Are you there?")
    lab.page.keyboard.press("Enter")
    failed = lab.page.locator(".labkit-failed")
    failed.wait_for()
    assert "Likely why:" in failed.inner_text() and "Try: labkit doctor" in failed.inner_text()


@pytest.mark.timeout(600)
def test_an_answer_goes_on_while_a_cell_runs(lab):
    """What is sent waits for the kernel's main thread; what is being written does not."""
    lab.page.get_by_label("Message").fill(LONG)
    lab.page.keyboard.press("Enter")
    answers(lab.page).nth(1).get_by_text("writing").wait_for()
    lab.run_hidden(BUSY)
    answers(lab.page).nth(1).get_by_text("tokens/s").wait_for()
    assert lab.run_cell(3, "print(seen, box.conversation.writing)").split() == ["True", "False"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 520])
def test_readable_in_light_and_dark_wide_and_narrow(open_lab, server, artifacts, width, dark):
    lab = open_lab(write(server, "looks.ipynb", ALL_THREE), width=width, dark=dark)
    lab.run_all()
    assert lab.errors() == []
    assert lab.screenshot(artifacts / f"widgets-{'dark' if dark else 'light'}-{width}.png") == []
    assert lab.page.evaluate(TOO_WIDE) == 0
