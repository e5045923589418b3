"""The course: its table, notebooks laid out without loss, runs in fresh kernels that end with the run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

import labkit
from labkit import course, paths
from labkit.errors import CourseError, UnknownLesson, VersionMismatch


def notebook(*sources: str) -> str:
    return nbformat.writes(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in sources]))


@pytest.fixture
def small_course(tmp_path, monkeypatch) -> Path:
    """A course of two short lessons in a folder of its own; returns its notebooks' folder."""
    root = tmp_path / "course"
    (root / "data").mkdir(parents=True)
    (root / "notebooks").mkdir()
    row = 'promise = "p"\nlevel = "beginner"\nminutes = 30\nmemory_gb = 1.5\nengines = ["llamacpp"]\nneeds = []\nexercises = 3'
    table = "".join(
        f'[[lesson]]\nid = "{i}"\nfile = "{i}_{name}.ipynb"\ntitle = "{name.title()}"\n{row}\n'
        for i, name in (("00", "start"), ("01", "agents"))
    )
    (root / "data" / "lessons.toml").write_text(table, encoding="utf-8")
    (root / "notebooks" / "00_start.ipynb").write_text(notebook("1"), encoding="utf-8")
    (root / "notebooks" / "01_agents.ipynb").write_text(notebook("2"), encoding="utf-8")
    monkeypatch.setattr(paths, "course_root", lambda: root)
    return root / "notebooks"


# -- the table ------------------------------------------------------------------------------------------------------------


def test_the_table_is_in_order_and_refers_to_what_is_there():
    rows = course.lessons()
    assert [row.id for row in rows] == sorted({row.id for row in rows}) == [row.file[:2] for row in rows]
    for i, row in enumerate(rows):
        assert row.path.is_file(), row.file
        assert row.level in ("beginner", "intermediate", "advanced")
        assert set(row.needs) <= {earlier.id for earlier in rows[:i]}
        assert row.promise.endswith(".") and row.minutes > 0 and row.memory_gb > 0 and row.engines


@pytest.mark.parametrize(
    "name", ["0", "00", 0, "00_start", "00_start.ipynb", "some/where/00_start.ipynb", Path("00_start.ipynb")]
)
def test_a_lesson_is_found_by_many_names(name, small_course):
    assert course.lesson_by_id(name).file == "00_start.ipynb"


@pytest.mark.parametrize("name", ["2", "start", "", "000", "some/where/00_star.ipynb"])
def test_an_unknown_lesson_lists_the_known(name, small_course):
    with pytest.raises(UnknownLesson) as raised:
        course.lesson_by_id(name)
    assert "00_start, 01_agents" in str(raised.value) and raised.value.fix == "labkit lessons"


def test_the_card_is_one_line_in_text_and_on_a_page(small_course):
    (small_course.parent / "data" / "lesson_page.html").write_text("<style></style>", encoding="utf-8")
    card = course.lesson("00", ".".join(labkit.__version__.split(".")[:2]))
    assert repr(card) == "00 Start · beginner · about 30 minutes · 1.5 GB of memory · engine: llamacpp"
    line = repr(card).replace("00 Start", "<strong>00 Start</strong>")
    assert card._repr_html_() == f"<p>{line}</p>\n<style></style>"


@pytest.mark.parametrize(
    "installed, made_for, fix",
    [
        ("0.1.0", "0.2", "pip install -e ."),
        ("0.1.0", "0.10", "pip install -e ."),
        ("1.0.3", "0.9", "labkit lab"),
        ("0.1.0", "?", "labkit lab"),
    ],
)
def test_a_notebook_of_another_version_says_what_to_do(installed, made_for, fix, small_course, monkeypatch):
    monkeypatch.setattr(labkit, "__version__", installed)
    with pytest.raises(VersionMismatch) as raised:
        course.lesson("00", made_for)
    assert made_for in raised.value.what and installed in raised.value.what and fix in raised.value.fix


@pytest.mark.parametrize("made_for", ["0.1", "0.1.0", "0.1.7"])
def test_a_patch_release_fits(made_for, small_course, monkeypatch):
    monkeypatch.setattr(labkit, "__version__", "0.1.3")
    assert course.lesson("1", made_for).id == "01"


def test_course_loads_no_jupyter():
    code = "import sys, labkit.course; print({'papermill', 'nbformat', 'jupyter_client', 'IPython'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


# -- notebooks laid out ---------------------------------------------------------------------------------------------------


def names(files) -> list[str]:
    return [path.name for path in files]


