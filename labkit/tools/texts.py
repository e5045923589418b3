"""Give the request's words to a tool's text parameters: quotations, names, ids, dates, and what stands between small words.

The best piece wins if it leads clearly; where two are close, both go to the model to choose from.

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from labkit.tools.candidates import Candidate
from labkit.tools.plan import Work, own_words
from labkit.tools.slots import Slot, is_strict, shape, text_points
from labkit.tools.tool import Tool
from labkit.tools.words import split_name, stem, table

__all__ = ["fill_texts"]

CLEAR = 0.6  # by how many points the best must lead the second
CERTAIN = 4.0  # from so many points on it need not
MOST_OPTIONS = 8
WHEN = re.compile(
    r"\s+(?:at|on|by|from|in)\s+(?:\d[\d:/-]*(?:\s?[ap]\.?m)?\.?|\w+day)(?:\s.*)?$", re.I
)  # the end of "call Ida at 5 pm"
Scored = list[tuple[float, Slot, Candidate]]


def fill_texts(slots: Sequence[Slot], work: Work) -> None:
    """Decide or open what can be filled of the text parameters `slots`."""
    if not slots:
        return
    stems = own_words(work.tool.name, work.tool.description)
    pool = _pool(work, stems)
    # Of two pieces with equal points, the one that comes first.
    scored = [
        (text_points(slot, one, work.text, stems) - 0.01 * i, slot, one) for slot in slots for i, one in enumerate(pool)
    ]
    scored.sort(key=lambda row: -row[0])
    done: list[Candidate] = []
    # Who takes only one kind of value chooses first: a sentence must not swallow the time in it.
    for points, slot, one in sorted(scored, key=lambda row: not is_strict(row[1])):
        if work.plan.has(slot) or points < _needed(slot) or any(one.overlaps(other) for other in done):
            continue
        siblings = sum(s.required and s is not slot and not work.plan.has(s) and shape(s) == shape(slot) for s in slots)
        options = _options(points, slot, one, scored, done, siblings)
        if len(options) > 1:
            work.plan.open[slot.name], work.plan.points[slot.name] = options, points
        else:
            work.plan.set(slot, str(one.value), points)
            work.plan.kinds[slot.name] = one.kind
        done.append(one)


def _needed(slot: Slot) -> float:
    """Return the points from which a text may fill a parameter: more if nobody asked for it."""
    return 1.0 if is_strict(slot) else 0.4 if slot.required else 3.6


def _options(
    points: float, slot: Slot, one: Candidate, scored: Scored, done: list[Candidate], siblings: int
) -> list[str]:
    """Return the values that come close to the best one, itself first; it alone if it leads clearly.

    siblings: how many parameters of the same kind wait too. As many rivals are theirs: two cities for two parameters are no doubt.
    """
    ours = [(p, c) for p, s, c in scored if s is slot and c is not one and not any(c.overlaps(o) for o in done)]
    apart = [(p, c) for p, c in ours if not c.overlaps(one)]
    doubt = len(apart) > siblings and points - apart[siblings][0] < CLEAR
    doubt = doubt or any(c.overlaps(one) and points - p < CLEAR for p, c in ours)
    if not doubt or not slot.required or points >= CERTAIN:
        return [str(one.value)]
    close = [one, *(c for p, c in ours if points - p < 2 * CLEAR)]
    return list(dict.fromkeys(str(c.value) for c in close))[:MOST_OPTIONS]


def _pool(work: Work, stems: frozenset[str]) -> list[Candidate]:
    """Return all pieces of text that may be values, less those inside a quotation or used for something else."""
    taken = {value.lower() for value in work.plan.values.values() if isinstance(value, str)}
    used = [one for one in work.used if one.kind not in ("number", "percent")]
    quoted = [one for one in work.found if one.kind == "quoted"]
    chunks = list(_chunks(work.text, _parameter_words(work.tool) | stems, work.found))
    every = (*work.found, *chunks, *_long(chunks, work.found), *_clauses(work.text))
    pool = [
        one for one in every if one.kind not in ("percent", "numbers", "words") and str(one.value).lower() not in taken
    ]
    pool = [one for one in pool if one.kind == "quoted" or not any(one.within(other) for other in quoted)]
    names = [one for one in pool if one.kind == "name"]  # no piece of a name, but for names within names
    pool = [one for one in pool if one.kind != "chunk" or not any(one.within(other) for other in names)]
    return [
        one
        for one in pool
        if not any(one.overlaps(other) for other in used) and not (one.kind == "number" and one in work.used)
    ]


def _parameter_words(tool: Tool) -> frozenset[str]:
    """Return the words that belong to the tool's parameters rather than to their values."""
    values = [v for schema in tool.properties.values() for v in schema.get("enum", ()) if isinstance(v, str)]
    return _stems_of(tuple(tool.properties), tuple(values))


