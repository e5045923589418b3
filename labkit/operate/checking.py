"""What every check of `labkit checklist` shares: the table of checks, the three verdicts, how one is given.

    CHECKS["key"](Place(Service()))          # ("pass", "chat with the key right: 200, wrong: 401, none: 401")

A check never takes a setting for its effect where the effect can be had: a limit is exceeded, a copy of the log is tampered with,
an alert is made to fire, an engine is killed (only one that labkit started).

At work in notebook 10, section "The checklists".
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.operate.service import Place

__all__ = ["CHECKS", "FAIL", "NOT_CHECKABLE", "PASS", "Found", "check", "judged", "raises"]

PASS, FAIL, NOT_CHECKABLE = "pass", "fail", "not checkable here"
Found = tuple[str, str]
CHECKS: dict[str, Callable[[Place], Found]] = {}


def check(function: Callable[[Place], Found]) -> Callable[[Place], Found]:
    """Add a check to CHECKS under its function's name."""
    CHECKS[function.__name__] = function
    return function


def judged(fine: bool, evidence: str) -> Found:
    """Return the status that `fine` means, with its evidence."""
    return (PASS if fine else FAIL), evidence


def raises(kind: type[Exception], call: Callable[[], object]) -> bool:
    """Return whether `call()` raises an error of this kind."""
    try:
        call()
    except kind:
        return True
    return False
