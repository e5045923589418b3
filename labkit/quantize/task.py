"""A score on the course's own work: which topic is a message about, and which tool would answer a question.

Both answers come from closed sets under a JSON schema (labkit.agents.choice), so form and choice are counted apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labkit.agents import shop
from labkit.agents.choice import choose
from labkit.errors import RequestError
from labkit.intervals import wilson

__all__ = ["Share", "TaskScore", "score"]

TOOLS = {
    "find_order": "where an order is",
    "find_price": "what a thing costs",
    "none": "anything else: a person must answer",
}


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


def score(endpoint, on_call: Callable[[int, int], None] = lambda done, total: None) -> TaskScore:
    """Return the score of an endpoint on the shop's unseen messages and questions: about forty short calls.

    on_call(done, total) hears of each. Raises what `Endpoint.chat` raises, except for answers that do not fit the schema:
    those are counted.
    """
    messages, questions = shop.messages("test"), [one for one in shop.questions() if len(one.tools) < 2]
    sorted_by = [(one.text, one.about) for one in shop.messages("example")]
    chosen_by = [
        ("Where is order 1002?", "find_order"),
        ("How much is a lamp?", "find_price"),
        ("Do you hire?", "none"),
    ]
    listing = "Choose the tool.\n" + "\n".join(f"{name}: {what}" for name, what in TOOLS.items())
    work = [(one.text, one.about, shop.LABELS, sorted_by, "Sort the message.") for one in messages]
    work += [(one.text, (*one.tools, "none")[0], tuple(TOOLS), chosen_by, listing) for one in questions]
    answers = []
    for done, (text, _, options, examples, instructions) in enumerate(work, 1):
        answers.append(_choice(endpoint, text, options, examples, instructions))
        on_call(done, len(work))
    hits = [answer == right for answer, (_, right, *_) in zip(answers, work, strict=True)]
    fit = Share(sum(answer is not None for answer in answers), len(answers))
    half = len(messages)
    return TaskScore(fit, Share(sum(hits[:half]), half), Share(sum(hits[half:]), len(hits) - half))


def _choice(endpoint, text: str, options, examples, instructions: str) -> str | None:
    try:
        return choose(endpoint, text, options, examples, instructions).value
    except RequestError:
        return None
