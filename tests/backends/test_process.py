"""ServerProcess against real processes: every way to start, stop and die."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import psutil
import pytest

from labkit.backends import leash
from labkit.backends.process import ServerProcess, free_port, running_servers
from labkit.errors import EngineStartError

READY = "print('ready on 7', flush=True)\n"
FOREVER = "import time\ntime.sleep(600)\n"


def server(code: str, label="test", **options) -> ServerProcess:
    command = [sys.executable, "-c", textwrap.dedent(code)]
    return ServerProcess(command, label=label, ready=lambda s: s.find(r"ready on (\d+)"), **options)


def engine_pid(process: ServerProcess) -> int:
    (child,) = psutil.Process(process._leash.pid).children()
    return child.pid


def gone(pid: int, within: float = 5) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_start_returns_what_ready_returned_and_stop_ends_it():
    process = server(READY + FOREVER)
    assert process.start(10) == "7"
    pid = engine_pid(process)
    assert process.alive
    process.stop()
    assert not process.alive and gone(pid)
    process.stop()  # twice is fine


def test_a_server_that_exits_first_is_reported_with_its_last_words():
    process = server("import sys; print('no such model'); sys.exit(3)")
    with pytest.raises(EngineStartError) as caught:
        process.start(10)
    assert "exit status 3" in str(caught.value) and "no such model" in str(caught.value)
    assert process.returncode == 3


def test_a_server_that_is_never_ready_is_stopped():
    process = server(FOREVER)
    with pytest.raises(EngineStartError, match="not ready after"):
        process.start(0.5)
    assert not process.alive


def test_stop_during_start():
    process = server(FOREVER)
    threading.Timer(0.3, process.stop).start()
    with pytest.raises(EngineStartError, match="stopped while it started"):
        process.start(20)
    assert not process.alive


def test_a_server_that_ignores_term_is_killed():
    process = server("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + READY + FOREVER, grace=0.3)
    process.start(10)
    pid = engine_pid(process)
    process.stop()
    assert gone(pid)


def test_grandchildren_go_with_the_group():
    process = server(
        "import subprocess, sys\nc = subprocess.Popen(['sleep', '600'])\nprint('ready on', c.pid, flush=True)\n"
        + FOREVER
    )
    grandchild = int(process.start(10))
    process.stop()
    assert gone(grandchild)


def test_grandchildren_go_when_their_parent_exits_by_itself():
    code = """
    import subprocess, time
    print("ready on", subprocess.Popen(["sleep", "600"]).pid, flush=True)
    time.sleep(0.3)
    """
    process = server(code)
    grandchild = int(process.start(10))
    assert gone(grandchild)
    assert process.wait(5) == 0 and process.ending() == "exit status 0"
    process.stop()


def test_a_talkative_server_does_not_block_and_the_log_is_a_ring():
    process = server("for i in range(20000): print('line', i)\n" + READY + FOREVER)
    process.start(20)
    assert len(process.log) <= 400
    process.stop()


def test_dies_with_a_killed_parent():
    code = f"""
    import sys
    from labkit.backends.process import ServerProcess
    p = ServerProcess([sys.executable, "-c", {READY + FOREVER!r}], label="orphan-test", ready=lambda s: s.find("ready on (.)"))
    p.start(10)
    import psutil
    print(psutil.Process(p._leash.pid).children()[0].pid, p._leash.pid, flush=True)
    import time
    time.sleep(600)
    """
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    engine, leash = map(int, parent.stdout.readline().split())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(engine, within=2) and gone(leash, within=2)
    parent.stdout.close()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux only")
def test_dies_with_a_killed_leash():
    process = server(READY + FOREVER)
    process.start(10)
    pid = engine_pid(process)
    os.kill(process._leash.pid, signal.SIGKILL)
    assert gone(pid, within=2)
    process.stop()


@pytest.mark.skipif(os.name == "nt", reason="process groups")
def test_ctrl_c_in_the_terminal_does_not_reach_it():
    process = server(READY + FOREVER)
    process.start(10)
    assert os.getpgid(process._leash.pid) != os.getpgid(0)
    assert os.getpgid(engine_pid(process)) not in (os.getpgid(0), os.getpgid(process._leash.pid))
    process.stop()


def test_secrets_travel_by_environment_not_by_argument():
    process = server(
        "import os\nprint('ready on', len(os.environ['KEY']), flush=True)\n" + FOREVER, env={"KEY": "s3cret"}
    )
    assert process.start(10) == "6"
    lines = " ".join(" ".join(p.cmdline()) for p in psutil.Process(process._leash.pid).children())
    assert "s3cret" not in lines
    process.stop()


def test_a_killed_server_says_so():
    process = server(READY + FOREVER)
    process.start(10)
    process.kill()
    assert process.wait(5) == 137 and process.ending() == "killed by signal 9"
    process.stop()


def test_running_servers_are_seen_in_the_process_table():
    process = server(READY + FOREVER, label="seen-in-table threads=1")
    process.start(10)
    assert [s["parent"] for s in running_servers() if s["label"] == "seen-in-table threads=1"] == [os.getpid()]
    process.stop()
    assert not [s for s in running_servers() if s["label"] == "seen-in-table threads=1"]


def test_fifty_starts_and_stops_leave_nothing():
    server(READY + FOREVER).stop()
    me = psutil.Process()
    before = (me.num_fds() if hasattr(me, "num_fds") else 0, threading.active_count(), len(me.children(recursive=True)))
    for _ in range(50):
        process = server(READY + FOREVER)
        process.start(10)
        process.stop()
    after = (me.num_fds() if hasattr(me, "num_fds") else 0, threading.active_count(), len(me.children(recursive=True)))
    assert after == before


def test_free_port_is_on_loopback_and_free():
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", free_port()))


# -- what other systems say, which this one cannot -----------------------------------------------------------------------


@pytest.mark.parametrize("ended, status", [(0, 0), (3, 3), (-9, 137), (0xC0000005, 0xC0000005 - 2**32)])
def test_every_way_to_end_is_a_status_that_a_process_can_end_with(ended, status):
    """0xC0000005 is an access violation on Windows, where exit codes have no sign and os._exit takes one."""
    assert leash._exit_status(ended) == status
    done = subprocess.run([sys.executable, "-c", f"import os; os._exit({leash._exit_status(ended)})"])
    assert done.returncode == status % 256


@pytest.mark.skipif(os.name != "posix", reason="process groups")
@pytest.mark.parametrize("said", [ProcessLookupError, PermissionError])
def test_a_group_that_is_gone_is_no_error(said, monkeypatch):
    """macOS says "not permitted" for a group of which only a zombie is left, Linux and macOS "no such process" for none."""

    def killpg(pid, number):
        raise said

    monkeypatch.setattr(os, "killpg", killpg)
    leash._kill_group(subprocess.Popen([sys.executable, "-c", ""]))
