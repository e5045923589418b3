"""Lists that a request spells out: "Fast Lane, Sunburst and Two Rivers".

    word_lists("Add 3 eggs, milk and two loaves of bread to my list.")   # [(["3 eggs", "milk", "two loaves of bread"], 4, 43)]

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.tools.words import table

__all__ = ["word_lists"]

LONGEST_ITEM = 5
NAME = re.compile(r"\s*(?:the\s+)?([\"'“‘]?[A-Z][\w'’-]*(?:\s+[A-Z][\w'’-]*)*)")
SEPARATOR = re.compile(r"\s*,\s*(?:and\s+|or\s+|&\s*)?|\s+(?:and|or|&)\s+")


def word_lists(text: str) -> list[tuple[list[str], int, int]]:
    """Return (items, start, end) of each list of two or more items of at most five words."""
    found = []
    for sentence in re.finditer(r"(?:[^.;:?!]|[.:](?=\S))+", text):
        for items, start, end in _lists(sentence[0]):
            found.append((items, sentence.start() + start, sentence.start() + end))
    return found


def _lists(sentence: str) -> Iterator[tuple[list[str], int, int]]:
    run: list[tuple[str, int, int]] = []
    for piece in [*_pieces(sentence), None]:
        numbers_begin = piece and len(run) > 1 and _numeric(piece[0]) and not any(_numeric(one[0]) for one in run[-2:])
        if piece and not numbers_begin and (not run or len(piece[0].split()) <= LONGEST_ITEM):
            run.append(piece)
            continue
        if (
            piece and run and not numbers_begin
        ):  # too long for an item in the middle: it may be the last one, with more behind it
            run.append(piece)
        if len(run) > 1 and (found := _trimmed(run)):
            yield found
        run = [piece] if piece else []


def _numeric(piece: str) -> bool:
    return bool(re.search(r"\d", piece))


def _pieces(sentence: str) -> Iterator[tuple[str, int, int]]:
    start = 0
    for match in [*SEPARATOR.finditer(sentence), None]:
        end = match.start() if match else len(sentence)
        if sentence[start:end].strip():
            yield sentence[start:end], start, end
        start = match.end() if match else end


def _trimmed(run: list[tuple[str, int, int]]) -> tuple[list[str], int, int] | None:
    """Return the run with what does not belong to it cut from its first and last item; None if nothing is left of one."""
    capital = any(NAME.match(piece[0]) for piece in (run[-1], run[1]))
    first, last = _head(run[0][0], capital, run[0][1] == 0), _tail(run[-1][0], capital)
    items = [first, *(piece[0] for piece in run[1:-1]), last]
    items = [item.strip(" \"'“”‘’[](){}") for item in items]
    short = all(item and len(item.split()) <= LONGEST_ITEM for item in items)
    if not short or 2 * sum(bool(re.fullmatch(r"[-\d.]+", item)) for item in items) >= len(items):
        return None
    return items, run[0][2] - len(first), run[-1][1] + len(last)


def _head(piece: str, capital: bool, at_start: bool) -> str:
    """Return the end of the first piece that is the item: what follows the last small word, or its capitalised words."""
    words = list(re.finditer(r"\S+", piece))
    small = [i for i, word in enumerate(words) if (word[0] if i else word[0].lower()) in table("trim")]
    first = small[-1] + 1 if small else 0
    if capital:
        first = next((i for i in range(first, len(words)) if words[i][0].lstrip("\"'“‘")[:1].isupper()), first)
    elif at_start and first == 0 and len(words) > 1 and words[0][0][0].isupper():
        first = 1  # "Add 3 eggs, milk": the verb
    return piece[words[first].start() :].rstrip() if first < len(words) else ""


def _tail(piece: str, capital: bool) -> str:
    """Return the beginning of the last piece that is the item: up to a small word, or its capitalised words."""
    if capital and (match := NAME.match(piece)):
        return match[1]
    end = 0
    for number, word in enumerate(re.finditer(r"\S+", piece)):
        small = word[0].lower() in table("trim")
        if (small and word[0].lower() != "of" and number) or number >= LONGEST_ITEM:
            break
        end = word.end()
    return piece[:end]
