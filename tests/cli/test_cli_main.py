"""What the labkit command does around every command."""

import json
import os
import signal
import subprocess
import sys

import pytest
from processes import interruptible

WAITING = """
import time
from labkit import cli

@cli.app.command()
def wait():
    print("here", flush=True)
    time.sleep(60)

cli.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for one process")
def test_ctrl_c_says_that_nothing_is_left_running():
    command = [sys.executable, "-c", WAITING, "wait"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen(command, **pipes, start_new_session=True, preexec_fn=interruptible)
    assert child.stdout.readline() == "here\n", child.communicate(timeout=10)[1]
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[1]
    assert child.returncode == 130 and said == "\nStopped. Nothing is left running.\n"


PRINTING = """
from labkit import cli
from labkit.cli.common import complain, print_out

@cli.app.command()
def say():
    print_out("a → b")
    print_out({"a": "→"})
    complain("no → c")

cli.main()
"""


def test_a_pipe_of_256_characters_as_on_windows_takes_every_text():
    env = os.environ | {"PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "-c", PRINTING, "say"], capture_output=True, env=env, check=True)
    text, _, data = done.stdout.decode("cp1252").partition("\n")
    assert text == "a ? b" and json.loads(data) == {"a": "→"} and done.stderr == b"no ? c\n"
