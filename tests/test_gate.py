"""The false-green gate: each way to look green and be broken (tests/broken), beside papermill's own verdict."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from labkit import course
from labkit.gate import KINDS, Evidence, Problem, judge

BROKEN = Path(__file__).parent / "broken"
EXPECTED = {
    "widget_output": "widget",
    "widget_interact": "widget",
    "widget_cleared": "widget",
    "widget_state_only": "widget",
    "command_failed": "command",
    "command_captured": "command",
    "command_pip": "command",
    "command_script_missing": "command",
    "command_script_background": "command",
    "thread": "thread",
    "thread_in_pool": "thread",
    "task_dropped": "task",
    "task_kept": "task",
    "task_in_executor": "task",
    "coroutine_dropped": "coroutine",
    "coroutine_shown": "coroutine",
    "finaliser": "unraisable",
    "exit_sys": "early-exit",
    "exit_quit": "early-exit",
    "exit_os": "kernel-died",
    "unrun_tag": "unrun",
    "unrun_empty": "unrun",
    "warning": "warning",
    "stale_output": "stale",
    "stale_count": "stale",
    "stale_widgets": "stale",
    "raises_nothing": "did-not-raise",
    "error": "error",
    "timeout": "timeout",
    "blind": "gate",
}
FINE = ["fine_raises", "fine_raises_elsewhere", "fine_warning", "fine_names"]
PAPERMILL_SAYS_RED = {"error", "timeout", "exit_os", "fine_raises"}


def papermill_alone(path: Path) -> nbformat.NotebookNode | None:
    """Return the notebook as plain papermill executed it, None if it calls the run red."""
    try:
        return papermill.execute_notebook(path, None, progress_bar=False, execution_timeout=seconds_a_cell(path))
    except (PapermillExecutionError, DeadKernelError, CellTimeoutError):
        return None


def gated(path: Path, out: Path) -> course.RunResult:
    (result,) = course.run([path], out=out, timeout=seconds_a_cell(path))
    return result


def seconds_a_cell(path: Path) -> int:
    return 3 if path.stem == "timeout" else 60


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory) -> Iterator[dict[str, tuple[Future, Future]]]:
    """By name of the notebooks that the selected tests ask for: papermill's run and ours, a few kernels at a time."""
    asked = [item for item in request.session.items if item.module is request.module and hasattr(item, "callspec")]
    names = dict.fromkeys(item.callspec.params["name"] for item in asked if "name" in item.callspec.params)
    paths, out = {name: BROKEN / f"{name}.ipynb" for name in names}, tmp_path_factory.mktemp("executed")
    with ThreadPoolExecutor(4) as pool:
        yield {n: (pool.submit(papermill_alone, path), pool.submit(gated, path, out)) for n, path in paths.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", EXPECTED)
def test_broken_notebook_is_red_for_its_own_reason(name, runs):
    problems = runs[name][1].result().problems
    assert [problem.kind for problem in problems] == [EXPECTED[name]], "\n".join(map(str, problems))


@pytest.mark.parametrize("name", [name for name in EXPECTED if name not in PAPERMILL_SAYS_RED])
def test_papermill_alone_calls_it_green(name, runs):
    assert runs[name][0].result() is not None, "then this notebook proves nothing about the gate"


@pytest.mark.parametrize("name", FINE)
def test_fine_notebook_is_green(name, runs):
    assert runs[name][1].result().problems == []
    assert (runs[name][0].result() is None) == (name in PAPERMILL_SAYS_RED)


@pytest.mark.parametrize(
    "name, cell, code, says",
    [
        ("thread", 2, "import threading", r"^ValueError: boom, in Thread-\d+ \(work\)$"),
        ("task_dropped", 3, "asyncio.create_task(boom())", "^ValueError: boom"),
        ("coroutine_shown", 3, "boom()", "^boom was called and never awaited$"),
        ("command_captured", 2, "listing = !ls /no/such/folder", "^`ls /no/such/folder` ended with exit status [12]$"),
        ("exit_sys", 2, "import sys", "1 cell after it never ran$"),
        ("exit_os", 2, "import os", "exit status 0; 1 cell after it never ran$"),
        ("unrun_tag", 2, "assert False, 'nobody sees this'", "skip-execution"),
        ("stale_widgets", None, "", "widgets"),
    ],
)
def test_the_reason_says_where_and_what(name, cell, code, says, runs):
    (problem,) = runs[name][1].result().problems
    assert (problem.cell, problem.code) == (cell, code)
    assert re.search(says, problem.message), problem.message


def test_every_kind_of_problem_has_a_broken_notebook():
    assert {*EXPECTED.values(), "memory"} == set(KINDS), (
        "test_memory_cap.py has the notebook that takes too much memory"
    )


def test_the_folder_holds_what_its_script_writes():
    spec = importlib.util.spec_from_file_location("make_broken", BROKEN / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    assert {path.stem for path in BROKEN.glob("*.ipynb")} == set(make.NOTEBOOKS) == {*EXPECTED, *FINE}
    for name in make.NOTEBOOKS:
        assert (BROKEN / f"{name}.ipynb").read_text(encoding="utf-8") == make.notebook(name), "run tests/broken/make.py"


LOUD = [
    "print(sorted(globals()), In, Out, get_ipython().execution_count)",
    "import threading\n\nthread = threading.Thread(target=lambda: 1 / 0)\nthread.start()\nthread.join()",
    "import warnings\n\nwarnings.warn('loud')",
    "def inside(local):\n    !echo {local}; exit 3\n    seen = !echo {local}\n    return seen\n\ninside('seen')",
    "import asyncio\n\nasync def boom():\n    1 / 0\n\ntask = asyncio.create_task(boom())\nawait asyncio.sleep(0)\ndel task",
    "boom()\nNone",
    "from concurrent.futures import ThreadPoolExecutor\n\nThreadPoolExecutor().submit(int, 'two').result()",
]


def test_the_probe_cannot_be_seen(tmp_path):
    """Same outputs, execution counts and namespace as under plain papermill, tracebacks included."""
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in LOUD])
    nb.cells[-1].metadata["tags"] = ["raises-exception"]
    nbformat.write(nb, tmp_path / "loud.ipynb")
    result = gated(tmp_path / "loud.ipynb", tmp_path / "out")
    assert {problem.kind for problem in result.problems} == {"thread", "warning", "command", "task", "coroutine"}

    plain, ours = tmp_path / "plain.ipynb", result.output
    with pytest.raises(PapermillExecutionError):
        papermill.execute_notebook(tmp_path / "loud.ipynb", plain, progress_bar=False, kernel_name="python3")
    plain, ours = (nbformat.read(path, as_version=4).cells for path in (plain, ours))
    plain = [cell for cell in plain if cell.cell_type == "code"]  # papermill adds text about failures
    for theirs, cell in zip(plain, ours, strict=True):
        assert same(cell.outputs) == same(theirs.outputs), cell.source
        assert cell.execution_count == theirs.execution_count


