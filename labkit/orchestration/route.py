"""Which specialist gets a request: a rule if exactly one is certain, else words, else the model, held to the two nearest.

    route = Router(endpoint, specialists())
    route("Where is my order 1002?")        # Routed("orders", "rule", …)

Each stage answers only if it is sure, and every decision says which stage took it and why. The recipe that this repairs sent a
request to customer service if the model's free answer held the word "customer" anywhere, and to the technician otherwise.

Taught in notebook 09, section "Routing".
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from labkit.agents.choice import choose
from labkit.paths import read_table
from labkit.tools.vectors import alike
from labkit.tools.words import content

__all__ = ["Routed", "Router", "Specialist", "by_code", "by_model", "by_rule", "by_words", "question", "shown", "specialists",
           "table"]  # fmt: skip

LEAD = 0.15  # how far the first must be ahead of the second, in mean cosines, for words to decide


@dataclass(frozen=True)
class Specialist:
    """Somebody to send requests to. does: one sentence. tool: name of its tool. rules: regular expressions that are certain.
    words: what its requests speak of. examples: requests that are its own, for the model.

    Taught in notebook 09, section "Routing".
    """

    name: str
    does: str
    tool: str = ""
    rules: tuple[str, ...] = ()
    words: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Routed:
    """Where a request goes (`to`, a specialist's name), `by` which stage ("rule", "words", "model"), the reason, the seconds.

    Taught in notebook 09, section "Routing".
    """

    to: str
    by: str
    reason: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Router:
    """Rule, words, model: the first that is sure decides; the model between the two whose words are nearest.

    lead: how sure words must be (0: always, infinite: never).

    Taught in notebook 09, section "Routing".
    """

    endpoint: Any
    specialists: Sequence[Specialist]
    lead: float = LEAD

    def __call__(self, text: str) -> Routed:
        """Return where `text` goes. Raises what `Endpoint.chat` raises if the model has to decide and can't be asked."""
        started = time.perf_counter()
        routed, near = by_code(text, self.specialists, self.lead)
        to = routed.to or by_model(self.endpoint, text, near)
        return replace(routed, to=to, seconds=time.perf_counter() - started)


def by_code(text: str, among: Sequence[Specialist], lead: float = LEAD) -> tuple[Routed, list[Specialist]]:
    """Return what rules and words decide without any model, and the two specialists whose words are nearest.

    If neither is sure, `to` is "" and `by` is "model": it has to choose between those two.

    Taught in notebook 09, section "Routing".
    """
    names, scores = by_rule(text, among), by_words(text, among)
    near = sorted(among, key=lambda one: scores[one.name], reverse=True)[:2]
    if len(names) == 1:
        return Routed(names[0], "rule", "only its rules match"), near
    ahead = scores[near[0].name] - scores[near[-1].name] if len(near) > 1 else lead
    if ahead >= lead:
        return Routed(near[0].name, "words", f"its words are nearer by {ahead:.2f}"), near
    reason = f"{len(names)} rules match and words lead by only {ahead:.2f}: the model chooses between two"
    return Routed("", "model", reason), near


def by_rule(text: str, among: Sequence[Specialist]) -> list[str]:
    """Return the names of all whose rules match `text`; two names are a conflict, which no order of the table may settle.

    Taught in notebook 09, section "Routing".
    """
    return [one.name for one in among if any(re.search(rule, text, re.I) for rule in one.rules)]


def by_words(text: str, among: Sequence[Specialist]) -> dict[str, float]:
    """Return name -> how near the request's words come to the specialist's (mean of the three best cosines, 0 to 1).

    Taught in notebook 09, section "Routing".
    """
    asked = content(text)
    return {one.name: _near(asked, content(one.words)) for one in among}


def by_model(endpoint: Any, text: str, among: Sequence[Specialist]) -> str:
    """Return the name that the model picks; it is held to the names, so it cannot answer anything else.

    Taught in notebook 09, section "Routing".
    """
    return choose(endpoint, text, [one.name for one in among], shown(among), question(among)).value


def question(among: Sequence[Specialist]) -> str:
    """Return what the model is asked: who does it, and what each does."""
    return "Who does it?\n" + "\n".join(f"{one.name}: {one.does}" for one in among)


def shown(among: Sequence[Specialist]) -> list[tuple[str, str]]:
    """Return the specialists' own examples as (request, name)."""
    return [(text, one.name) for one in among for text in one.examples]


def specialists() -> list[Specialist]:
    """Return the service desk's five specialists, one for each of its tools (data/orchestration.toml).

    Taught in notebook 09, section "Routing".
    """
    return [
        Specialist(name, row["does"], row["tool"], tuple(row["rules"]), row["words"], tuple(row["examples"]))
        for name, row in table()["specialist"].items()
    ]


@cache
def table() -> dict:
    """Return data/orchestration.toml. Taught in notebook 09, section "A manager"."""
    return read_table("orchestration.toml")


def _near(asked: Sequence[str], own: Sequence[str]) -> float:
    if not asked or not own:
        return 0.0
    best = sorted(alike(asked, own).max(axis=1), reverse=True)[:3]
    return float(sum(best) / len(best))
