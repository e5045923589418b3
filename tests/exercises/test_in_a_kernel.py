"""The exercises in a real Jupyter kernel, as a learner meets them: cells, outputs, the Stop button."""

import pytest
from jupyter_client.manager import start_new_kernel

CHECKER = """
from labkit.exercises import cases

def check_double(double):
    cases(double, [(1, 2), (2, 4)], "it is not twice as much")
"""
TEXTS = """
title = "Twice"
section = "Twice"
task = "Write `double(x)`."
expects = "a function of one number"
hints = ["Think.", "`2 * x`"]
why = "It doubles."
check = "check_double"
seconds = 60.0
blank = ["def double(x):\\n    ..."]
solution = "double = lambda x: 2 * x"
right = []
wrong = []
"""
SETUP = """
import pathlib, labkit.exercises, labkit.paths
labkit.exercises.__path__.append({folder!r})
labkit.paths.data_dir = lambda: pathlib.Path({folder!r})
from labkit import exercise
ex = exercise("97.1")
"""


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bank")
    (folder / "lesson_97.py").write_text(CHECKER)
    (folder / "exercises").mkdir()
    (folder / "exercises" / "97.1.toml").write_text(TEXTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(folder / "home"))
        manager, client = start_new_kernel()
    run(client, SETUP.format(folder=str(folder)))
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(client, cell: str, after_start=None) -> dict:
    """Run one cell; return its display data by MIME type, and what it printed or raised."""
    got = {"stream": ""}

    def note(message):
        kind, content = message["msg_type"], message["content"]
        if kind == "execute_result":
            got.update(content["data"])
        elif kind == "stream":
            got["stream"] += content["text"]
            if after_start and "started" in content["text"]:
                after_start()
        elif kind == "error":
            got["error"] = content["ename"]

    client.execute_interactive(cell, timeout=60, output_hook=note)
    return got


def test_taking_an_exercise_is_quiet(kernel):
    assert run(kernel[1], "ex = exercise('97.1')") == {"stream": ""}


def test_both_renderings_are_sent(kernel):
    got = run(kernel[1], "def double(x):\n    ...\nex.check(double)")
    assert got["text/markdown"].startswith("**Not attempted yet.** `double` is still blank.")
    assert got["text/plain"].startswith("Not attempted yet. `double` is still blank.")


def test_right(kernel):
    assert run(kernel[1], "double = lambda x: x + x\nex.check(double)")["text/plain"] == "Right. It doubles."


def test_an_error_names_the_line_of_the_cell(kernel):
    run(kernel[1], "# a comment\ndef double(x):\n    return x * two")
    text = run(kernel[1], "ex.check(double)")["text/plain"]
    assert "`double` raised `NameError: name 'two' is not defined` at line 3 of its cell" in text
    assert "line 3: `return x * two`" in text


def test_what_the_learner_prints_is_shown(kernel):
    got = run(kernel[1], "def double(x):\n    print('doubling', x)\n    return 2 * x\nex.check(double)")
    assert got["stream"] == "doubling 1\ndoubling 2\n"


def test_stop_button(kernel):
    manager, client = kernel
    cell = "def double(x):\n    print('started', flush=True)\n    while True: pass\nex.check(double)"
    assert run(client, cell, manager.interrupt_kernel)["error"] == "KeyboardInterrupt"
    ended = "[t.join(10) or t.is_alive() for t in threading.enumerate() if t.name == 'labkit-exercise']"
    assert run(client, f"import threading; any({ended})")["text/plain"] == "False"


def test_running_a_cell_again_goes_on_with_the_hints(kernel):
    cell = "exercise('97.1').hint()"
    lines = [run(kernel[1], cell)["text/plain"] for _ in range(3)]
    assert lines[0] == "Hint 1 of 2. Think."
    assert lines[1] == lines[2] == "Hint 2 of 2. `2 * x` This was the last one; `solution()` shows an answer."


def test_an_unknown_exercise_is_three_lines(kernel):
    assert run(kernel[1], "exercise('97.7')")["error"] == "UnknownExercise"
