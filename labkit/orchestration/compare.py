"""When does one agent beat five? Ways to staff the service desk, each given the same requests, counted the same way.

    score(await ask(one_agent(endpoint), cases()))

A request counts as called if exactly the right tool ran with the right arguments, and as told if a fact from the desk's records
stands in the last answer. Nothing else of the model's sentence is judged.

Taught in notebook 09, section "One or five".
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agent_framework_orchestrations import ConcurrentBuilder, HandoffBuilder, SequentialBuilder
from tqdm.auto import tqdm

from labkit.agents.desk import Desk
from labkit.errors import OrchestrationError
from labkit.orchestration.route import Router, specialists, table
from labkit.orchestration.team import Outcome, Team

__all__ = ["Case", "Score", "ask", "cases", "five_at_once", "five_behind_a_router", "five_with_handoff", "one_agent",
           "score", "tell"]  # fmt: skip

Way = Callable[[str], Awaitable[Outcome]]
MOST_TOKENS = 24  # a fact of the desk fits in; what a model says after it is none


@dataclass(frozen=True)
class Case:
    """A request; who is `right` for it, the `tool` and `arguments` of a right call ({}: free words), and a `fact` to be told.

    Taught in notebook 09, section "One or five".
    """

    text: str
    right: str
    tool: str
    arguments: dict
    fact: str


@dataclass(frozen=True)
class Score:
    """Of `of` requests: how many were `called` right, how many had the fact `told`; hops, tokens and seconds for one.

    Taught in notebook 09, section "One or five".
    """

    of: int
    called: int
    told: int
    hops: float
    tokens: float
    seconds: float


def cases() -> list[Case]:
    """Return the requests of data/orchestration.toml.

    Taught in notebook 09, section "Routing".
    """
    tools = {one.name: one.tool for one in specialists()}
    return [
        Case(row["text"], row["right"], tools[row["right"]], row.get("arguments", {}), row["fact"])
        for row in table()["request"]
    ]


def tell(tool: Callable) -> Callable:
    """Return `tool` with its record put in one sentence (data/orchestration.toml): a small model repeats what it is given.

    Taught in notebook 09, section "A line".
    """
    sentence = table()["sentence"][tool.__name__]

    @functools.wraps(tool)
    def told(*args: Any, **kwargs: Any) -> str:
        found = tool(*args, **kwargs)
        return sentence.format(**{key: _spoken(value) for key, value in found.items()})

    if getattr(tool, "repeatable", False):
        told.repeatable = True
    return told


def _spoken(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def one_agent(endpoint: Any, change: Callable[[Callable], Callable] = tell, route: Router | None = None) -> Way:
    """Return the way of one agent with all five tools. change: what is done to each. route: says which one it must call.

    Taught in notebook 09, section "One or five".
    """
    tools = {one.name: one.tool for one in specialists()}

    async def way(text: str) -> Outcome:
        team, must = Team(endpoint), tools[route(text).to] if route else ""
        mine = [change(tool) for tool in Desk().tools()]
        clerk = team.member("clerk", "You help customers of a shop.", mine, must=must, max_tokens=MOST_TOKENS)
        return await team.run(SequentialBuilder(participants=[clerk]).build(), text)

    return way


def five_behind_a_router(endpoint: Any, route: Router) -> Way:
    """Return the way of a router in code, then one specialist, who must use its tool.

    Taught in notebook 09, section "One or five".
    """

    async def way(text: str) -> Outcome:
        team, to = Team(endpoint), route(text).to
        return await team.run(SequentialBuilder(participants=[_five(team, must=to)[to]]).build(), text)

    return way


def five_with_handoff(endpoint: Any) -> Way:
    """Return the way of a front agent that hands over to one of five specialists.

    Taught in notebook 09, section "One or five".
    """

    async def way(text: str) -> Outcome:
        team = Team(endpoint)
        front, five = (
            team.member("front", "You pass customers on to the right colleague.", max_tokens=MOST_TOKENS),
            list(_five(team).values()),
        )
        builder = HandoffBuilder(
            participants=[front, *five], termination_condition=lambda said: said[-1].role != "user"
        )
        return await team.run(builder.with_start_agent(front).add_handoff(front, five).build(), text)

    return way


def five_at_once(endpoint: Any) -> Way:
    """Return the way of asking all five at the same time; all that they say is the answer.

    Taught in notebook 09, section "One or five".
    """

    async def way(text: str) -> Outcome:
        team = Team(endpoint)
        return await team.run(ConcurrentBuilder(participants=list(_five(team).values())).build(), text)

    return way


def _five(team: Team, must: str = "") -> dict:
    tools = {tool.__name__: tell(tool) for tool in Desk().tools()}
    return {
        one.name: team.member(
            one.name, one.does, [tools[one.tool]], must=one.tool if one.name == must else "", max_tokens=MOST_TOKENS
        )
        for one in specialists()
    }


async def ask(way: Way, requests: Iterable[Case]) -> list[tuple[Case, Outcome]]:
    """Give each request to a way of working, one after the other; one that comes to no answer counts as an empty one.

    Taught in notebook 09, section "One or five".
    """
    done = []
    for case in tqdm(list(requests), desc="requests", leave=False):
        try:
            done.append((case, await way(case.text)))
        except OrchestrationError:
            done.append((case, Outcome("", ())))
    return done


def score(done: Sequence[tuple[Case, Outcome]]) -> Score:
    """Count what came of it. Raises ZeroDivisionError of nothing.

    Taught in notebook 09, section "One or five".
    """
    n = len(done)
    return Score(
        n,
        sum(called(case, outcome) for case, outcome in done),
        sum(case.fact.lower() in outcome.text.lower() for case, outcome in done),
        sum(len(outcome.hops) for _, outcome in done) / n,
        sum(outcome.tokens for _, outcome in done) / n,
        sum(outcome.seconds for _, outcome in done) / n,
    )


def called(case: Case, outcome: Outcome) -> bool:
    """Whether exactly the right tool was called, with the right arguments."""
    if [name for name, _ in outcome.calls] != [case.tool]:
        return False
    arguments = outcome.calls[0][1]
    return all(str(arguments.get(key, "")).lower() == value.lower() for key, value in case.arguments.items())
