"""Which specialist gets a request: a rule if exactly one is certain, else words, else the model, held to the two nearest.

    route = Router(endpoint, specialists())
    route("Where is my order 1002?")        # Routed("orders", "rule", …)

Each stage answers only if it is sure, and every decision says which stage took it and why. The recipe that this repairs sent a
request to customer service if the model's free answer held the word "customer" anywhere, and to the technician otherwise.
"""

from __future__ import annotations

import re
import time
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from labkit.agents.choice import choose
from labkit.paths import data_dir
from labkit.tools.vectors import alike
from labkit.tools.words import content

__all__ = ["Routed", "Router", "Specialist", "by_model", "by_rule", "by_words", "specialists", "table"]

LEAD = 0.15  # how far the first must be ahead of the second, in mean cosines, for words to decide


@dataclass(frozen=True)
class Specialist:
    """Somebody to send requests to. does: one sentence. tool: name of its tool. rules: regular expressions that are certain.
    words: what its requests speak of. examples: requests that are its own, for the model."""

    name: str
    does: str
    tool: str = ""
    rules: tuple[str, ...] = ()
    words: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Routed:
    """Where a request goes (`to`, a specialist's name), `by` which stage ("rule", "words", "model"), the reason, the seconds."""

    to: str
    by: str
    reason: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Router:
    """Rule, words, model: the first that is sure decides; the model between the two whose words are nearest.

    lead: how sure words must be (0: always, infinite: never).
    """

    endpoint: Any
    specialists: Sequence[Specialist]
    lead: float = LEAD

    def __call__(self, text: str) -> Routed:
        """Return where `text` goes. Raises what `Endpoint.chat` raises if the model has to decide and can't be asked."""
        started = time.perf_counter()
        names = by_rule(text, self.specialists)
        if len(names) == 1:
            return Routed(names[0], "rule", "only its rules match", time.perf_counter() - started)
        scores = by_words(text, self.specialists)
        near = sorted(self.specialists, key=lambda one: scores[one.name], reverse=True)[:2]
        ahead = scores[near[0].name] - scores[near[-1].name] if len(near) > 1 else self.lead
        if ahead >= self.lead:
            return Routed(near[0].name, "words", f"its words are nearer by {ahead:.2f}", time.perf_counter() - started)
        reason = f"{len(names)} rules match and words lead by only {ahead:.2f}: the model chooses between two"
        return Routed(by_model(self.endpoint, text, near), "model", reason, time.perf_counter() - started)


def by_rule(text: str, among: Sequence[Specialist]) -> list[str]:
    """Return the names of all whose rules match `text`; two names are a conflict, which no order of the table may settle."""
    return [one.name for one in among if any(re.search(rule, text, re.I) for rule in one.rules)]


def by_words(text: str, among: Sequence[Specialist]) -> dict[str, float]:
    """Return name -> how near the request's words come to the specialist's (mean of the three best cosines, 0 to 1)."""
    asked = content(text)
    return {one.name: _near(asked, content(one.words)) for one in among}


def by_model(endpoint: Any, text: str, among: Sequence[Specialist]) -> str:
    """Return the name that the model picks; it is held to the names, so it cannot answer anything else."""
    examples = [(text, one.name) for one in among for text in one.examples]
    ask = "Who does it?\n" + "\n".join(f"{one.name}: {one.does}" for one in among)
    return choose(endpoint, text, [one.name for one in among], examples, ask).value


def specialists() -> list[Specialist]:
    """Return the service desk's five specialists, one for each of its tools (data/orchestration.toml)."""
    return [
        Specialist(name, row["does"], row["tool"], tuple(row["rules"]), row["words"], tuple(row["examples"]))
        for name, row in table()["specialist"].items()
    ]


@cache
def table() -> dict:
    """Return data/orchestration.toml."""
    return tomllib.loads((data_dir() / "orchestration.toml").read_text(encoding="utf-8"))


def _near(asked: Sequence[str], own: Sequence[str]) -> float:
    if not asked or not own:
        return 0.0
    best = sorted(alike(asked, own).max(axis=1), reverse=True)[:3]
    return float(sum(best) / len(best))
