"""Progress that a person sees: a bar in a terminal or a notebook, and nothing where nobody is looking.

    ensure("smollm2-135m", progress=progress_bar())

Any callable `progress(label, done, total)` in bytes will do instead; `total` is 0 while it is unknown.

Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Progress", "progress_bar", "silent"]

Progress = Callable[[str, int, int], None]


def silent(label: str, done: int, total: int) -> None:
    """Report nothing."""


def progress_bar(shown: bool | None = None, unit: str = "B") -> Progress:
    """Return a `progress(label, done, total)` that draws one bar for each label; `shown=None`: if somebody can see it.

    unit: what is counted, "B" for bytes.
    Taught in notebook 02, section "The curve".
    """
    return _Bars(unit) if (_watched() if shown is None else shown) else silent


def _watched() -> bool:
    """Whether this is a terminal or a notebook's kernel, not a pipe or a log file."""
    kernel = sys.modules.get("ipykernel.zmqshell")
    return bool(kernel and kernel.ZMQInteractiveShell.initialized()) or bool(sys.stderr and sys.stderr.isatty())


class _Bars:
    """Callable; the bar of a label closes when it is full, or when another label begins."""

    def __init__(self, unit: str) -> None:
        self.unit, self.label, self.bar = unit, "", None

    def __call__(self, label: str, done: int, total: int) -> None:
        if label != self.label:
            self.close()
        if self.bar is None:
            if done == total:  # a last word about something that has been shown, or was over at once
                return
            self.label, self.bar = label, self._open(label, total)
        self.bar.total = total or None
        self.bar.update(done - self.bar.n)
        if done == total:
            self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        self.label, self.bar = "", None

    def _open(self, label: str, total: int) -> Any:
        from tqdm.auto import tqdm

        return tqdm(desc=label, total=total or None, unit=self.unit, unit_scale=self.unit == "B", leave=False)
