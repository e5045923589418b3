"""A score on the course's own work: which topic is a message about, and which tool of several would answer a request.

The messages are the shop's (data/shop.toml), the requests tool items of the development half (data/tool_items). Both answers
come from closed sets under a JSON schema (labkit.agents.choice), so form and choice are counted apart.

At work in notebook 03, section "The ladder".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labkit.agents import shop
from labkit.agents.choice import choose
from labkit.errors import RequestError
from labkit.intervals import wilson
from labkit.tools.items import Item, items

__all__ = ["Share", "TaskScore", "score"]

EVERY = 5  # every fifth item: each takes about a second, and there are ten rungs
NONE = "none"


@dataclass(frozen=True)
class Share:
    """`right` of `n`, as a rate with its 95 % Wilson interval."""

    right: int
    n: int

    @property
    def rate(self) -> float:
        """The share, 0 to 1; nan of nothing."""
        return self.right / self.n if self.n else float("nan")

    def to_dict(self) -> dict:
        """Return rate, interval and counts, ready for JSON."""
        low, high = wilson(self.right, self.n) if self.n else (float("nan"), float("nan"))
        return {"rate": self.rate, "low": low, "high": high, "right": self.right, "n": self.n}


@dataclass(frozen=True)
class TaskScore:
    """How the calls went: answers that fit the schema, messages sorted rightly, tools chosen rightly."""

    schema: Share
    classification: Share
    tool_choice: Share

    @property
    def right(self) -> Share:
        """Right choices of both kinds together."""
        both = (self.classification, self.tool_choice)
        return Share(sum(one.right for one in both), sum(one.n for one in both))

    def to_dict(self) -> dict:
        """Return the three shares and `right`, ready for JSON."""
        names = ("schema", "classification", "tool_choice", "right")
        return {name: getattr(self, name).to_dict() for name in names}


def score(endpoint, on_call: Callable[[int, int], None] = lambda done, total: None, every: int = 1) -> TaskScore:
    """Return the score of an endpoint on the shop's unseen messages, and on tool items of the development half: 42 short calls.

    on_call(done, total) hears of each. every: 2 asks every second call of each kind, and so on. Raises what
    `Endpoint.chat` raises, except for answers that do not fit the schema: those are counted.
    """
    sorting = _sorting()[::every]
    work = [*sorting, *_choosing()[::every]]
    answers = []
    for done, (text, _, options, examples, instructions) in enumerate(work, 1):
        answers.append(_choice(endpoint, text, options, examples, instructions))
        on_call(done, len(work))
    hits = [answer == right for answer, (_, right, *_) in zip(answers, work, strict=True)]
    fit, half = Share(sum(answer is not None for answer in answers), len(answers)), len(sorting)
    return TaskScore(fit, Share(sum(hits[:half]), half), Share(sum(hits[half:]), len(hits) - half))


def _sorting() -> list[tuple]:
    """Messages to sort: text, right topic, topics, examples, instructions."""
    shown = [(one.text, one.about) for one in shop.messages("example")]
    return [(one.text, one.about, shop.LABELS, shown, "Sort the message.") for one in shop.messages("test")]


def _choosing() -> list[tuple]:
    """Requests to choose a tool for, or none: every fifth item; three of the others are shown beforehand."""
    several, none = ([one for one in items("dev") if one.kind == kind] for kind in ("several", "none"))
    shown = [(_listed(one), one.call or NONE) for one in (several[1], none[1], several[2])]
    scored = [*several[::EVERY], *none[::EVERY]]
    told = "Choose the tool that answers the request, or none."
    return [(_listed(one), one.call or NONE, (*(tool.name for tool in one.tools), NONE), shown, told) for one in scored]


def _listed(one: Item) -> str:
    tools = "\n".join(f"{tool.name}: {tool.description}" for tool in one.tools)
    return f"Tools:\n{tools}\n{NONE}: no tool fits\nRequest: {one.text}"


def _choice(endpoint, text: str, options, examples, instructions: str) -> str | None:
    try:
        return choose(endpoint, text, options, examples, instructions).value
    except RequestError:
        return None
