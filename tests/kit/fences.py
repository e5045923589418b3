"""Commands in namespaces of their own (Linux): without a network, or with a folder that is small or read-only."""

from __future__ import annotations

import os
import shutil
import subprocess

OURS = ("PIP_", "PYTHON", "LABKIT_")
NO_NETWORK = "ip link set lo up"


def read_only(folder) -> str:
    """Make a folder one that nothing can be written in, as a stick with its switch on."""
    return f"mount --bind '{folder}' '{folder}' && mount -o remount,bind,ro '{folder}'"


def small(folder, nbytes: int) -> str:
    """Make a folder a disk of so many bytes."""
    return f"mount -t tmpfs -o size={nbytes} none '{folder}'"


def run(fence: str, *command, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command behind a fence; of the variables of pip, Python and labkit it gets those in `env` alone."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    fenced = ["unshare", "--map-root-user", "--net", "--mount", "sh", "-c", f'{fence} && exec "$@"', "sh"]
    return subprocess.run([*fenced, *map(str, command)], capture_output=True, text=True, env={**clean, **env})


def possible() -> bool:
    """Whether this machine has what it takes, and allows it."""
    return bool(shutil.which("unshare")) and not run(f"{NO_NETWORK} && {small('/mnt', 4096)}", "true").returncode
