"""How much each guard catches and how often it cries wolf, counted on the course's own labelled texts.

    print(table(measure("dev")))

data/guard_corpus.jsonl: one text a line, with its half ("dev" to work with, "kept" for figures that nothing was fitted to), its
label (attack or benign), the kind (which guard should catch it; benign: ordinary, hard, unicode, shape) and the place where it
turns up. Keys in it are made up when it is read, so that the file holds none. Both halves come from the same authors, and real
attackers read such lists too: take the kept figures as the best case.

Taught in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

import json
import random
import re
import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from labkit.errors import ConfigError
from labkit.intervals import Rate
from labkit.operate.guardrails import Context, Guard, Guardrails, Outcome, chain, standard
from labkit.operate.inputs import json_shape
from labkit.paths import data_dir

__all__ = ["ANSWER", "HALVES", "Row", "Text", "corpus", "measure", "table"]

HALVES = ("dev", "kept")
# What the structured answers of the corpus should look like.
ANSWER = {
    "type": "object",
    "properties": {
        "category": {"enum": ["billing", "delivery", "return", "other"]},
        "urgent": {"type": "boolean"},
    },
    "required": ["category", "urgent"],
    "additionalProperties": False,
}
MADE_UP = re.compile(r"\{(random|RANDOM|hex|digits):(\d{1,4})\}")
REPEATED, TAGS = re.compile(r"\{repeat:(.{1,40}?):(\d{1,7})\}", re.S), re.compile(r"\{tags:([ -|]{1,200})\}")
ALPHABETS = {
    "random": string.ascii_letters + string.digits,
    "RANDOM": string.ascii_uppercase + "234567",
    "hex": "0123456789abcdef",
    "digits": string.digits,
}


@dataclass(frozen=True)
class Text:
    """One labelled text of the corpus."""

    half: str
    label: str
    kind: str
    place: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Row:
    """What one guard did at one place: attacks caught, benign texts stopped or changed, and which texts it got wrong."""

    guard: str
    place: str
    caught: Rate
    false_alarms: Rate
    missed: tuple[str, ...] = field(repr=False, default=())
    alarmed: tuple[str, ...] = field(repr=False, default=())

    def to_dict(self, texts: bool = False) -> dict:
        """Return it as JSON would hold it; `texts`: with what it got wrong."""
        rates = {"caught": self.caught.to_dict(), "false_alarms": self.false_alarms.to_dict()}
        wrong = {"missed": self.missed, "alarmed": self.alarmed} if texts else {}
        return {"guard": self.guard, "place": self.place, **rates, **wrong}


def corpus(half: str = "dev") -> list[Text]:
    """Return the texts of a half. Raises ConfigError for an unknown one."""
    if half not in HALVES:
        raise ConfigError(f"The corpus has no half {half!r}.", "the halves are dev and kept", "labkit guards eval")
    lines = (data_dir() / "guard_corpus.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["half"] == half]
    return [Text(**{**row, "text": made(row["text"])}) for row in rows]


def made(text: str) -> str:
    """Return a text of the corpus with what is written short in it spelled out, always in the same way."""
    chance = random.Random(text.encode("utf-8", "surrogatepass"))
    text = REPEATED.sub(lambda match: match[1] * int(match[2]), text)
    text = TAGS.sub(lambda match: "".join(chr(0xE0000 + ord(one)) for one in match[1]), text)
    return MADE_UP.sub(lambda match: "".join(chance.choices(ALPHABETS[match[1]], k=int(match[2]))), text)


def measure(half: str = "dev", rails: Guardrails | None = None) -> list[Row]:
    """Return a row for each guard and place, and one for each place's whole chain ("all").

    Taught in notebook 10, section "What comes in and what goes out".
    """
    texts, rails = corpus(half), rails or standard()
    chains = {
        "input": rails.input,
        "tool result": rails.tool_result,
        "output": rails.output,
        "answer": (json_shape(ANSWER),),
    }
    return [row for place, guards in chains.items() for row in _rows(place, guards, texts)]


def _rows(place: str, guards: Sequence[Guard], texts: Iterable[Text]) -> Iterable[Row]:
    here = [one for one in texts if one.place == place]
    for guard in guards:
        aimed = [one for one in here if one.label == "benign" or one.kind == guard.name]
        yield _row(guard.name, place, aimed, lambda text, guard=guard: chain([guard], text, Context(place)))
    if len(guards) > 1:
        yield _row("all", place, here, lambda text: chain(guards, text, Context(place)))


def _row(name: str, place: str, texts: Sequence[Text], judge: Callable[[str], Outcome]) -> Row:
    caught = {one: bool(judge(one.text).verdicts) for one in texts}
    attacks = [one for one in texts if one.label == "attack"]
    benign = [one for one in texts if one.label == "benign"]
    return Row(
        name,
        place,
        Rate(sum(caught[one] for one in attacks), len(attacks)),
        Rate(sum(caught[one] for one in benign), len(benign)),
        tuple(one.text[:120] for one in attacks if not caught[one]),
        tuple(one.text[:120] for one in benign if caught[one]),
    )


def table(rows: Iterable[Row]) -> str:
    """Return the rows as text: the share in percent, its 95 % interval in brackets."""
    head = f"{'place':12} {'guard':12} {'attacks caught':26} false alarms"
    lines = [f"{one.place:12} {one.guard:12} {one.caught!s:26} {one.false_alarms}" for one in rows]
    return "\n".join([head, *lines])
