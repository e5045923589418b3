"""A team of agents on one endpoint, and a run of them: the framework's builders connect them, the team keeps the trace.

team = Team(endpoint)
clerk = team.member("clerk", "Looks things up.", desk.tools())
writer = team.member("writer", "Writes a short answer to the customer.")
outcome = await team.run(SequentialBuilder(participants=[clerk, writer]).build(), "Where is my order 1002?")
outcome.text, outcome.hops, outcome.failed

Taught in notebook 09, section "A line".
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent_framework import Agent, Workflow
from agent_framework.exceptions import AgentFrameworkException

from labkit.errors import CheckpointError, LabkitError, OrchestrationError
from labkit.orchestration.calls import Calls
from labkit.orchestration.hops import Hop, Trace, Turn
from labkit.tools.middleware import CallGuard, ToolLayer

__all__ = ["Outcome", "Team"]

BROKEN = (AgentFrameworkException, LabkitError, ValueError, RuntimeError, TimeoutError)


@dataclass(frozen=True)
class Outcome:
    """What came of a run. text: the last answer. hops: who spoke to whom. waiting: what a person must decide first, id -> request.

    seconds: on the clock, so less than the hops' together where agents work side by side.

    Taught in notebook 09, section "A line".
    """

    text: str
    hops: tuple[Hop, ...]
    waiting: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def failed(self) -> dict[str, str]:
        """Who failed, and why."""
        return {one.agent: one.error for one in self.hops if one.error}

    @property
    def calls(self) -> list[tuple[str, dict]]:
        """The tools that were called, with their arguments; handing over is none."""
        return [call for one in self.hops for call in one.calls if not call[0].startswith("handoff_to_")]

    @property
    def tokens(self) -> int:
        """All tokens, read and written."""
        return sum(one.tokens_in + one.tokens_out for one in self.hops)


@dataclass
class Team:
    """Agents that share an `endpoint` and a `trace`. hub: name of the one who leads, for a group with a manager.

    calls: a checkpoint storage's, so that a resumed run repeats no call that may have happened.

    Taught in notebook 09, section "A line".
    """

    endpoint: Any
    hub: str = ""
    calls: Calls | None = None
    trace: Trace = field(init=False)

    def __post_init__(self):
        self.trace = Trace(self.hub)

    def member(
        self,
        name: str,
        does: str,
        tools: Sequence[Callable] = (),
        *,
        endpoint: Any = None,
        middleware: Sequence = (),
        must: str = "",
        max_tokens: int = 40,
        seconds: float = 60.0,
        goes_on: bool = False,
        remote: bool = False,
    ) -> Agent:
        """Return an agent of the team. does: one sentence; its instructions, and what the others know of it.

        endpoint: another one than the team's. middleware: of its chat client. must: name of a
        tool that it has to call, whatever it thinks of the request. seconds, goes_on, remote: as for hops.Turn.
        """
        engine = endpoint or self.endpoint
        layer = ToolLayer(engine)
        choice = {"tool_choice": {"mode": "required", "required_function_name": must}} if must else {}
        return Agent(
            client=engine.chat_client(layer=False, middleware=[*middleware, layer, CallGuard(self.calls)]),
            name=name,
            description=does,
            instructions=does,
            tools=list(tools),
            middleware=[Turn(self.trace, layer, seconds, goes_on, remote)],
            default_options={"max_tokens": max_tokens, "temperature": 0, **choice},
            require_per_service_call_history_persistence=True,  # what HandoffBuilder wants; the others do not mind
        )

    async def run(
        self,
        workflow: Workflow,
        message: str | None = None,
        *,
        responses: Mapping[str, Any] | None = None,
        checkpoint_id: str | None = None,
        seconds: float = 120.0,
        private: bool = False,
    ) -> Outcome:
        """Run `workflow` on a message, go on after a person's `responses` (id -> response), or resume from a checkpoint.

        private: the request may not reach a member that is remote. Raises OrchestrationError if no answer came within `seconds`, or
        an agent failed whose failure the others do not survive; `trace.hops` has what was said until then; CheckpointError if
        the checkpoint can't be read. A cancelled run notes the turn that was cut short.
        """
        if message is not None or checkpoint_id:
            self.trace.clear(private)
        if checkpoint_id and self.calls:
            self.calls.resumed()
        started = time.perf_counter()
        going = workflow.run(message, responses=responses, checkpoint_id=checkpoint_id)
        try:
            result = await asyncio.wait_for(going, seconds)
        except BROKEN as failure:
            raise self._broken(failure, seconds) from failure
        waiting = {one.request_id: one.data for one in result.get_request_info_events()}
        return Outcome(_text(result.get_outputs()), tuple(self.trace.hops), waiting, time.perf_counter() - started)

    def _broken(self, failure: BaseException, seconds: float) -> OrchestrationError:
        if isinstance(failure.__cause__, CheckpointError):  # the framework wraps what its storage raises
            return failure.__cause__
        failed = [f"{one.agent}: {one.error}" for one in self.trace.hops if one.error]
        late = isinstance(failure, TimeoutError) and not failed
        why = f"no answer within {seconds:g} s" if late else "; ".join(failed) or str(failure)[:200]
        return OrchestrationError("The team came to no answer.", why, "team.trace.hops")


def _text(outputs: Sequence[Any]) -> str:
    """Return the last output as text; messages of several agents (a concurrent run) one a line, with who said it."""
    if not outputs:
        return ""
    last = outputs[-1]
    messages = [one for one in getattr(last, "messages", ()) if one.text and one.role == "assistant"]
    if len({one.author_name for one in messages}) > 1:
        return "\n".join(f"{one.author_name}: {one.text}" for one in messages)
    return messages[-1].text if messages else str(getattr(last, "text", last))
