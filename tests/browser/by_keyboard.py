"""A notebook used by keyboard alone: run from its first cell to its last, then gone through with Tab, each control used on the way.

Only keys are pressed here; what is read from the page tells whether they did what they should.
"""

from __future__ import annotations

MOST = 600  # stops of Tab in one notebook
CELLS = ".jp-Notebook .jp-Cell"
# What a reader may use in the output of a cell, by how it is used.
KINDS = {
    "choose": "select",
    "move": "[role=slider]",
    "play": ".updatemenu-button",
    "unfold": "summary",
    "ask": "input",
    "press": "button:not(.modebar *)",  # plotly's own bar saves a picture: nothing to learn there
    "follow": "a[href]:not(.modebar *)",
}
CHAT = (
    "Send",
    "Stop",
    "New",
)  # pressed in test_widgets_in_jupyterlab.py, where there is a conversation to stop and to forget
# Notes each control that looks the same with the keyboard's focus and without.
WATCH = """() => { window.unseen = new Set(); let was;
  const look = e => { const s = getComputedStyle(e); return [s.outline, s.boxShadow, s.border, s.background].join(); };
  document.addEventListener('focusin', e => { was = look(e.target); });
  document.addEventListener('focusout', e => {
    if (e.target.closest('.jp-OutputArea-output') && look(e.target) === was) window.unseen.add(e.target); }); }"""
HERE = """kinds => { const e = document.activeElement, met = 'met' in e.dataset; e.dataset.met = '';
  const output = e.closest('.jp-OutputArea-output');
  return {inside: !!e.closest('.jp-Notebook'), met, text: e.textContent.trim(),
    kind: output && Object.keys(kinds).find(kind => e.matches(kinds[kind]))}; }"""
LEFT_OUT = """kinds => [...document.querySelectorAll(Object.values(kinds).join())]
  .filter(e => e.closest('.jp-OutputArea-output') && e.checkVisibility() && !e.disabled && !('met' in e.dataset))
  .map(e => e.outerHTML.slice(0, 120))"""
UNSEEN = "() => [...window.unseen].map(e => e.outerHTML.slice(0, 120))"
STATE = """() => { const e = document.activeElement;
  return e.value ?? e.ariaValueText ?? e.ariaValueNow ?? e.parentElement.open?.toString(); }"""
# A figure moves to the slider's step when the browser next draws; what is pressed sooner than any hand could is undone by that.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FRAME = "() => document.activeElement.closest('.js-plotly-plot').querySelector('.slider-label').textContent"


def run_all(lab) -> None:
    """Run the notebook as its reader does, and wait until every cell has run or one has failed that may not."""
    assert lab.page.evaluate("!!document.activeElement.closest('.jp-Notebook')"), "an opened notebook has no focus"
    for _ in range(lab.page.locator(CELLS).count() - 1):
        lab.page.keyboard.press("Shift+Enter")
    lab.page.keyboard.press("Control+Enter")
    lab.wait_ran()


def walk(lab) -> dict[str, int]:
    """Go through the outputs with Tab from the first cell, use each control, and return how many of each kind there were.

    Fails when the keyboard is caught somewhere, misses a control, has no effect on one, or comes to one without being seen.
    """
    lab.page.keyboard.press("Escape")
    for _ in range(lab.page.locator(CELLS).count()):
        lab.page.keyboard.press("ArrowUp")
    lab.page.evaluate(WATCH)
    used = dict.fromkeys(KINDS, 0)
    for _ in range(MOST):
        lab.page.keyboard.press("Tab")
        here = lab.page.evaluate(HERE, KINDS)
        if not here["inside"]:
            break
        assert not here["met"], f"the keyboard comes back to {here}"
        if here["kind"]:
            used[here["kind"]] += 1
            _use(lab, here["kind"], here["text"])
    else:
        raise AssertionError(f"the keyboard is caught in the notebook, at {here}")
    assert lab.page.evaluate(LEFT_OUT, KINDS) == [], "not reached with Tab"
    assert lab.page.evaluate(UNSEEN) == [], "one does not see that the keyboard is there"
    return used


def _use(lab, kind: str, text: str) -> None:
    press, before = lab.page.keyboard.press, lab.page.evaluate(STATE)
    if kind == "choose":
        press(
            "ArrowDown"
        )  # the list stays closed: that key would be JupyterLab's, did data/lesson_page.html not see to it
    elif kind == "move":
        press("ArrowRight")
        if lab.page.evaluate(STATE) == before:  # it stood at its end
            press("ArrowLeft")
        lab.page.evaluate(DRAWN)
    elif kind == "unfold":
        press("Enter")
    elif kind == "play":
        _play(lab, text)
    elif kind == "ask":
        _ask(lab)
    elif kind == "press" and text not in CHAT:
        press("Space")
    if kind in ("choose", "move", "unfold"):
        assert lab.page.evaluate(STATE) != before, f"a key did nothing: {kind} {text!r} {before!r}"


def _play(lab, text: str) -> None:
    """Press Play, and see the figure move; or another button, and see it stand."""
    before = lab.page.evaluate(FRAME)
    lab.page.keyboard.press("Space")
    if text == "Play":
        lab.page.wait_for_function(f"before => ({FRAME})() !== before", arg=before, timeout=10_000)


def _ask(lab) -> None:
    """Send one message with Enter, and wait for the speed under its answer."""
    answered = lab.page.locator(".labkit-turn").get_by_text("tokens/s")
    before = answered.count()
    lab.page.keyboard.type("What is the capital of Italy?")
    lab.page.keyboard.press("Enter")
    answered.nth(before).wait_for(timeout=60_000)
