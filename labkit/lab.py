"""Open JupyterLab on the course: this interpreter's, on this machine only.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FIRST = "00_start_here.ipynb"


def command(folder: Path, *, browser: bool = True, port: int = 8888) -> list[str]:
    """Return the command line that opens `folder` in JupyterLab on loopback; port 0 lets the OS choose."""
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 50,  # a second course on the same machine takes the next port
        "ServerApp.root_dir": str(folder.resolve()),
        "LabApp.default_url": f"/lab/tree/{FIRST}" if (folder / FIRST).exists() else "/lab",
        "LabApp.news_url": "",  # no request leaves the machine
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    line = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")  # containers
    return line


def open_lab(folder: Path, *, browser: bool = True, port: int = 8888) -> int:
    """Run JupyterLab until it ends; return its exit status. Ctrl-C asks and stops it, kernels and engines included."""
    # The environment's own kernel comes before one of the same name in the user's home.
    env = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}
    line = command(folder, browser=browser, port=port)
    if os.name == "nt":
        return subprocess.call(line, env=env)
    os.execve(sys.executable, line, env)  # one process: signals go straight to JupyterLab
