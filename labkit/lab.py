"""Open JupyterLab on the course: this interpreter's, on this machine only.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from labkit import paths
from labkit.exercises import start_page

FIRST = "00_start_here.ipynb"  # where the folder has no start page, or one of the learner's own


def command(folder: Path, *, browser: bool = True, port: int = 8888) -> list[str]:
    """Return the command line that opens `folder` in JupyterLab on loopback; port 0 lets the OS choose."""
    options = {
        "ServerApp.ip": "127.0.0.1",
        "ServerApp.port": port,
        "ServerApp.port_retries": 50,  # a second course on the same machine takes the next port
        "ServerApp.root_dir": str(folder.resolve()),
        "LabApp.default_url": _opens_at(folder),
        "LabApp.news_url": "",  # no request leaves the machine
        "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
    }
    line = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in options.items())]
    if not browser:
        line.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")  # containers
    return line


def environment() -> dict[str, str]:
    """Return this environment and what JupyterLab needs beside it to show the course."""
    found = {**os.environ, "JUPYTER_PREFER_ENV_PATH": "1"}  # this environment's kernel before one in the user's home
    # Defaults alone, below the user's own settings: Markdown, and so the start page, opens rendered.
    ours = str(paths.data_dir() / "jupyter")
    found["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, [found.get("JUPYTER_CONFIG_PATH"), ours]))
    return found


def open_lab(folder: Path, *, browser: bool = True, port: int = 8888) -> int:
    """Run JupyterLab until it ends; return its exit status. Ctrl-C asks and stops it, kernels and engines included."""
    line = command(folder, browser=browser, port=port)
    if os.name == "nt":
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # JupyterLab shares our console, hears Ctrl-C, and asks
        return subprocess.call(line, env=environment())
    os.execve(sys.executable, line, environment())  # one process: signals go straight to JupyterLab


def _opens_at(folder: Path) -> str:
    if start_page.is_ours(folder):
        return f"/lab/tree/{start_page.START}"
    return f"/lab/tree/{FIRST}" if (folder / FIRST).exists() else "/lab"
