"""One look for every widget, in three forms of the same content: live, as a saved page, as plain text.

A `Card` has all three; Jupyter takes the best that it can show. Colours come from the page's own theme (JupyterLab's CSS
variables), so light and dark both work, and a page without them uses its own text colour.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

from html import escape

__all__ = ["Card", "escape", "page", "saved_note"]

STYLE = """<style>
.labkit { container-type: inline-size; box-sizing: border-box; max-width: 860px; line-height: 1.45;
  color: var(--jp-ui-font-color1, inherit); font-family: var(--jp-ui-font-family, sans-serif);
  font-size: var(--jp-ui-font-size1, 13px); overflow-wrap: break-word; }
.labkit p { margin: 0 0 4px; }
.labkit-title { font-weight: 600; font-size: var(--jp-ui-font-size2, 15px); margin: 0 0 4px; text-align: left;
  color: inherit; caption-side: top; }
.labkit-quiet { color: var(--jp-ui-font-color2, inherit); font-size: var(--jp-ui-font-size0, 12px); font-weight: 400; }
.labkit-label { border: 1px solid currentColor; border-radius: 3px; padding: 0 5px; }
.labkit table { border-collapse: collapse; width: 100%; margin: 0; color: inherit; font-size: inherit; }
.labkit.labkit th, .labkit.labkit td { text-align: left; vertical-align: baseline; padding: 2px 12px 2px 0; max-width: none; }
.labkit tr { border-top: 1px solid var(--jp-border-color2, currentColor); background: none !important; }
.labkit th { font-weight: 400; color: var(--jp-ui-font-color2, inherit); white-space: nowrap; }
.labkit thead th { font-size: var(--jp-ui-font-size0, 12px); }
.labkit td.labkit-quiet { width: 32%; }
.labkit-pick select { appearance: auto; background-image: none; }
.labkit-heard { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.labkit-text { white-space: pre-wrap; margin: 0 0 2px; }
.labkit-turn { margin: 0 0 10px; }
.labkit-who { font-weight: 600; }
.labkit-answer { border-left: 3px solid var(--jp-brand-color1, currentColor); padding-left: 9px; margin-top: 4px; }
.labkit-failed { border-left: 3px solid var(--jp-error-color1, currentColor); padding-left: 9px; white-space: pre-wrap; }
@container (max-width: 520px) {
  .labkit-wide th, .labkit-wide td, .labkit-wide td.labkit-quiet { display: block; padding: 0; white-space: normal;
    width: auto; }
  .labkit-wide tr { display: block; padding: 4px 0; }
}
</style>"""


class Card:
    """What a cell shows: `view` where a kernel and a front end are, else `html` on a page, else `text`.

    A subclass makes `view` (an ipywidgets widget) when it is made, and gives `html` and `text` of what it holds now. A
    notebook that is saved without widget state, as `labkit run` does, keeps the page.
    """

    view: object
    html: str
    text: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict:
        return {**self.view._repr_mimebundle_(), "text/html": self.html, "text/plain": self.text}

    def __str__(self) -> str:
        return self.text


def page(body: str, style: bool = True) -> str:
    """Return `body` (HTML, already escaped) in the course's frame; the style sheet is needed once on a page."""
    return f'{STYLE if style else ""}<div class="labkit">{body}</div>'


def saved_note(doing: str) -> str:
    """Return the line that tells a saved page from a live one; `doing` is what running the cell gives ("to chat")."""
    return f'<p class="labkit-quiet">Saved as it was; run the cell {escape(doing)}.</p>'
