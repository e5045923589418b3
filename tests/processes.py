"""What tests of other processes share: are they gone, and does Ctrl-C reach them?"""

from __future__ import annotations

import signal
from collections.abc import Iterable

import psutil

__all__ = ["gone", "interruptible"]


def gone(pids: Iterable[int], within: float = 2.0) -> bool:
    """Whether all these processes end within so many seconds; one that is dead and not yet reaped is gone."""
    _, alive = psutil.wait_procs([psutil.Process(one) for one in pids if psutil.pid_exists(one)], timeout=within)
    return not [one for one in alive if one.status() != psutil.STATUS_ZOMBIE]


def interruptible() -> None:
    """Let Ctrl-C reach a child: a shell that runs the tests in the background has told them all to ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
