"""The map from the original module to the course: nothing without a home, no target that is not there."""

import json
import re
import subprocess
import sys
import tomllib

import pytest

from labkit import course, module_map, paths


def small_map(root, monkeypatch, rows: str) -> None:
    """Make `rows` the map of a course of one lesson, whose notebook has the sections "One" and "Two, three"."""
    (root / "data").mkdir()
    (root / "notebooks").mkdir()
    row = 'title = "A"\npromise = "p"\nlevel = "beginner"\nminutes = 3\nmemory_gb = 1\nengines = []\nneeds = []\nexercises = 0'
    (root / "data" / "lessons.toml").write_text(
        f'[[lesson]]\nid = "00"\nfile = "00_a.ipynb"\n{row}\n', encoding="utf-8"
    )
    (root / "data" / "module_map.toml").write_text(rows, encoding="utf-8")
    cells = [
        {"cell_type": "code", "source": ["## no heading"]},
        {"cell_type": "markdown", "source": ["## One\n", "\n", "text"]},
    ]
    cells.append({"cell_type": "markdown", "source": ["text\n", "### Two, three"]})
    (root / "notebooks" / "00_a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    monkeypatch.setattr(paths, "course_root", lambda: root)


def heading(home: str, level: int = 2, title: str = "H") -> str:
    return f'[[heading]]\nlevel = {level}\ntitle = "{title}"\nhome = [{home}]\n'


# -- the course's own map ---------------------------------------------------------------------------------------------------


def test_no_heading_is_without_a_home():
    found = module_map.headings()
    assert len(found) == 95
    assert not [one.title for one in found if not one.home]
    assert len({(one.above, one.title) for one in found}) == len(found)
    assert {one.level for one in found} == {2, 3, 4} and all(len(one.above) == one.level - 2 for one in found)


def test_no_target_is_stale():
    assert module_map.stale() == []


def test_only_the_lesson_that_is_being_written_is_named_without_a_section():
    written = {row.id for row in course.lessons()}
    waiting = {place.lesson for place in module_map.by_section() if not place.section}
    assert waiting <= {"13"} - written


def test_every_lesson_takes_something_from_the_module():
    assert {place.lesson for place in module_map.by_section()} >= {row.id for row in course.lessons()}


def test_every_recipe_that_fails_is_taught_repaired_or_left_with_a_reason():
    found = module_map.recipes()
    assert [one.id for one in found] == [f"W{number}" for number in range(1, 26)]
    for one in found:
        assert one.fate in module_map.FATES
        assert bool(one.why) == (one.fate == "left") == (not one.home), one.id


def test_the_claims_speak_of_recipes_that_are_in_the_map():
    sources = {row.get("source", "") for row in tomllib.loads((paths.data_dir() / "claims.toml").read_text())["claim"]}
    named = {one for one in sources if re.fullmatch(r"W\d+", one)}
    assert named and named <= {one.id for one in module_map.recipes()}


# -- what the checks are worth ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "home, gone",
    [
        ('"00#One", "00#Two, three"', []),
        ('"00#Two"', ["00#Two <- H"]),
        ('"00#no heading"', ["00#no heading <- H"]),
        ('"00"', ["00# <- H"]),
        ('"13", "13#Kit"', []),
    ],
)
def test_a_stale_target_is_found_and_an_unwritten_lesson_waits(home, gone, tmp_path, monkeypatch):
    small_map(
        tmp_path,
        monkeypatch,
        heading(home) + 'note = "n"\n[[recipe]]\nid = "W1"\ntitle = "r"\nfate = "left"\nhome = []\n',
    )
    assert module_map.stale() == gone


def test_headings_know_what_stands_above_them_and_sections_what_they_teach(tmp_path, monkeypatch):
    rows = heading("") + heading("", 3, "I") + heading('"00#Two, three"', 4, "J") + heading('"00#One"', 3, "K")
    small_map(tmp_path, monkeypatch, rows + '[[recipe]]\nid = "W1"\ntitle = "r"\nfate = "taught"\nhome = ["00#One"]\n')
    assert [one.above for one in module_map.headings()] == [(), ("H",), ("H", "I"), ("H",)]
    teaches = {one["link"]: one["teaches"] for one in module_map.to_dict()["sections"]}
    assert teaches == {"00_a.ipynb#One": ["H / K", "W1 r"], "00_a.ipynb#Two,-three": ["H / I / J"]}
    assert [place.cell for place in module_map.by_section()] == [2, 3]


# -- the command ------------------------------------------------------------------------------------------------------------


def test_the_command_prints_the_map_both_ways():
    command = [sys.executable, "-m", "labkit.cli", "map"]
    found = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert len(found["headings"]) == 95 and len(found["recipes"]) == 25
    (utility,) = [one["teaches"] for one in found["sections"] if one["link"] == "01_agent_types.ipynb#Utility"]
    assert [one for one in utility if one.startswith("W")] == ["W24 A missing type of agent: utility-based"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    first, _, after = shown.partition("Its recipes that fail")
    assert "Hybrid Agent Architecture\n      02_small_language_models.ipynb#Confidence" in first
    assert "05_foundry_local.ipynb#Install\n" in after and "W25  left" in after
