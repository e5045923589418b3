"""What an engine takes of this machine: the memory of its processes, and what others take meanwhile.

    footprint(endpoint)                # of one engine, now
    with PeakMemory(pid) as peak:      # of a process and all that it starts, over a time
        ...
    peak.bytes

Taught in notebook 02, section "Memory".
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import psutil

__all__ = ["Footprint", "PeakMemory", "footprint", "memory_of", "other_load"]


@dataclass(frozen=True)
class Footprint:
    """The memory of an engine's processes, in bytes.

    rss: resident, pages that two of them share counted twice. pss: shared pages counted in parts, so that it adds up; None where
    the system does not say (Linux does). processes: how many.
    """

    rss_bytes: int
    pss_bytes: int | None
    processes: int

    @property
    def bytes(self) -> int:
        """The best figure there is: pss where the system says it, else rss."""
        return self.rss_bytes if self.pss_bytes is None else self.pss_bytes


def footprint(endpoint) -> Footprint | None:
    """Return the memory of the process that listens at `endpoint`, and of its children; None if it is not to be seen.

    Weights that the engine maps from a file count as far as they are in memory. Memory of a GPU does not.
    """
    return memory_of(_listening(urlsplit(endpoint.base_url).port))


def memory_of(processes: Iterable[psutil.Process]) -> Footprint | None:
    """Return the memory of these processes together; None if there is none to be seen."""
    import psutil

    rss, pss, count = 0, 0, 0
    for process in processes:
        try:
            memory = process.memory_full_info()
        except psutil.Error:
            continue
        rss, count = rss + memory.rss, count + 1
        pss = pss + memory.pss if pss is not None and hasattr(memory, "pss") else None
    return Footprint(rss, pss, count) if count else None


class PeakMemory:
    """The most memory that process `pid` and all its descendants took together while this context was open.

    `bytes`: pss where the system tells it (Linux), rss elsewhere, looked at every `every_s` seconds: a shorter peak is missed.
    Files that the kernel merely caches are not in it.
    """

    def __init__(self, pid: int, every_s: float = 0.5):
        self.pid, self.every_s, self.bytes = pid, every_s, 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="labkit-peak-memory", daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.is_set():
            if now := memory_of(_family(self.pid)):
                self.bytes = max(self.bytes, now.bytes)
            self._ended.wait(self.every_s)


def other_load(seconds: float = 0.5) -> float:
    """Return the share of all cores that is busy now, 0 to 1: before an engine runs, that is everybody else."""
    import psutil

    return psutil.cpu_percent(seconds) / 100


def _listening(port: int | None) -> list[psutil.Process]:
    """Return the process that listens at `port`, and its descendants; none if it is not to be seen."""
    import psutil

    # Who listens is asked of each process: the table of all sockets is closed to users on macOS.
    for process in psutil.process_iter():
        try:
            listening = [one.laddr.port for one in process.net_connections("tcp") if one.status == psutil.CONN_LISTEN]
            if port in listening:
                return _family(process.pid)
        except psutil.Error:
            continue
    return []


def _family(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:  # it has ended
        return []
