"""Access for Agent Framework: `Agent(client=…, tools=…, middleware=[AccessGuard(access)])`.

The check runs between the model's wish and the function. Put it last among function middleware: what stands behind it could change
the arguments again. A tool call has 30 s on an endpoint's chat client (labkit.tools.middleware.CallGuard): for a yes that may take
longer let Approvals hold the call (no `ask`), and make it again once it was approved.

Taught in notebook 10, section "Who may do what".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent_framework import FunctionInvocationContext, FunctionMiddleware

from labkit.errors import LabkitError
from labkit.operate.access import Access
from labkit.tools.execute import Result

__all__ = ["AccessGuard"]


class AccessGuard(FunctionMiddleware):
    """Runs an agent's functions only as far as `access` allows. `refused` keeps the typed errors, the agent sees their words.

    Taught in notebook 10, section "Who may do what".
    """

    def __init__(self, access: Access):
        self.access = access
        self.refused: list[LabkitError] = []

    async def process(self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]) -> None:
        """Check, then execute with exactly the arguments that were checked."""
        name, arguments = context.function.name, dict(context.arguments or {})
        try:
            # In a thread: it writes to a disk, and may ask a person.
            context.arguments = await asyncio.to_thread(self.access.check, name, arguments)
        except LabkitError as error:
            self.refused.append(error)
            context.result = Result.of_error(error).text
            return
        with self.access.outcome(name):
            await call_next()
