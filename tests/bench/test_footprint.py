"""The memory of real processes: an engine's, and the most that a process and its children take over a time."""

import subprocess
import sys

import psutil
from scripted_stream import ROLE, end, scripted, text

from labkit.footprint import PeakMemory, footprint, memory_of

ANSWER = [ROLE, text("Once"), end(tokens=1, prompt=1)]
MB = 10**6
# A child that takes the memory, gives it back, and only then lets its parent say so.
PARENT = """
import subprocess, sys
child = "import time; taken = bytearray(b'x') * 150_000_000; time.sleep(1); del taken; time.sleep(0.3)"
subprocess.run([sys.executable, "-c", child], check=True)
print("over", flush=True)
sys.stdin.read()
"""


def test_memory_is_that_of_whoever_listens():
    with scripted(ANSWER) as server:
        found = footprint(server.endpoint)
    assert found.rss_bytes > 2**20 and found.processes >= 1


def test_memory_of_nobody_is_unknown():
    with scripted(ANSWER) as server:
        endpoint = server.endpoint
    assert footprint(endpoint) is None and memory_of([]) is None


def test_the_peak_is_of_the_whole_family_and_outlives_it():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        with PeakMemory(parent.pid, every_s=0.1) as peak:
            assert parent.stdout.readline() == b"over\n"
        after = memory_of([psutil.Process(parent.pid)])
        parent.stdin.close()
    assert 150 * MB < peak.bytes < 300 * MB
    assert after.rss_bytes < 100 * MB, "the parent itself never had it"


def test_the_peak_of_a_process_that_is_gone_is_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    with PeakMemory(gone.pid, every_s=0.01) as peak:
        pass
    assert peak.bytes == 0
