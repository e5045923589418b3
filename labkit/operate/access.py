"""Access: a tool is reached only by a caller whose role may, on data that the role may touch, and if risky, with a yes.

    access = Access(Policy.load(), Caller("ana", "clerk"), audit=AuditLog("audit.jsonl"))
    tools = access.guard_all(desk.tools())            # ordinary labkit Tools, checked where they are executed
    access.check("lookup_customer", {"customer_id": "C-101"})

What a model is shown does not matter: the check stands before the function itself. Each decision is in the audit log before the
tool runs; without the log nothing runs. Code in the same process can call the bare function: this holds models, not programmers.
For Agent Framework: labkit/operate/access_guard.py.

Taught in notebook 10, section "Who may do what".
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from labkit.errors import AuditError, BadCall, Denied, LabkitError, OutOfScope
from labkit.operate.approval import Approvals
from labkit.operate.audit import AuditLog
from labkit.operate.chain import canonical
from labkit.operate.policy import Caller, Policy
from labkit.tools.tool import Tool, as_tool, as_tools

__all__ = ["Access"]


@dataclass
class Access:
    """The rights of one caller. approvals: where risky calls are approved (default: nobody says yes, so they are denied).

    Taught in notebook 10, section "Who may do what".
    """

    policy: Policy
    caller: Caller
    audit: AuditLog | None = None
    approvals: Approvals = field(default=None, repr=False)

    def __post_init__(self):
        self.approvals = self.approvals or Approvals(self.policy)

    def check(self, tool: str, arguments: dict) -> dict:
        """Return a copy of the arguments that the call may be made with, and note the decision.

        Raises Denied (no right to the tool), OutOfScope (not for this data), NotApproved, BadCall (not JSON), and what the audit
        log raises: what cannot be recorded is not allowed.
        """
        try:
            frozen = _frozen(tool, arguments)
            self._judge(tool, frozen)
            approval = self._approve(tool, frozen)
        except LabkitError as error:
            self.note("tool.denied", tool, arguments, kind=type(error).__name__, why=error.why)
            raise
        self.note("tool.allowed", tool, frozen, approval=approval)
        return frozen

    def may(self, tool: str) -> bool:
        """Whether the role has the tool at all: for what to show to a model, not for protection."""
        return tool in self.policy.rights(self.caller.role).tools

    def guard(self, thing: Any) -> Tool:
        """Return a tool (anything that labkit.tools.as_tool takes) that is checked whenever it is executed."""
        tool = as_tool(thing)
        return replace(tool, function=self._checked(tool)) if tool.function else tool

    def guard_all(self, things: Iterable) -> list[Tool]:
        """Return `guard` of each, with no two of one name."""
        return as_tools([self.guard(one) for one in things])

    @contextlib.contextmanager
    def outcome(self, tool: str, last: bool = True) -> Iterator[None]:
        """Note that the call in this block failed, or (if it is the `last` of it) that it is done."""
        try:
            yield
        except BaseException as error:
            self.note("tool.failed", tool, kind=type(error).__name__)
            raise
        if last:
            self.note("tool.done", tool)

    def note(self, event: str, tool: str, arguments: object = None, **facts: object) -> None:
        """Put one line into the audit log, if there is one; arguments only as far as the log keeps content."""
        if self.audit is None:
            return
        facts = {name: value for name, value in facts.items() if value not in (None, "")}
        who = {"who": self.caller.name, "role": self.caller.role, "tool": tool}
        self.audit.append(event, content=_recordable(arguments), **who, **facts)

    def _judge(self, tool: str, arguments: dict) -> None:
        rights, who = self.policy.rights(self.caller.role), f"the role {self.caller.role}"
        if tool not in rights.tools:
            raise Denied(f"{tool} is not allowed here.", f"{who} has no right to it", "")
        for touched in self.policy.touched(tool, arguments):
            if not rights.covers(touched, self.caller.name):
                raise OutOfScope(f"{tool} is not allowed for this data.", f"{who} may not touch it", "")

    def _approve(self, tool: str, arguments: dict) -> str:
        if not self.policy.tools[tool].risky:
            return ""
        # The desk keeps a copy of its own: what it is asked with is what a person sees and what the hash is of.
        return self.approvals.use(self.caller, tool, copy.deepcopy(arguments))

    def _checked(self, tool: Tool):
        def checked(**arguments):
            allowed = self.check(tool.name, arguments)
            with self.outcome(tool.name, last=False):
                value = tool.function(**allowed)
            if inspect.isawaitable(value):
                return self._awaited(tool.name, value)
            self.note("tool.done", tool.name)
            return value

        return checked

    async def _awaited(self, tool: str, value: Any) -> Any:
        with self.outcome(tool):
            return await value


def _frozen(tool: str, arguments: Any) -> dict:
    """Return the arguments as JSON holds them: a copy that nobody else can change between the check and the call."""
    try:
        frozen = json.loads(canonical(arguments))
    except AuditError as error:
        raise BadCall(f"{tool} was not called.", f"its arguments are no JSON: {error.why}", "") from error
    if not isinstance(frozen, dict):
        raise BadCall(f"{tool} was not called.", "its arguments are no object", "")
    return frozen


def _recordable(arguments: object) -> object:
    try:
        canonical(arguments)
    except AuditError:
        return f"a {type(arguments).__name__} that is no JSON"
    return arguments
