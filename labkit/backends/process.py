"""Own one server process: start it, know when it is ready, read its log, stop it, never leave it behind.

    server = ServerProcess(["some-server", "--port", "0"], label="demo", ready=lambda s: s.find(r"listening on (\\S+)"))
    address = server.start(timeout=30)      # whatever `ready` returned
    server.stop()                           # TERM, then KILL; twice is fine

The process runs behind `leash.py`, in a process group of its own, so Ctrl-C in a terminal or an interrupted kernel does not
reach it, and it dies with this process even on `kill -9`. Taught in notebook 00, section "What runs here".
"""

from __future__ import annotations

import collections
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from labkit.errors import EngineStartError

LEASH = Path(__file__).with_name("leash.py")
# On Windows a venv's python.exe starts another one and waits for it: the leash, which needs no venv, would stand there twice.
LEASH_PYTHON = getattr(sys, "_base_executable", sys.executable) if os.name == "nt" else sys.executable
LOG_LINES = 400
POLL_SECONDS = 0.02


class ServerProcess:
    """One server process that this process owns.

    `ready(server)` is called until it returns something true; it looks at the log or at a port. `env` is added to this
    process's environment: secrets go there, never on the command line. `grace` is the seconds between TERM and KILL.
    Taught in notebook 07, section "Install", and in notebook 11, section "Out of this program".
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        label: str,
        ready: Callable[[ServerProcess], object],
        env: Mapping[str, str] | None = None,
        grace: float = 1.0,
    ):
        self.command, self.label, self.ready, self.grace = [str(part) for part in command], label, ready, grace
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self._log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        self._lock = threading.Lock()
        self._leash: subprocess.Popen | None = None
        self._reader: threading.Thread | None = None
        self._stopped = False

    def start(self, timeout: float = 60) -> object:
        """Start and wait until ready; return what `ready` returned.

        Raises EngineStartError if the process exits first, is stopped meanwhile, or `timeout` seconds pass; nothing is
        left running then. Ctrl-C while waiting stops it as well.
        """
        self._launch()
        try:
            return self._wait_until_ready(time.monotonic() + timeout, timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the process group: TERM, then KILL after the grace. Safe to call twice, from any thread."""
        with self._lock:
            self._stopped = True
            leash = self._leash
        if leash is None:
            return
        with self._lock:
            if leash.stdin and not leash.stdin.closed:
                leash.stdin.close()  # the leash sees the end of file and ends the engine
        try:
            leash.wait(self.grace + 5)
        except subprocess.TimeoutExpired:
            leash.kill()  # PR_SET_PDEATHSIG ends the engine on Linux
            leash.wait()
        self._reader.join(2)
        if not self._reader.is_alive():  # else a process that left the group still holds the pipe: closing would block
            leash.stdout.close()

    def kill(self) -> None:
        """End the engine at once with KILL, as a crash would: for failure drills. `stop()` is the polite way."""
        for child in self.family():
            child.kill()

    def family(self) -> list:
        """Return the engine's processes that run now, as psutil.Process objects: its own and its children's, not the leash."""
        import psutil

        try:
            return psutil.Process(self._leash.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def ports(self) -> list[int]:
        """Return the TCP ports at which the engine itself (none of its own children) listens on loopback, lowest first."""
        import psutil

        try:
            (engine,) = psutil.Process(self._leash.pid).children()
            sockets = engine.net_connections("tcp")
        except (psutil.Error, ValueError):  # it is gone
            return []
        listening = [one.laddr for one in sockets if one.status == psutil.CONN_LISTEN]
        return sorted(where.port for where in listening if where.ip == "127.0.0.1")

    @property
    def alive(self) -> bool:
        """Whether the process is running now."""
        return self._leash is not None and self._leash.poll() is None

    @property
    def returncode(self) -> int | None:
        """The exit status, 128 + n if signal n ended it, or None while it runs."""
        return self._leash.poll() if self._leash else None

    @property
    def log(self) -> list[str]:
        """The last lines that the process printed (stdout and stderr together)."""
        return list(self._log)

    def find(self, pattern: str) -> str | None:
        """Return the first group of the first log line that matches `pattern`, or None."""
        for line in self.log:
            if found := re.search(pattern, line):
                return found.group(1)
        return None

    def tail(self, lines: int = 5) -> str:
        """Return the last log lines as one text, for error messages."""
        return "\n".join(self.log[-lines:])

    def wait(self, timeout: float) -> int | None:
        """Return the exit status once the process has ended, or None if it still runs after `timeout` seconds."""
        try:
            return self._leash.wait(timeout) if self._leash else None
        except subprocess.TimeoutExpired:
            return None

    def ending(self) -> str:
        """Say in words how the process ended."""
        code = self.returncode
        if code is None:
            return "still running"
        if os.name == "nt":
            return f"exit status {code}" if code < 256 else f"exit status {code:#x}"  # as Windows writes a crash
        return f"killed by signal {code - 128}" if code > 128 else f"exit status {code}"

    def _launch(self) -> None:
        with self._lock:
            if self._stopped or self._leash:
                raise EngineStartError(f"{self.label} was already started or stopped.", "one ServerProcess runs once")
            leash = [LEASH_PYTHON, "-I", "-S", str(LEASH), self.label, str(self.grace)]
            # A session of its own keeps the leash out of reach of Ctrl-C and of kernel interrupts.
            session = (
                {"start_new_session": True}
                if os.name != "nt"
                else {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
            )
            self._leash = subprocess.Popen(
                [*leash, *self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.env,
                **session,
            )
            self._reader = threading.Thread(target=self._read_log, args=(self._leash.stdout,), daemon=True)
            self._reader.start()

    def _read_log(self, stream) -> None:
        # A server whose pipe nobody drains stops at 64 KiB: this thread is not optional.
        for line in stream:
            self._log.append(line.decode("utf-8", "replace").rstrip())

    def _wait_until_ready(self, deadline: float, timeout: float) -> object:
        while True:
            if found := self.ready(self):
                return found
            if not self.alive:
                self._reader.join(1)
                if self._stopped:
                    raise EngineStartError(f"{self.label} was stopped while it started.")
                raise EngineStartError(f"{self.label} ended before it was ready.", self._last_words(), "labkit doctor")
            if time.monotonic() > deadline:
                raise EngineStartError(
                    f"{self.label} was not ready after {timeout:g} s.",
                    f"the machine is busy, or the model is large. Its last words:\n{self.tail()}",
                    "labkit doctor",
                )
            time.sleep(POLL_SECONDS)

    def _last_words(self) -> str:
        return f"{self.ending()}. Its last words:\n{self.tail()}"


def free_port() -> int:
    """Return a TCP port on loopback that was free a moment ago, for servers that cannot bind port 0 themselves.

    Another process may take it before the server binds: start such a server in a loop that retries on failure.
    Taught in notebook 11, section "Out of this program".
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def running_servers() -> list[dict]:
    """Return the servers that labkit runs now, in any process of this user: label, leash pid, parent pid, memory in bytes.

    Read from the process table (psutil), so there is no registry file to go stale.
    """
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "ppid", "cmdline"]):
        line = process.info["cmdline"] or []
        if len(line) > 4 and line[3].endswith(LEASH.name) and line[1:3] == ["-I", "-S"]:
            found.append(
                {
                    "label": line[4],
                    "pid": process.info["pid"],
                    "parent": process.info["ppid"],
                    "memory_bytes": _group_memory(process),
                }
            )
    return found


def _group_memory(process) -> int:
    import psutil

    total = 0
    try:
        for child in process.children(recursive=True):
            total += child.memory_info().rss
    except psutil.Error:
        return total
    return total