@lru_cache(1024)
def _stems_of(names: tuple[str, ...], values: tuple[str, ...]) -> frozenset[str]:
    said = [part for name in names for part in split_name(name)]
    return frozenset(stem(word) for word in (*said, *(part for value in values for part in value.split())))


def _long(chunks: list[Candidate], found: list[Candidate]) -> Iterator[Candidate]:
    """Yield names with the small words that follow them: "Swiss francs", "Broken lift"."""
    for name in found:
        for chunk in chunks:
            if name.kind in ("name", "sentence") and chunk.start <= name.start and name.end < chunk.end:
                yield Candidate(chunk.value[name.start - chunk.start :], "long", name.start, chunk.end)


def _chunks(text: str, known: frozenset[str], found: list[Candidate]) -> Iterator[Candidate]:
    """Yield stretches between small words and signs, without the words at their ends that are the tool's own."""
    blocked = [one for one in found if one.kind in ("date", "day", "time", "number", "percent", "email", "quoted")]
    small, run = table("trim") | table("stop"), []
    for token in re.finditer(r"[^\s,;:!?\"“”()\[\]]+|[,;:!?\"“”()\[\]]", text):
        word = token[0].strip(".'").lower()
        if (
            not word
            or word in small
            or word in ',;:!?"“”()[]'
            or any(b.start < token.end() and token.start() < b.end for b in blocked)
        ):
            yield from _chunk(text, run, known)
            run = []
            continue
        run.append(token)
        if token[0].endswith("."):
            yield from _chunk(text, run, known)
            run = []
    yield from _chunk(text, run, known)


def _chunk(text: str, run: list[re.Match], known: frozenset[str]) -> Iterator[Candidate]:
    while run and stem(run[0][0].strip(".'").lower()) in known:
        run = run[1:]
    whole = run
    while run and stem(run[-1][0].strip(".'").lower()) in known:
        run = run[:-1]
    if run and len(whole) == len(run) + 1:
        yield Candidate(text[run[0].start() : whole[-1].end()].strip(".'"), "full", run[0].start(), whole[-1].end())
    said = text[run[0].start() : run[-1].end()].rstrip(".'") if run else ""
    if value := said.lstrip(".'"):
        start = run[0].start() + len(said) - len(value)
        yield Candidate(value, "chunk", start, start + len(value))


def _clauses(text: str) -> Iterator[Candidate]:
    """Yield whole clauses: between signs, and behind a colon, "because", "that" or "about"."""
    for match in re.finditer(r"(?:[^,;:.?!]|[.:](?=\d))+", text):
        value = match[0].strip()
        if " " in value:
            start = match.start() + len(match[0]) - len(match[0].lstrip())
            yield Candidate(value, "clause", start, start + len(value))
    for end in (r"[^.?!]+", r"[^.?!,;]+"):
        for match in re.finditer(
            rf"(?::|\bbecause|\bthat|\babout|\bsaying|\bto say|\b(?:me|us|him|her|them) to)\s+({end})", text
        ):
            value = WHEN.sub("", match[1]).strip(" \"'")
            if " " in value:
                yield Candidate(value, "clause", match.start(1), match.start(1) + len(value))
