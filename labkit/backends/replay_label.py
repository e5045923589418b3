"""The label of what was replayed, under each notebook cell that replayed something, however the cell showed it.

A lesson prints an answer's text, plots its figures or hands them to another library; none of these carries a label by itself.
Outside a notebook the label is printed once, on stderr.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import sys

__all__ = ["played", "show_under_cells"]

_due: set[str] = set()
_said: set[str] = set()


def played(label: str) -> None:
    """Note that something was replayed, so that the cell (or else the terminal) says so."""
    if _shell():
        _due.add(label)
    elif label not in _said:
        _said.add(label)
        print(f"[{label}]", file=sys.stderr)


def show_under_cells() -> None:
    """In a notebook, print what is due after each cell from now on."""
    shell = _shell()
    if shell and _print_due not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _print_due)


def _print_due(result: object = None) -> None:
    while _due:
        print(f"[{_due.pop()}]")


def _shell():
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
