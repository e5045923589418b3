"""One application, running: guards before and behind, roles and audit at the tools, labkit's tool layer in the middle.

    kit = Kit.of("customer_service", endpoint)
    answered = kit.ask("Where is order 1002?")
    answered.text, answered.outcome, answered.by        # 'Order 1002, boots: shipped; …', 'done', 'rule'

Words and types decide first, and the model where they don't. What is said is what the tools found, in the row's own sentence: so an
answer is never invented. What no tool fits, goes to a person. Safe to ask from several threads.

Taught in notebook 13, section "A first agent".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labkit.agents.memory import Memory
from labkit.agents.policies import Move, by_layer, results_of
from labkit.agents.tool_agent import ToolAgent
from labkit.agents.trace import Outcome, Turn
from labkit.applications.application import Application, application
from labkit.errors import Blocked, Denied, LabkitError, NotApproved
from labkit.operate.access import Access
from labkit.operate.approval import Approvals
from labkit.operate.audit import AuditLog
from labkit.operate.guardrails import Guardrails, standard
from labkit.operate.policy import Caller
from labkit.tools import Tool, Usage
from labkit.tools.items import Item, right_arguments

__all__ = ["HAND_OVER", "OUTCOMES", "Answered", "Kit"]

OUTCOMES = ("done", "held", "handed over", "asked", "not found", "denied", "blocked", "failed")
HAND_OVER = "That is not for me. I pass it on to a person."
HELD = "Somebody has to say yes to that. It waits."


@dataclass(frozen=True)
class Answered:
    """What came of a request. outcome: one of OUTCOMES ("held" waits for somebody's yes, "handed over" goes to a person).

    call: (name, arguments) of the one call that was wanted, or None. by: "rule", or "model" if it was asked. error: what
    ended it. seconds: on the clock.
    """

    request: str
    text: str
    outcome: str
    seconds: float
    call: tuple[str, dict] | None = None
    by: str = "rule"
    tokens: int = 0
    error: LabkitError | None = None
    turn: Turn | None = None

    def right(self, item: Item) -> bool:
        """Whether it is what the item wants: the right call, made or waiting for a yes; or none, and a person is told."""
        if not item.call:
            return self.outcome == "handed over"
        made = bool(self.call) and self.call[0] == item.call and right_arguments(self.call[1], item.args)
        return made and self.outcome in ("done", "held")

    def __str__(self) -> str:
        return f"[{self.outcome}, by {self.by}, {self.seconds:.2f} s] {self.text}"


class Kit:
    """An application on an endpoint. guards: the course's own unless given. caller: who asks (by default somebody of its role).

    audit: where each decision is written down. ask: called when a risky call wants a yes, as in Approvals; without it, it waits.
    only: names of the tools to take, all of them unless given.
    """

    def __init__(
        self,
        app: Application,
        endpoint: Any,
        *,
        guards: Guardrails | None = None,
        caller: Caller | None = None,
        audit: AuditLog | None = None,
        ask: Callable | None = None,
        only: Sequence[str] = (),
    ):
        self.application, self.endpoint, self.guards = app, endpoint, guards or standard()
        self.caller = caller or Caller("somebody", app.role)
        approvals = Approvals(app.policy, ask=ask, audit=audit)
        self.access = Access(app.policy, self.caller, audit=audit, approvals=approvals)
        offered = [tool for tool in app.tools() if not only or tool.name in only]
        self.tools = self.access.guard_all(self._judged(tool) for tool in offered)

    @classmethod
    def of(cls, name: str, endpoint: Any, *, file: Path | None = None, **settings: Any) -> Kit:
        """Return the kit of an application by name. Raises ConfigError."""
        return cls(application(name, file), endpoint, **settings)

    @property
    def items(self) -> list[Item]:
        """The application's requests to score, as far as they need no tool that was left out."""
        names = {tool.name for tool in self.tools}
        return [item for item in self.application.items if not item.call or item.call in names]

    def ask(self, text: str, memory: Memory | None = None) -> Answered:
        """Answer one request; never raises for what somebody wrote, a tool did, or an engine that is gone."""
        started, errors = time.perf_counter(), []
        try:
            said = self.guards.check("input", text, key=self.caller.name)
            turn = self._turn(said, memory, errors)
            told = self.guards.check("output", turn.text, key=self.caller.name)
        except Blocked as error:
            return Answered(text, f"I may not do that. {error.why}", "blocked", _since(started), error=error)
        made = [step.call for step in turn.steps if step.call]
        call = (made[0]["name"], made[0]["arguments"]) if len(made) == 1 else None
        by = "model" if any(step.by == "model" for step in turn.steps) else "rule"
        error = turn.error or (errors[0] if errors else None)
        outcome = _outcome(turn, made, error)
        told = HELD if outcome == "held" else told
        return Answered(text, told, outcome, _since(started), call, by, turn.tokens, error, turn)

    def _turn(self, text: str, memory: Memory | None, errors: list[LabkitError]) -> Turn:
        tools = [_noted(tool, errors) for tool in self.tools]
        return ToolAgent(self.endpoint, tools, decide=speaking, memory=memory or Memory.of(self.endpoint)).run(text)

    def _judged(self, tool: Tool) -> Tool:
        """Return the tool whose result the guards look at before anybody reads it: a record may hold anything."""
        inner, key = tool.function, self.caller.name
        judged = lambda **given: self.guards.check("tool result", inner(**given), tool=tool.name, key=key)  # noqa: E731
        return replace(tool, function=judged)


def speaking(endpoint: Any, memory: Memory, tools: Sequence[Tool], usage: Usage) -> Move:
    """Decide by labkit's tool layer; say what the tools found, and hand over what no tool fits."""
    if found := results_of(memory):
        return Move(text="\n".join(found), why="what the tools said")
    move = by_layer(endpoint, memory, tools, usage)
    return move if move.calls or move.text else Move(text=HAND_OVER, why=move.why)


def _noted(tool: Tool, errors: list[LabkitError]) -> Tool:
    """Return the tool that also keeps its typed errors: the turn has only their words."""

    def function(**given):
        try:
            return tool.function(**given)
        except LabkitError as error:
            errors.append(error)
            raise

    return replace(tool, function=function)


def _outcome(turn: Turn, made: list[dict], error: LabkitError | None) -> str:
    if turn.outcome == Outcome.ASKED:
        return "asked"
    if turn.outcome != Outcome.ANSWERED:
        return "failed"
    if not made:
        return "handed over"
    kinds = {NotApproved: "held", Denied: "denied", Blocked: "blocked"}
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), "not found" if error else "done")


def _since(started: float) -> float:
    return time.perf_counter() - started
