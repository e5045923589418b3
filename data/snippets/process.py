"""A real server process: ready, its log, stopped politely, and gone with a parent that was killed."""

import os
import subprocess
import sys
import time
from urllib.request import urlopen

import psutil
import pytest

from labkit.backends.process import ServerProcess
from labkit.errors import EngineStartError

SERVER = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
KEEPS = """
from labkit.backends.process import ServerProcess
import time
server = ServerProcess(%r, label="kept", ready=lambda one: one.find(r"(http://[^ )/]+)"))
server.start(30)
print(server.family()[0].pid, flush=True)
time.sleep(60)
"""


def ready(server):
    return server.find(r"(http://[^ )/]+)")


def test_it_serves_and_stops():
    server = ServerProcess(SERVER, label="files", ready=ready)
    address = server.start(30)
    assert urlopen(address).status == 200 and server.alive
    server.stop()
    assert not server.alive


def test_what_does_not_start_says_why():
    with pytest.raises(EngineStartError, match="no such thing"):
        ServerProcess([sys.executable, "-c", "exit('no such thing')"], label="broken", ready=ready).start(30)


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_a_killed_parent_leaves_nothing():
    parent = subprocess.Popen([sys.executable, "-c", KEEPS % SERVER], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while not gone(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert gone(child)


def gone(process):
    """A zombie is gone: it only waits for somebody to ask how it ended."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
