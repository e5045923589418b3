"""A real control group: it holds a process and its children, counts whom the system ended, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from labkit import course
from labkit._memory_cap import MemoryCap
from labkit.errors import CourseError

MB = 10**6
# Waits to be told; then a child takes 300 MB.
PARENT = """
import subprocess, sys
sys.stdin.readline()
print(subprocess.run([sys.executable, "-c", "taken = bytearray(b'x') * 300_000_000"]).returncode, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def caps(require) -> None:
    """Go on where control groups may be made."""
    try:
        with MemoryCap(100 * MB):
            pass
    except CourseError as error:
        require("cgroup", False, str(error))


def status_of_a_child_under(limit: int) -> tuple[int, int, Path]:
    """Return the exit status of a child that takes 300 MB, how many were ended, and the group's folder."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with MemoryCap(limit) as cap, subprocess.Popen([sys.executable, "-c", PARENT], **pipes) as parent:
        cap.hold(parent.pid)
        print(file=parent.stdin, flush=True)
        status = int(parent.stdout.readline())
        parent.stdin.close()
    return status, cap.kills, cap._folder


def test_a_child_that_takes_too_much_is_ended_and_counted(caps):
    status, kills, folder = status_of_a_child_under(150 * MB)
    assert (status, kills, folder.exists()) == (-9, 1, False)


def test_one_that_keeps_within_is_left_alone(caps):
    assert status_of_a_child_under(600 * MB)[:2] == (0, 0)


def test_what_a_killed_run_left_is_removed_by_the_next_one(caps):
    pause = "from labkit._memory_cap import MemoryCap\nwith MemoryCap(10**8) as cap: print(cap._folder, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", pause], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        left = Path(run.stdout.readline().strip())
        with MemoryCap(100 * MB):
            assert left.is_dir(), "its run goes on"
        run.kill()
    with MemoryCap(100 * MB):
        assert not left.exists()


def test_a_notebook_whose_engine_was_ended_is_red(caps, tmp_path):
    code = (
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'bytearray(b\"x\") * 900_000_000']).returncode"
    )
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), tmp_path / "hungry.ipynb")
    (result,) = course.run([tmp_path / "hungry.ipynb"], out=tmp_path / "out", memory_bytes=500 * MB)
    assert [problem.kind for problem in result.problems] == ["memory"]


def test_where_nobody_may_make_a_group_it_says_what_else_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("labkit._memory_cap.ROOT", tmp_path)
    with pytest.raises(CourseError, match="cannot be capped here") as raised, MemoryCap(MB):
        pass
    assert raised.value.fix.startswith("docker run --memory")
