"""A cap on the memory of one process and all that it starts: a Linux control group, made for the time of a run.

    with MemoryCap(2_000_000_000) as cap:
        cap.hold(kernel.pid)           # what it starts from now on is held as well
        ...
    cap.kills                          # processes that the kernel ended because of it

A small machine for an hour, Binder for example, without having one. Files that the system caches are given back under a cap,
so they cost time, not life.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from labkit import _cgroup
from labkit.errors import CourseError

ROOT = Path("/")
LIMIT = {1: "memory.limit_in_bytes", 2: "memory.max"}
SWAP = {1: "memory.memsw.limit_in_bytes", 2: "memory.swap.max"}
EVENTS = {1: "memory.oom_control", 2: "memory.events"}


class MemoryCap:
    """A control group below this process's own; CourseError where the system has none, or this user may not make one."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes, self.kills = limit_bytes, 0

    def __enter__(self) -> MemoryCap:
        levels = _cgroup.levels("memory", ROOT)
        self._version, above = next((one for one in levels if (one[1] / "memory.stat").exists()), (0, ROOT))
        if not self._version:
            raise _cannot("This system shows no control group for memory")
        _sweep(above)
        self._folder = above / f"labkit-{os.getpid()}-{time.monotonic_ns()}"
        try:
            self._folder.mkdir()
            self._write(LIMIT, self.limit_bytes)
        except OSError as error:
            self._remove()
            raise _cannot(f"{error.strerror}: {error.filename}") from None
        with contextlib.suppress(OSError):  # a system that does not count swap has no such file
            self._write(SWAP, self.limit_bytes if self._version == 1 else 0)
        return self

    def hold(self, pid: int) -> None:
        """Put process `pid` into the group, and with it whatever it starts from now on."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    def __exit__(self, *_error: object) -> None:
        words = _cgroup.text_of(self._folder / EVENTS[self._version]).split()
        self.kills = int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
        self._remove()

    def _write(self, names: dict[int, str], value: int) -> None:
        (self._folder / names[self._version]).write_text(str(value))

    def _remove(self) -> None:
        """Remove the group; engines of a kernel that was killed need a moment to follow it."""
        for _ in range(50):
            try:
                return self._folder.rmdir()
            except FileNotFoundError:
                return None
            except OSError:
                time.sleep(0.1)
        return None


def _sweep(above: Path) -> None:
    """Remove the groups of runs that were killed and could not remove them: their process is gone, and they are empty."""
    import psutil

    for left in above.glob("labkit-*-*"):
        owner = left.name.split("-")[1]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            with contextlib.suppress(OSError):  # somebody still runs in it
                left.rmdir()


def _cannot(why: str) -> CourseError:
    return CourseError("The memory of a lesson cannot be capped here", why, "docker run --memory 2g …")
