"""What an engine takes of this machine: the memory of its processes, and what others take meanwhile.

Taught in notebook 02, section "Memory".
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Footprint", "footprint", "other_load"]


@dataclass(frozen=True)
class Footprint:
    """The memory of an engine's processes, in bytes.

    rss: resident, pages that two of them share counted twice. pss: shared pages counted in parts, so that it adds up; None where
    the system does not say (Linux does). processes: how many.
    """

    rss_bytes: int
    pss_bytes: int | None
    processes: int


def footprint(endpoint) -> Footprint | None:
    """Return the memory of the process that listens at `endpoint`, and of its children; None if it is not to be seen.

    Weights that the engine maps from a file count as far as they are in memory. Memory of a GPU does not.
    """
    import psutil

    rss, pss, count = 0, 0, 0
    for process in _tree(urlsplit(endpoint.base_url).port):
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            continue
        rss, count = rss + memory.rss, count + 1
        pss = pss + memory.pss if pss is not None and hasattr(memory, "pss") else None
    return Footprint(rss, pss, count) if count else None


def other_load(seconds: float = 0.5) -> float:
    """Return the share of all cores that is busy now, 0 to 1: before an engine runs, that is everybody else."""
    import psutil

    return psutil.cpu_percent(seconds) / 100


def _tree(port: int | None) -> list:
    import psutil

    # Who listens is asked of each process: the table of all sockets is closed to users on macOS.
    for process in psutil.process_iter():
        try:
            listening = [one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
            if port in listening:
                return [process, *process.children(recursive=True)]
        except psutil.Error:
            continue
    return []