def same(outputs: list) -> str:
    """Return outputs as text, less what differs from run to run."""
    return re.sub(r"0x[0-9a-f]+|ipykernel_\d+|\d{6,}|(Thread|Task)-\d+", "…", nbformat.writes(nb_of(outputs)))


def nb_of(outputs: list) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell("", outputs=outputs, id="same")
    return nbformat.v4.new_notebook(cells=[cell])


# -- judge() on evidence made by hand -------------------------------------------------------------------------------------


def evidence(*sources: str, tags: tuple[str, ...] = (), metadata: dict | None = None, **more) -> Evidence:
    """Give the evidence of a run in which every cell succeeded and the probe saw nothing."""
    make = partial(nbformat.v4.new_code_cell, metadata={"tags": list(tags)})
    source = nbformat.v4.new_notebook(cells=[make(text) for text in sources], metadata=metadata or {})
    ran = nbformat.v4.new_notebook(cells=[make(text, execution_count=i) for i, text in enumerate(sources, 1)])
    given = {"replies": {i: {"status": "ok"} for i in range(len(sources))}, "records": [START, END]}
    return Evidence(source, ran, **given | more)


START, END = {"kind": "start", "cell": 0, "text": ""}, {"kind": "end", "cell": 1, "text": ""}
SHOWN = {"kind": "shown", "cell": 1, "text": "", "ename": "ValueError", "evalue": "boom\nsecond line"}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "boom\nsecond line", "traceback": []}


def widget_state(output: dict) -> dict:
    state = {"one": {"state": {"outputs": [output]}}, "two": {"state": {"value": 1}}}
    return {"application/vnd.jupyter.widget-state+json": {"state": state}}


def test_a_quiet_run_is_green():
    assert judge(evidence("1", "2")) == []


def test_a_process_that_was_ended_for_its_memory_is_told_though_every_cell_ran():
    (problem,) = judge(evidence("1", memory_kills=2))
    assert (problem.kind, problem.cell) == ("memory", None) and "2" in problem.message


@pytest.mark.parametrize("records", [[], [START], [END]])
def test_a_silent_probe_is_no_proof(records):
    assert [problem.kind for problem in judge(evidence("1", records=records))] == ["gate"]


def test_an_error_that_was_seen_twice_is_told_once():
    given = evidence("1", records=[START, SHOWN, SHOWN, END])
    given.executed.metadata["widgets"] = widget_state(ERROR)
    assert judge(given) == [Problem("widget", 1, "ValueError: boom, shown inside a widget only", "1")]
    given.executed.cells[0].outputs.append(nbformat.from_dict(ERROR))
    assert judge(given) == [Problem("error", 1, "ValueError: boom", "1")]


def test_a_tagged_cell_excuses_its_own_failures_only():
    given = evidence("1", "2", tags=("raises-exception",), records=[START, SHOWN, END])
    assert [(problem.kind, problem.cell) for problem in judge(given)] == [("did-not-raise", 2)]


@pytest.mark.parametrize(
    "allowed, kinds", [(["^User.*old"], []), (["^Dep"], ["warning"]), (["("], ["gate"]), ([], ["warning"])]
)
def test_warnings_are_allowed_by_regular_expression(allowed, kinds):
    old = {"kind": "warning", "cell": 1, "text": "", "ename": "UserWarning", "evalue": "getting old"}
    given = evidence("1", metadata={"labkit": {"allowed_warnings": allowed}}, records=[START, old, END])
    assert [problem.kind for problem in judge(given)] == kinds


def test_problems_come_in_the_order_of_cells_and_read_well():
    given = evidence("first", "second", records=[START, {**SHOWN, "cell": 2}, SHOWN, END])
    given.source.metadata["widgets"] = {}
    assert [problem.cell for problem in judge(given)] == [1, 2, None]
    assert str(judge(given)[0]) == "[widget] cell 1: ValueError: boom, shown inside a widget only  <  first"