def test_the_first_time_all_is_written_and_the_second_time_nothing(small_course, tmp_path):
    dest = tmp_path / "my" / "course"
    assert names(course.lay_out(dest).written) == ["00_start.ipynb", "01_agents.ipynb"]
    assert (dest / "00_start.ipynb").read_bytes() == (small_course / "00_start.ipynb").read_bytes()
    assert course.lay_out(dest) == course.LaidOut()
    assert sorted(os.listdir(dest)) == [".labkit-notebooks.json", "00_start.ipynb", "01_agents.ipynb"]


def test_an_unedited_notebook_is_updated(small_course, tmp_path):
    course.lay_out(tmp_path / "mine")
    (small_course / "00_start.ipynb").write_text(notebook("new"), encoding="utf-8")
    done = course.lay_out(tmp_path / "mine")
    assert (names(done.updated), done.written, done.kept) == (["00_start.ipynb"], [], [])
    assert "new" in (tmp_path / "mine" / "00_start.ipynb").read_text(encoding="utf-8")


@pytest.mark.parametrize("change", ["edited", "merely run"])
def test_a_learners_notebook_is_kept_and_the_new_one_lies_beside_it(change, small_course, tmp_path):
    mine = tmp_path / "mine" / "00_start.ipynb"
    course.lay_out(mine.parent)
    nb = nbformat.read(mine, as_version=4)
    nb.cells[0]["source" if change == "edited" else "execution_count"] = "my answer" if change == "edited" else 1
    nbformat.write(nb, mine)
    precious = mine.read_bytes()

    assert course.lay_out(mine.parent) == course.LaidOut(kept=[mine]), "nothing is new, so nothing lies beside it"
    (small_course / "00_start.ipynb").write_text(notebook("new"), encoding="utf-8")
    beside = mine.with_name(f"00_start.new-{labkit.__version__}.ipynb")
    assert course.lay_out(mine.parent) == course.LaidOut(written=[beside], kept=[mine])
    assert course.lay_out(mine.parent) == course.LaidOut(kept=[mine]), "it lies there already"
    assert mine.read_bytes() == precious and "new" in beside.read_text(encoding="utf-8")

    beside.write_text("edited too", encoding="utf-8")
    assert course.lay_out(mine.parent) == course.LaidOut(kept=[mine, beside])
    assert beside.read_text(encoding="utf-8") == "edited too"


def test_a_file_that_labkit_did_not_write_is_the_learners(small_course, tmp_path):
    mine = tmp_path / "00_start.ipynb"
    mine.write_text("something else", encoding="utf-8")
    assert course.lay_out(tmp_path).kept == [mine]
    assert mine.read_text(encoding="utf-8") == "something else"


@pytest.mark.parametrize("manifest", ["{broken", "[]", '"text"'])
def test_without_its_memory_labkit_overwrites_nothing(manifest, small_course, tmp_path):
    course.lay_out(tmp_path)
    (tmp_path / ".labkit-notebooks.json").write_text(manifest, encoding="utf-8")
    (small_course / "00_start.ipynb").write_text(notebook("new"), encoding="utf-8")
    assert names(course.lay_out(tmp_path).kept) == ["00_start.ipynb"]


def test_a_deleted_notebook_comes_back(small_course, tmp_path):
    course.lay_out(tmp_path)
    (tmp_path / "01_agents.ipynb").unlink()
    assert names(course.lay_out(tmp_path).written) == ["01_agents.ipynb"]


def test_the_shipped_folder_itself_is_left_alone(small_course):
    before = sorted(os.listdir(small_course))
    assert names(course.lay_out(small_course).kept) == ["00_start.ipynb", "01_agents.ipynb"]
    assert sorted(os.listdir(small_course)) == before


