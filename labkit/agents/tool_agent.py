"""The loop of an agent with tools: decide, call, look at the result, and again, until it answers or its budget is spent.

    agent = ToolAgent(endpoint, Desk().tools(), budget=Budget(steps=8, seconds=30))
    print(agent.run("Where is order 1002?"))        # the trace: who decided what, what came of it, what it cost

A turn never raises for what a model wrote or a tool did: how it ended is its `outcome`. `cancel()` from another thread, Ctrl-C and
the clock end it between two steps or within one; a call that is under way then is never made a second time.

Taught in notebook 13, section "A first agent".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from labkit.agents.memory import Memory
from labkit.agents.policies import Policy, answer_from, policy_for
from labkit.agents.trace import Budget, Outcome, Turn
from labkit.agents.watch import Stopped, Watch
from labkit.agents.work import Work
from labkit.errors import LabkitError, ToolError
from labkit.tools import Ledger, Usage, as_openai, as_tools

__all__ = ["ToolAgent"]


class ToolAgent:
    """An agent with `tools` (functions, Agent Framework tools or OpenAI tool dicts) for one conversation, kept in `memory`.

    decide: who chooses the calls (labkit.agents.policies); by default the engine where it can, else labkit's tool layer. budget:
    what a turn may take. ledger: time limit of a call, size of a result. Raises BadTool.
    """

    def __init__(
        self,
        endpoint: Any,
        tools: Iterable,
        *,
        budget: Budget | None = None,
        decide: Policy | None = None,
        memory: Memory | None = None,
        ledger: Ledger | None = None,
    ):
        self.endpoint, self.tools, self.budget = endpoint, as_tools(tools), budget or Budget()
        self.decide, self.memory = decide or policy_for(endpoint), memory or Memory.of(endpoint)
        self._work = Work(ledger or Ledger())
        self._watch, self._one_turn = Watch(0), threading.Lock()

    def run(self, request: str) -> Turn:
        """Return the finished Turn for what the user said. A second thread waits until the first one's turn is over."""
        with self._one_turn:
            turn, self._watch = Turn(request), Watch(self.budget.seconds)
            self.memory.add({"role": "user", "content": request})
            try:
                while turn.outcome is None:
                    self._round(turn)
            except (Stopped, KeyboardInterrupt) as stop:
                self._watch.cancel()  # whatever still writes in the background shall end, too
                outcome = getattr(stop, "outcome", Outcome.CANCELLED)
                turn.end(outcome, f"I stopped: {outcome}. {turn.done()} {self._work.under_way()}".strip())
            except LabkitError as error:
                outcome = Outcome.REFUSED if isinstance(error, ToolError) else Outcome.FAILED
                turn.end(outcome, f"I could not do that. {error.what} {error.why}".strip(), error)
            for number in self.memory.open_calls():
                self.memory.add({"role": "tool", "tool_call_id": number, "content": f"Not made: {turn.outcome}."})
            self.memory.add({"role": "assistant", "content": turn.text})
            return turn

    def cancel(self) -> None:
        """End the turn that is running, from any thread; without one, nothing happens."""
        self._watch.cancel()

    def _round(self, turn: Turn) -> None:
        """Decide, then make the calls; or, if there are none to make, answer."""
        move = self._ask(turn, "decide", lambda usage: self.decide(self.endpoint, self.memory, self.tools, usage))
        if not move.calls:
            return turn.end(move.outcome, move.text or self._answer(turn), move.error)
        self.memory.add({"role": "assistant", "content": move.text, "tool_calls": as_openai(move.calls)})
        for call in move.calls:
            self._check(turn)
            self._work.call(turn, call, self._watch, self.memory)

    def _answer(self, turn: Turn) -> str:
        watch, left = self._watch, self.budget.tokens - turn.tokens
        return self._ask(turn, "answer", lambda usage: answer_from(self.endpoint, self.memory, left, watch, usage))

    def _ask(self, turn: Turn, kind: str, question: Callable[[Usage], Any]) -> Any:
        self._check(turn)
        return self._work.ask(turn, kind, question, self._watch)

    def _check(self, turn: Turn) -> None:
        self._watch.check()
        if outcome := self.budget.spent(turn):
            raise Stopped(outcome)
