"""The habits of CONTRIBUTING.md, held by tests: arrows, docstrings that point to lessons, notebook anatomy."""

import ast
import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

import labkit
from labkit import names

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "labkit").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def public_functions(tree: ast.Module):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def test_arrows_go_one_way():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def test_ruff_has_nothing_to_say():
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_are_short_and_explain_themselves(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a module begins by saying what it is for"
    assert text.count("\n") <= 300, "too long to read in one sitting"
    private = path.name.startswith("_") or path.name in (
        "leash.py",
        "direct.py",
        "stub_server.py",
        "llamacpp_server.py",
        "server.py",
    )
    if not private:
        missing = [
            node.name
            for node in public_functions(tree)
            if not ast.get_docstring(node) and "exercises/lesson" not in str(path)
        ]
        assert not missing, f"no docstring: {missing}"
    assert not re.search(r"except( Exception)?:\s*$|except( Exception| BaseException)?:\s*pass$", text, re.M), (
        "swallowed whole"
    )


@pytest.mark.parametrize("path", sorted((ROOT / "data" / "exercises").iterdir()), ids=lambda p: p.name)
def test_exercises_are_read_in_one_sitting(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 200
    assert max(map(len, lines)) <= 132, "too wide"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_taught_in_points_to_a_section_that_exists(path):
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, documented)]
    for said in filter(None, map(ast.get_docstring, nodes)):
        _, places = names.places_in(said)
        unread = [] if places else re.findall(r"(?i)\b(?:taught|at work|explained) in\s+(?:notebook|\w+\.md).*", said)
        assert not unread, "no such line can be read"
        assert not [place.link for place in places if not place.cell], "no such section"


def test_the_top_names_load_and_are_taught():
    for name in labkit._HOMES:
        thing = getattr(labkit, name)
        assert thing.__doc__, name


# -- notebooks ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request) -> dict:
    return json.loads(request.param.read_text(encoding="utf-8")) | {"path": request.param}


def code_cells(notebook) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def prose(notebook) -> str:
    return "\n\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def test_notebook_cells_are_short(notebook):
    lengths = [len([line for line in cell.splitlines() if line.strip()]) for cell in code_cells(notebook)]
    assert 2 <= statistics.median(lengths) <= 7
    assert max(lengths) <= 25


def test_notebook_has_more_prose_than_code(notebook):
    lines = sum(len([line for line in cell.splitlines() if line.strip()]) for cell in code_cells(notebook))
    words = len(prose(notebook).split())
    assert 5 <= words / lines <= 14, f"{words / lines:.1f} words a line of code"


def test_notebook_anatomy(notebook):
    text, number = prose(notebook), notebook["path"].name[:2]
    assert text.startswith(f"# {number} · ")
    assert f'labkit.lesson("{number}", "{labkit.__version__.rpartition(".")[0]}")' in "\n".join(code_cells(notebook))
    assert notebook["metadata"]["labkit"]["version"] == labkit.__version__
    for word in ("Predict", "Explain", "## Take away", "**Next:**"):
        assert word in text, f"no {word}"


def test_notebook_has_nothing_that_rots(notebook):
    code = "\n".join(code_cells(notebook))
    assert not re.search(r"pip install|%pip|!pip|except Exception|except:", code)
    assert not re.search("[\U0001f300-\U0001faff]", prose(notebook) + code), "no emoji"
    for cell in notebook["cells"]:
        assert not cell.get("outputs") and cell.get("execution_count") is None, "committed with outputs"


def test_lessons_table_agrees_with_notebooks():
    from labkit import course
    from labkit.exercises import banks

    rows = course.lessons()
    assert [row.file for row in rows] == [path.name for path in NOTEBOOKS]
    for row in rows:
        assert row.exercises == len(banks.bank(row.id)) >= 3
        assert f"# {row.id} · {row.title}\n" in prose(json.loads(row.path.read_text(encoding="utf-8")))
