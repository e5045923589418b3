"""The places a learner may be in: which systems have wheels, and the dev container, held to what README says."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from labkit.kit.targets import Target, platforms, read_pins
from labkit.lessons import lessons

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
META = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def script(name: str):
    """Load a script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


wheels = script("wheels")
FACTS = wheels.load()
ROWS = wheels.rows(FACTS)
# The extra leaves these out though there are wheels: nobody has run labkit on them.
UNTRIED = {("mlx", "windows-x86_64"), ("mlx", "windows-arm64")}


@pytest.mark.parametrize("file", ["lab.txt", "test.txt"])
def test_the_facts_are_about_the_versions_that_are_pinned(file):
    """A package with more than two files has more than a wheel and a source: it is one for some systems only."""
    known = {name for name, _ in FACTS}
    pins = [one for one in read_pins(ROOT / "requirements" / file) if one.name in known or file == "lab.txt"]
    stale = [
        f"{one.name} {one.version}" for one in pins if (one.name, one.version) not in FACTS and len(one.hashes) > 2
    ]
    assert len(pins) > 20 and stale == [], "python .ci/wheels.py"


def test_what_has_no_pin_is_a_version_that_pyproject_takes():
    pinned = {one.name for file in ("lab.txt", "test.txt") for one in read_pins(ROOT / "requirements" / file)}
    needs = [Requirement(one) for extra in META["project"]["optional-dependencies"].values() for one in extra]
    looked = {(name, version) for name, version in FACTS if name not in pinned}
    assert {"vllm", "llama-cpp-python", "mlx-metal"} <= {name for name, _ in looked}
    for name, version in looked:
        assert all(one.specifier.contains(version) for one in needs if one.name == name), f"{name} {version}"


def test_readme_shows_the_facts():
    assert wheels.TABLE.search(README)[0] == wheels.table(FACTS), "python .ci/wheels.py"


@pytest.mark.parametrize("extra", wheels.PARTS)
@pytest.mark.parametrize("system", platforms())
def test_an_extra_installs_where_there_are_wheels_and_nowhere_else(extra, system):
    if extra == "quantization":
        assert wheels.cell(ROWS[extra], system, FACTS) == "source" and wheels.installs(extra, system)
    else:
        there = wheels.cell(ROWS[extra], system, FACTS) != "–"
        assert wheels.installs(extra, system) == (there and (extra, system) not in UNTRIED)


@pytest.mark.parametrize("system", platforms())
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_the_course_installs_exactly_where_the_pins_are_made_for(system, python):
    target = Target(system, python)
    places = [Marker(one) for one in META["tool"]["uv"]["required-environments"]]
    pins = [FACTS.get((one.name, one.version)) for one in ROWS[wheels.COURSE] if target.wants(one)]
    whole = all(python in row.get(system, [""])[0].split() for row in pins if row)
    assert whole == any(one.evaluate(target._environment(9)) for one in places)


def test_the_embedded_engine_is_everywhere_but_on_windows_on_arm():
    without = [one for one in platforms() if wheels.cell(ROWS[wheels.ENGINE], one, FACTS) == "–"]
    assert without == ["windows-arm64"]


# -- README -------------------------------------------------------------------------------------------------------------


def test_readme_lists_every_lesson_with_its_minutes():
    listed = re.findall(r"^\| (\d\d) \| ([^|]+) \| (\d+) \|", README, re.M)
    assert listed == [(one.id, one.title, str(one.minutes)) for one in lessons()]


def test_readmes_pictures_are_there_small_and_described():
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", README)
    folder = ROOT / "data" / "pictures"
    assert sorted(ROOT / name for _, name in pictures) == sorted(folder.glob("*.png")) != []
    for text, name in pictures:
        assert len(text.split()) >= 10 and (ROOT / name).stat().st_size <= 150_000, name


# -- the dev container --------------------------------------------------------------------------------------------------


def command(name: str) -> str:
    """Return README's command under a marker."""
    return re.search(rf"<!-- command: {name} -->\n```bash\n(.+)\n```", README)[1]


def test_the_dev_container_runs_readmes_own_line_and_opens_its_port():
    found = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert found["postCreateCommand"] == f"{command('course')} --prepare"
    assert found["postAttachCommand"] == ".venv/bin/labkit lab --no-browser"
    assert found["forwardPorts"] == [8888] and list(found["portsAttributes"]) == ["8888"]
    assert re.fullmatch(r"mcr\.microsoft\.com/devcontainers/python:1-3\.1[1-4]-bookworm", found["image"])
    needs = found["hostRequirements"]
    assert needs["cpus"] == 2 and re.fullmatch(r"\d+gb", needs["memory"]) and needs["memory"] == "4gb"
    # The properties of the specification that are used, each spelled as there; an unknown one would be ignored silently.
    known = "name image hostRequirements postCreateCommand postAttachCommand forwardPorts portsAttributes"
    assert found.keys() == set(known.split())
