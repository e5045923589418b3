"""The leash: run one engine, and end it when the process that asked for it is gone, however it went.

    python -I -S leash.py LABEL GRACE_SECONDS COMMAND ...

The parent holds the only write end of this process's standard input. When that pipe closes (the parent stopped us, exited,
crashed or got `kill -9`), the engine's whole process group gets TERM, then KILL after the grace. This works where
PR_SET_PDEATHSIG does not (macOS, threads); on Linux that signal is set too, in case the leash itself is killed.

Standard library only: it starts in about 20 ms and can be copied anywhere. LABEL is for `ps` and `labkit doctor`.

Taught in notebook 07, section "Install".
"""

import os
import signal
import subprocess
import sys
import threading


def main(label, grace, *command):
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, **_own_group())
    lifeline = threading.Thread(target=_wait_for_parent, args=(child, float(grace)), daemon=True)
    lifeline.start()
    code = child.wait()
    _kill_group(child)  # grandchildren that outlived their parent
    # os._exit: the lifeline thread may be blocked in a read, and nothing of ours needs flushing.
    os._exit(_exit_status(code))


def _exit_status(code):
    if code > 0x7FFFFFFF:  # a crash on Windows, such as 0xC0000005; os._exit takes a signed number
        return code - (1 << 32)
    return code if code >= 0 else 128 - code


def _wait_for_parent(child, grace):
    while os.read(0, 4096):  # b"" means that the last write end is closed
        pass
    _terminate_group(child)
    try:
        child.wait(grace)
    except subprocess.TimeoutExpired:
        _kill_group(child)


if os.name == "nt":

    def _own_group():
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

    def _terminate_group(child):
        _kill_group(child)  # a console-less Windows process has no polite signal

    def _kill_group(child):
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(child.pid)], capture_output=True, check=False)

else:

    def _own_group():
        return {"start_new_session": True, "preexec_fn": _die_with_leash if sys.platform == "linux" else None}

    def _die_with_leash():
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 = PR_SET_PDEATHSIG

    def _terminate_group(child):
        _signal_group(child, signal.SIGTERM)

    def _kill_group(child):
        _signal_group(child, signal.SIGKILL)

    def _signal_group(child, number):
        try:
            os.killpg(child.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # the whole group is gone already; macOS says "not permitted" while its last zombie is left


if __name__ == "__main__":
    main(*sys.argv[1:])
