"""Which processes of this machine are what of a deployment, read from the process table: replicas, their engines, Ray's proxy.

Taught in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

from typing import Any

import psutil

__all__ = ["family"]


def family(root: int | None = None) -> dict[str, Any]:
    """Return the processes below `root` (default: this one) by what they are.

    `processes`: how many, `memory_bytes`: together; `replica_pids`: by model, each with its process and its engine's; `proxy_pid`.
    """
    found = psutil.Process(root).children(recursive=True)
    named = {one.pid: _title(one) for one in found}
    # While it answers, the title goes on with the method's name, after a dot.
    parts = {
        pid: title.partition(".")[0].split(":")
        for pid, title in named.items()
        if title.startswith("ray::ServeReplica:")
    }
    replicas: dict[str, list[dict[str, Any]]] = {}
    for pid, part in parts.items():
        if part[-1] != "Router":
            replicas.setdefault(part[-1], []).append({"pid": pid, "engine_pids": _engines(pid)})
    proxies = [pid for pid, title in named.items() if title.startswith("ray::ProxyActor")]
    memory = sum(_memory(one) for one in found)
    proxy = proxies[0] if proxies else None
    return {"processes": len(found), "memory_bytes": memory, "replica_pids": replicas, "proxy_pid": proxy}


def _title(process: psutil.Process) -> str:
    try:
        line = process.cmdline()
    except psutil.Error:  # it ended just now
        return ""
    return line[0].rstrip() if line else ""


def _engines(pid: int) -> list[int]:
    """Return the engine behind a replica's leash: it stands alone below it."""
    try:
        return [one.pid for leash in psutil.Process(pid).children() for one in leash.children()]
    except psutil.Error:
        return []


def _memory(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.Error:
        return 0
