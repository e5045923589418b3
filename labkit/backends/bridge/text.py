"""Text out of tokens, a piece at a time: no character is cut in two, and a stop text never shows, wherever its pieces end.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

__all__ = ["StopText", "TokenText"]

HALF = "\ufffd"  # what a decoder writes for bytes that are no whole character
MOST_HALVES = 3  # a character of four bytes, of which one is missing


class TokenText:
    """Turn token ids into text: `add` returns what became readable. Half a character at the end of a cut answer is left out.

    `decode(ids)` is the tokenizer's. The last few tokens are decoded again each time, because a token's text can depend on
    the one before it (a space, half a character).
    """

    def __init__(self, decode: Callable[[Sequence[int]], str]):
        self.decode, self.ids = decode, []
        self.start, self.mark, self.told = 0, 0, 0  # decoded from, clean until, characters of it already returned

    def add(self, ids: Iterable[int]) -> str:
        """Return the text that these ids complete: whole characters only, perhaps none."""
        self.ids += ids
        text = self.decode(self.ids[self.start :])
        whole = text.rstrip(HALF)
        if len(text) - len(whole) > MOST_HALVES:  # no character is that long: the model writes rubbish
            whole = text
        piece, self.told = whole[self.told :], max(self.told, len(whole))
        if whole == text:
            self.start, self.mark = self.mark, len(self.ids)
            self.told = len(self.decode(self.ids[self.start :]))
        return piece


class StopText:
    """Hold back what may become a stop text: `add` and `rest` return what may be shown; `hit` is True once one is complete."""

    def __init__(self, stops: Sequence[str]):
        self.stops, self.held, self.hit = stops, "", False

    def add(self, piece: str) -> str:
        """Return the text that surely comes before any stop text."""
        if self.hit:
            return ""
        text = self.held + piece
        found = [at for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            self.hit, self.held = True, ""
            return text[: min(found)]
        safe = len(text) - self._maybe(text)
        self.held = text[safe:]
        return text[:safe]

    def rest(self) -> str:
        """Return what was held back and turned out to be no stop text."""
        held, self.held = self.held, ""
        return held

    def _maybe(self, text: str) -> int:
        """The length of the longest end of `text` with which a stop text begins."""
        longest = max((len(stop) - 1 for stop in self.stops), default=0)
        sizes = range(min(longest, len(text)), 0, -1)
        return next((n for n in sizes if any(stop.startswith(text[-n:]) for stop in self.stops)), 0)
