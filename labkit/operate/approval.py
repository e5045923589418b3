"""Approval of risky calls: somebody who may says yes to exactly this call, once, and not for ever.

    approvals = Approvals(policy, ask=lambda pending: Caller("eva", "supervisor"))     # ask a person here; None: no
    approvals = Approvals(policy)                                                      # or later, from elsewhere:
    for pending in approvals.waiting(): approvals.approve(pending.id, Caller("eva", "supervisor"))

A yes holds for the hash of caller, tool and arguments. A call with other arguments is another call.

Taught in notebook 10, section "Who may do what".
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from labkit.errors import NotApproved
from labkit.operate.audit import AuditLog
from labkit.operate.chain import canonical
from labkit.operate.forward_clock import Clock, ForwardClock
from labkit.operate.policy import Caller, Policy

__all__ = ["Approvals", "Pending", "digest"]

MOST = 100  # calls that wait at once: an agent that asks in a loop fills no memory


@dataclass(frozen=True)
class Pending:
    """A call that waits for a yes: `caller`, `tool` and `arguments` (a copy), and when it `expires` (on the desk's clock)."""

    id: str
    caller: Caller
    tool: str
    arguments: dict
    digest: str
    expires: float


@dataclass
class Approvals:
    """The calls that wait, and those that were approved and not used yet. Thread-safe.

    ask: called with a Pending, returns who said yes, or None. seconds: how long a question and its yes hold. audit: gets every
    step, before it counts.

    Taught in notebook 10, section "Who may do what".
    """

    policy: Policy
    ask: Callable[[Pending], Caller | None] | None = None
    seconds: float = 300.0
    clock: Clock = field(default=time.monotonic, repr=False)
    audit: AuditLog | None = None
    _waiting: dict[str, Pending] = field(default_factory=dict, init=False, repr=False)
    _granted: dict[str, Pending] = field(default_factory=dict, init=False, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def __post_init__(self):
        self.clock = ForwardClock(self.clock)  # set back, the machine's clock would make a yes hold for longer

    def use(self, caller: Caller, tool: str, arguments: dict) -> str:
        """Spend the yes for exactly this call and return its id. Raises NotApproved; the call waits then, until it expires."""
        mark = digest(caller, tool, arguments)
        if found := self._take(mark):
            return found.id
        pending = self._wait(caller, tool, arguments, mark)
        by = self.ask(pending) if self.ask else None  # outside the lock: a person may take their time
        if by is not None:
            self.approve(pending.id, by)
            if found := self._take(mark):
                return found.id
        why = "nobody said yes" if self.ask else f"it waits as {pending.id}"
        raise NotApproved(f"{tool} needs somebody's approval.", why, "")

    def waiting(self) -> list[Pending]:
        """Return the calls that wait for a yes, oldest first."""
        with self._lock:
            self._forget_expired()
            return list(self._waiting.values())

    def approve(self, pending_id: str, by: Caller) -> None:
        """Say yes to one call. Raises NotApproved if it waits no longer, or `by` may not: another role, or the caller itself."""
        with self._lock:
            pending = self._find(pending_id)
            if by.name == pending.caller.name or by.role not in self.policy.tools[pending.tool].approvers:
                why = "nobody approves their own call" if by.name == pending.caller.name else f"not as {by.role}"
                self._note("approval.invalid", pending, by.name)
                raise NotApproved(f"{by.name} cannot approve {pending.tool}.", why, "")
            self._note("approval.given", pending, by.name)
            del self._waiting[pending_id]
            self._granted[pending.digest] = pending

    def refuse(self, pending_id: str, by: Caller) -> None:
        """Say no to one call. Raises NotApproved if it waits no longer."""
        with self._lock:
            pending = self._find(pending_id)
            self._note("approval.refused", pending, by.name)
            del self._waiting[pending_id]

    def _find(self, pending_id: str) -> Pending:
        self._forget_expired()
        if pending_id not in self._waiting:
            raise NotApproved("No such call waits for approval.", "it expired, or somebody answered", "")
        return self._waiting[pending_id]

    def _take(self, mark: str) -> Pending | None:
        with self._lock:
            self._forget_expired()
            return self._granted.pop(mark, None)

    def _wait(self, caller: Caller, tool: str, arguments: dict, mark: str) -> Pending:
        with self._lock:
            if found := next((one for one in self._waiting.values() if one.digest == mark), None):
                return found
            if len(self._waiting) >= MOST:
                raise NotApproved(f"{tool} cannot wait for approval.", f"{MOST} calls wait already", "")
            pending = Pending(secrets.token_hex(8), caller, tool, arguments, mark, self.clock() + self.seconds)
            self._note("approval.asked", pending)
            self._waiting[pending.id] = pending
            return pending

    def _note(self, event: str, pending: Pending, by: str = "") -> None:
        if self.audit:
            facts = {"who": pending.caller.name, "role": pending.caller.role, "tool": pending.tool, "call": pending.id}
            self.audit.append(event, content=pending.arguments, **facts, **({"by": by} if by else {}))

    def _forget_expired(self) -> None:
        now = self.clock()
        for table in (self._waiting, self._granted):
            for key in [key for key, one in table.items() if one.expires <= now]:
                del table[key]


def digest(caller: Caller, tool: str, arguments: dict) -> str:
    """Return the hash that a yes is bound to. Raises AuditError for arguments that JSON cannot hold."""
    return hashlib.sha256(canonical([caller.name, caller.role, tool, arguments])).hexdigest()
