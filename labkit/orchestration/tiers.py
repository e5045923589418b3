"""A router at the edge and a bigger tier above it: what the edge isn't sure of goes up, by rule, and never what is private.

    tiers = Tiers(endpoint, bigger(endpoint).ask, specialists(), threshold=1.5)
    placed = tiers("I need some advice.", private=True)     # who does it, who said so, and why
    outcome = await tiers.run(team, members, "I need some advice.")

Rules and words cost nothing and stay here. Then the edge's small model chooses, and its measured confidence decides: it is lesson
02's escalation (labkit.agents.hybrid.Router), so the same one door leads up, and it asks the same rule. The way up is in the hops.

Taught in notebook 09, section "Edge and above".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent_framework_orchestrations import SequentialBuilder

from labkit.agents import hybrid
from labkit.errors import OrchestrationError
from labkit.orchestration.hops import USER, Hop
from labkit.orchestration.route import LEAD, Routed, Specialist, by_code, question, shown
from labkit.orchestration.team import Outcome, Team

__all__ = ["ABOVE", "EDGE", "Placed", "Tiers"]

EDGE, ABOVE = "edge", "above"


@dataclass(frozen=True)
class Placed(Routed):
    """Where a request goes. by: "rule", "words", "edge" or "above". decision: of lesson 02's router, if a model was asked.

    kept: why it stayed although the edge was not sure, or "".

    Taught in notebook 09, section "Edge and above".
    """

    decision: hybrid.Decision | None = None
    kept: str = ""

    @property
    def hops(self) -> tuple[Hop, ...]:
        """How it was placed: what the edge heard, and what went up. A door that stayed shut is a hop with an error."""
        if self.decision is None:
            return (Hop(USER, EDGE, self.to, 0.0, self.seconds),)
        edge = _hop(USER, EDGE, self.decision.small, 0.0)
        if self.decision.big:
            return edge, _hop(EDGE, ABOVE, self.decision.big, edge.seconds, self.kept)
        return (edge, Hop(EDGE, ABOVE, began=edge.seconds, error=self.kept)) if self.kept else (edge,)


@dataclass(frozen=True)
class Tiers:
    """A router at the edge, and a bigger tier above it for what the edge is not sure of.

    edge: the endpoint here. above: an answerer of the tier above (labkit.agents.bigger). threshold: how sure the edge must be,
    in nats. lead: how sure words must be.

    Taught in notebook 09, section "Edge and above".
    """

    edge: Any
    above: hybrid.Answerer
    specialists: Sequence[Specialist]
    threshold: float
    lead: float = LEAD

    def __call__(self, text: str, private: bool = False) -> Placed:
        """Return who does it. Raises OrchestrationError if nobody who may be asked has an answer: a person must decide."""
        started = time.perf_counter()
        routed, near = by_code(text, self.specialists, self.lead)
        if routed.to:
            return Placed(routed.to, routed.by, routed.reason, time.perf_counter() - started)
        names = tuple(one.name for one in near)
        asked = hybrid.Request(text, names, question(near), tuple(shown(near)), private)
        made = hybrid.Router(hybrid.by_margin(self.edge), self.above, self.threshold)(asked)
        if made.value is None:
            raise OrchestrationError("Nobody can say who does this.", made.reason, "ask a person")
        by, sure = ABOVE if made.by == "big" else EDGE, made.small.confidence >= self.threshold
        kept = "" if sure or by == ABOVE else made.reason
        return Placed(made.value, by, made.reason, time.perf_counter() - started, made, kept)

    async def run(self, team: Team, members: Mapping[str, Any], text: str, private: bool = False) -> Outcome:
        """Place a request, and let that member of `members` (name -> agent of `team`) do it. Raises as Team.run does."""
        placed = await asyncio.to_thread(self, text, private)
        workflow = SequentialBuilder(participants=[members[placed.to]]).build()
        done = await team.run(workflow, text, private=private)
        sent = ABOVE if placed.by == ABOVE else EDGE
        after = [replace(one, source=sent if one.source == USER else one.source, began=one.began + placed.seconds)
                 for one in done.hops]  # fmt: skip
        return replace(done, hops=(*placed.hops, *after), seconds=done.seconds + placed.seconds)


def _hop(source: str, agent: str, answer: hybrid.Answer, began: float, error: str = "") -> Hop:
    tokens = {"tokens_in": answer.prompt_tokens, "tokens_out": answer.completion_tokens}
    return Hop(source, agent, answer.value or "", began, answer.seconds, **tokens, error=error)
