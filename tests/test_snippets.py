"""Every part that can be lifted out, lifted out: in an empty folder, where labkit cannot be imported, its own test runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest

from labkit import paths, snippets
from labkit.errors import ConfigError, NoSuchSnippet

# pytest in a process that has no labkit: what is not in the snippet fails to import.
ALONE = "import sys; sys.modules['labkit'] = None; import pytest; sys.exit(pytest.main(sys.argv[1:]))"
NAMES = list(snippets.snippets())


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", NAMES)
def test_it_stands_alone(name, tmp_path, endpoint):
    files = snippets.snippet(name).write(tmp_path, "mine")
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env |= {"BASE_URL": endpoint.base_url, "API_KEY": endpoint.api_key, "MODEL": endpoint.model}
    options = ["-q", "-rs", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", "test_mine.py"]
    run = subprocess.run([sys.executable, "-c", ALONE, *options], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"\b[1-9]\d* passed", run.stdout) and "skipped" not in run.stdout and "failed" not in run.stdout
    assert not any(
        re.search(rb"(?m)^\s*(from|import) labkit", one.read_bytes()) for one in files if one.suffix == ".py"
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_it_needs_is_named(name):
    """Whatever its modules import is of Python, of the snippet, or in its requirements."""
    from importlib.metadata import packages_distributions

    one = snippets.snippet(name)
    named = {re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in one.requires()}
    wanted = {package for part in one.parts() for package in snippets._imports(part)[1]} - set(sys.stdlib_module_names)
    known = packages_distributions()
    for package in wanted & known.keys():
        assert {dist.lower().replace("_", "-") for dist in known[package]} & named, f"{package} is in no requirement"


def test_rows_tests_and_lessons_agree():
    assert {file.stem for file in (paths.data_dir() / "snippets").glob("*.py")} == set(NAMES)
    for one in snippets.snippets().values():
        assert set(one.modules) <= {*one.parts(), *one.modules} and bool(one.leave) == bool(one.without)
        assert list(paths.notebooks_dir().glob(f"{one.taught}_*.ipynb")), one.name


def test_nothing_is_overwritten(tmp_path):
    snippets.snippet("audit").write(tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(ConfigError, match="exists"):
        snippets.snippet("audit").write(tmp_path)
    assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    snippets.snippet("audit").write(tmp_path, "second")


@pytest.mark.parametrize("package", ["labkit", "json", "class", "my-part", "../up"])
def test_a_name_that_is_none(tmp_path, package):
    with pytest.raises(ConfigError, match="name of a package"):
        snippets.snippet("audit").write(tmp_path, package)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path):
    def labkit(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "labkit.cli", "snippet", *arguments], capture_output=True, text=True
        )

    assert [row["name"] for row in json.loads(labkit("--json").stdout)] == NAMES
    made = json.loads(labkit("guard", "--to", str(tmp_path), "--json").stdout)["files"]
    assert (
        str(tmp_path / "test_guard.py") in made
        and (tmp_path / "guard" / "_course" / "data" / "guard_patterns.toml").exists()
    )
    nobody = labkit("gaurd")
    assert nobody.returncode == 2 and "there are process" in nobody.stderr
    with pytest.raises(NoSuchSnippet):
        snippets.snippet("gaurd")
