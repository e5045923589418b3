"""What the container allows: Linux control groups, version 2 and 1, read below `root` ("/", or a test's own tree).

A group's limit binds everybody below it, so each question is asked of this process's group and of all its parents. In a
container the parents are hidden: the topmost folder that is visible is the container itself. Both versions can be
mounted side by side, so both are asked. Values are None where nothing limits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

UNLIMITED = 2**62  # version 1 says "no limit" with a number near 2**63


def cpu_quota(root: Path) -> tuple[float | None, str]:
    """Return the cores' worth of time (1.5: one and a half) that the cgroup and its parents allow, and whose limit."""
    found = [(_quota(version, folder), f"cgroup v{version} {folder}") for version, folder in levels("cpu", root)]
    return min((pair for pair in found if pair[0]), default=(None, "no cgroup limits the CPU"))


def memory(root: Path) -> tuple[tuple[int | None, str], tuple[int | None, str]]:
    """Return the tightest memory limit of the cgroup and its parents, and the least any of them still allows, in bytes.

    Allowed is limit - (current - inactive_file): the kernel gives cached file pages back before it kills anybody.
    """
    limits, allowed = [], []
    for version, folder in levels("memory", root):
        limit, name = _limit(version, folder)
        if limit is not None:
            limits.append((limit, f"cgroup v{version} {folder / name}"))
            allowed.append((max(0, limit - _used(version, folder)), f"cgroup v{version} {folder}, limit - used"))
    nothing = (None, "no cgroup limits the memory")
    return min(limits, default=nothing), min(allowed, default=nothing)


def levels(controller: str, root: Path) -> Iterator[tuple[int, Path]]:
    """Yield (1 or 2, folder) from this process's cgroup up to the topmost that is visible here."""
    for line in text_of(root / "proc/self/cgroup").splitlines():
        number, names, path = (*line.split(":", 2), "", "")[:3]
        if number == "0" and not names:
            version, mounts = 2, ("", "unified")
        elif controller in names.split(","):
            version, mounts = 1, (names, controller)
        else:
            continue
        parts = [part for part in path.split("/") if part]
        folders = (root / "sys/fs/cgroup" / mount for mount in mounts)
        for top in [folder for folder in folders if os.path.exists(folder / "cgroup.procs")][:1]:
            yield from ((version, top.joinpath(*parts[:depth])) for depth in range(len(parts), -1, -1))


def text_of(path: Path) -> str:
    """Return what the file says, "" where there is none or it may not be read."""
    try:
        return path.read_text(errors="replace")
    except (OSError, ValueError):  # ValueError: no file can have such a name
        return ""


def _quota(version: int, folder: Path) -> float | None:
    if version == 2:
        texts = text_of(folder / "cpu.max").split()
    else:
        texts = [text_of(folder / name) for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]
    quota, period = map(_number, (*texts, "", "")[:2])
    return quota / period if quota and period else None


def _limit(version: int, folder: Path) -> tuple[int | None, str]:
    """The limit in bytes and its file. A v1 container cannot see its parents, but memory.stat knows their limit."""
    if version == 2:
        return _number(text_of(folder / "memory.max")), "memory.max"
    own = _number(text_of(folder / "memory.limit_in_bytes")), "memory.limit_in_bytes"
    above = _stat(folder).get("hierarchical_memory_limit"), "memory.stat"
    return min((pair for pair in (own, above) if pair[0] is not None and pair[0] < UNLIMITED), default=(None, ""))


def _used(version: int, folder: Path) -> int:
    """Bytes in use that the kernel cannot simply drop."""
    current = _number(text_of(folder / ("memory.current" if version == 2 else "memory.usage_in_bytes"))) or 0
    return max(0, current - _stat(folder).get("inactive_file" if version == 2 else "total_inactive_file", 0))


def _stat(folder: Path) -> dict[str, int]:
    rows = [line.split() for line in text_of(folder / "memory.stat").splitlines()]
    return {row[0]: number for row in rows if len(row) == 2 and (number := _number(row[1])) is not None}


def _number(text: str) -> int | None:
    """A count as the kernel writes it; None for "max", -1, nothing and nonsense."""
    try:
        return number if (number := int(text)) >= 0 else None
    except ValueError:
        return None