def test_a_place_that_cannot_be_written_is_an_error_with_a_way_out(small_course, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(CourseError) as raised:
        course.lay_out(tmp_path / "file")
    assert "laid out" in raised.value.what and raised.value.fix.startswith("labkit lab")


# -- runs -----------------------------------------------------------------------------------------------------------------

FACTS = """import os, sys
from labkit import errors
print([sys.executable, os.getcwd(), os.environ.get("LABKIT_BACKEND"), os.listdir()])"""


def printed(result: course.RunResult) -> list:
    nb = nbformat.read(result.output, as_version=4)
    return eval("".join(output.text for cell in nb.cells for output in cell.outputs))  # noqa: S307


def test_a_shipped_lesson_runs_in_this_interpreter_and_an_empty_folder(small_course, tmp_path, monkeypatch):
    """Whatever kernel is installed under the name "python3", and nothing is left where the notebooks lie."""
    foreign = tmp_path / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "foreign", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    (small_course / "00_start.ipynb").write_text(notebook("# only a comment", FACTS, ""), encoding="utf-8")
    seen = []
    (result,) = course.run([0], backend="ollama", html=tmp_path / "site", out=tmp_path / "out", on_progress=seen.append)

    assert result.ok, result.problems
    executable, cwd, backend, files = printed(result)
    assert (executable, backend, files) == (sys.executable, "ollama", [])
    assert not Path(cwd).exists() and sorted(os.listdir(small_course)) == ["00_start.ipynb", "01_agents.ipynb"]
    assert [(at.lesson, at.cell, at.cells) for at in seen] == [("00", 1, 3), ("00", 2, 3), ("00", 3, 3)]
    assert [cell for cell, _ in result.cells] == [1, 2] and 0 < sum(s for _, s in result.cells) < result.seconds
    assert result.output == tmp_path / "out" / "00_start.ipynb" and result.html == tmp_path / "site" / "00_start.html"
    assert "LABKIT_BACKEND" in result.html.read_text(encoding="utf-8")
    assert json.loads(json.dumps(result.to_dict()))["cells"][0]["cell"] == 1
    assert 10**7 < result.peak_bytes < 10**9, "a kernel that does nothing much"


def test_another_notebook_runs_where_it_lies_and_widgets_are_not_kept(tmp_path):
    (tmp_path / "my notes {1}.ipynb").write_text(
        notebook("import ipywidgets", "ipywidgets.IntSlider(7)", FACTS), encoding="utf-8"
    )
    (result,) = course.run([tmp_path / "my notes {1}.ipynb"], out=tmp_path / "out")
    assert result.ok, result.problems
    nb = nbformat.read(result.output, as_version=4)
    assert result.lesson == "my notes {1}" and "widgets" not in nb.metadata
    assert os.path.samefile(eval(nb.cells[2].outputs[0].text)[1], tmp_path)  # noqa: S307
    assert "IntSlider(value=7" in course.render(nb), "the page shows the text twin of a widget without state"
    assert "widget-view" not in course.render(result.output)
    assert "application/vnd.jupyter.widget-view+json" in nb.cells[1].outputs[0].data, "and the notebook keeps both"


@pytest.mark.filterwarnings("error::UserWarning")  # nbconvert's, for an output that it leaves out
def test_a_page_holds_the_figures_and_needs_no_network():
    figure = {"application/vnd.plotly.v1+json": {"data": [{"type": "scatter", "y": [1, 2]}], "layout": {}}}
    outputs = [nbformat.v4.new_output("display_data", data=figure) for _ in range(2)]
    state = {"application/vnd.jupyter.widget-state+json": {"state": {}, "version_major": 2, "version_minor": 0}}
    cells = [nbformat.v4.new_markdown_cell("$x^2$"), nbformat.v4.new_code_cell("figure", outputs=outputs)]
    nb = nbformat.v4.new_notebook(cells=cells, metadata={"widgets": state})
    page = course.render(nb)
    assert page.count("Plotly.newPlot(") == 2 and page.count("plotly.js v") == 1
    fetched = re.findall(
        r"<(?:script|link|img|iframe)[^>]* (?:src|href)=[^>]*>|^ *import .* from .https?:.*$", page, re.M
    )
    assert fetched == [] and "html-manager" not in page and "cdnjs" not in page
    assert "text/html" not in nb.cells[1].outputs[0].data, "the notebook itself stays as it is"


def test_nothing_runs_when_one_of_the_names_is_wrong(small_course, tmp_path):
    (tmp_path / "bad.ipynb").write_text("{", encoding="utf-8")
    seen = []
    with pytest.raises(UnknownLesson):
        course.run(["00", "07"], on_progress=seen.append)
    with pytest.raises(CourseError, match="not a notebook"):
        course.run(["00", tmp_path / "bad.ipynb"], on_progress=seen.append)
    with pytest.raises(CourseError, match="replace their sources"):
        course.run(["00"], out=small_course, on_progress=seen.append)
    assert seen == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_nothing_running_and_nothing_behind(tmp_path):
    pid_file, temp = tmp_path / "pids", tmp_path / "temp"
    temp.mkdir()
    sleep = "import os, subprocess\nchild = subprocess.Popen(['sleep', '600'])"
    tell = f"with open({str(pid_file)!r}, 'w') as file:\n    print(os.getpid(), child.pid, file=file)"
    (tmp_path / "long.ipynb").write_text(notebook(sleep, tell, "child.wait()"), encoding="utf-8")
    code = "from labkit import course; course.run(['long.ipynb'], out='out')"
    env = os.environ | {"TMPDIR": str(temp)}
    running = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)

    assert running.returncode != 0 and said.rstrip().endswith("KeyboardInterrupt")
    for pid in map(int, pid_file.read_text().split()):
        wait_until(lambda pid=pid: not alive(pid))
    assert [path.name for path in temp.iterdir() if path.name.startswith("labkit")] == []


def wait_until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    import psutil

    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
