"""The index of names: each has a section that teaches it, that section is there, and its code has the name."""

import importlib
import json
import sys

import pytest

import labkit
from labkit import _notebook_names, _source_names, cli, module_map, names, paths
from labkit.errors import ConfigError

HERE, ELSEWHERE = 'Taught in notebook 00, section "One".', 'Taught in notebook 00, section "Two, three".'
CACHES = (
    _source_names.sources,
    _source_names.late_names,
    names._document,
    names._reached,
    _source_names.needs,
    _notebook_names.used_in,
)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Give `small(files, one=…, two=…, above=…)`: a labkit of `files`, and a lesson with code in its sections or above them."""
    monkeypatch.setattr(_source_names, "ROOT", tmp_path / "labkit")
    monkeypatch.setattr(paths, "course_root", lambda: tmp_path)

    def make(files: dict[str, str], one: str = "", two: str = "", above: str = "") -> None:
        for name, text in {"__init__.py": "_HOMES = {}\n__all__ = [*_HOMES]", **files}.items():
            (tmp_path / "labkit" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "labkit" / name).write_text(text, encoding="utf-8")
        cells = [
            ("code", above),
            ("markdown", "## One\ntext"),
            ("code", one),
            ("markdown", "## Two, three"),
            ("code", two),
        ]
        notebook = {"cells": [{"cell_type": kind, "source": [source]} for kind, source in cells]}
        (tmp_path / "notebooks").mkdir()
        (tmp_path / "notebooks" / "00_a.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        (tmp_path / "README.md").write_text("# A\n\n## The command\n", encoding="utf-8")
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "lessons.toml").write_text(
            '[[lesson]]\nid = "00"\nfile = "00_a.ipynb"\ntitle = "A"\npromise = "p"\nlevel = "beginner"\nminutes = 3\n'
            "memory_gb = 1\nengines = []\nneeds = []\nexercises = 0\n",
            encoding="utf-8",
        )

    _forget()
    yield make
    _forget()


def _forget() -> None:
    for one in CACHES:
        one.cache_clear()


def function(name: str = "f", line: str = HERE) -> str:
    return f'def {name}():\n    """Return nothing. {line}"""\n'


# -- labkit's own names -----------------------------------------------------------------------------------------------------


def test_every_public_name_has_a_place_and_its_section_shows_it():
    assert names.stale() == []
    assert len(names.names()) > 1000


def test_what_lessons_use_is_public():
    public = {way for one in names.names() for way in (one.name, *one.also)}
    used = {f"{module}.{name}" for module, name in _notebook_names.uses() if name and "._" not in module}
    assert len(used) > 250 and used <= public


@pytest.mark.parametrize("module", ["labkit", "labkit.tools", "labkit.errors", "labkit.backends", "labkit.catalog"])
def test_the_source_says_what_an_import_finds(module):
    found = importlib.import_module(module)
    assert set(_source_names.sources()[module].public) == {one for one in found.__all__ if not one.startswith("_")}
    for one in _source_names.sources()[module].public:
        home, name = _source_names.home(module, one)
        assert getattr(importlib.import_module(home), name) is getattr(found, one)
    assert _source_names.late_names() == labkit._HOMES


def test_every_lesson_teaches_names_of_its_own():
    first = {one.places[0].lesson for one in names.names() if one.how == "Taught"}
    assert first == {f"{number:02}" for number in range(15)}


# -- looking up -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["connect", "labkit.connect", "backends.connect", "labkit.backends.connect"])
def test_a_name_is_found_by_each_of_its_paths_and_by_its_end(wanted):
    assert [one.name for one in names.find(wanted)] == ["labkit.connect"]


def test_a_module_gives_its_names_and_one_end_may_be_several():
    assert {one.last for one in names.find("operate.alerts")} == set(
        _source_names.sources()["labkit.operate.alerts"].public
    )
    assert len(names.find("measure")) > 2 and all(one.last == "measure" for one in names.find("measure"))


@pytest.mark.parametrize(
    "wanted, near",
    [("conect", "labkit.connect"), ("thermostat.Romo", "labkit.agents.thermostat.Room"), ("", ""), ("#", "")],
)
def test_a_wrong_name_is_refused_with_the_nearest(wanted, near):
    with pytest.raises(ConfigError) as raised:
        names.find(wanted)
    assert raised.value.fix == f"labkit names {near}".rstrip() and near in raised.value.why


@pytest.fixture
def printed(monkeypatch, capsys):
    """Give `printed(*arguments)`: the exit status of `labkit names …`, and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["labkit", "names", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_command_looks_a_name_up(printed):
    status, out, _ = printed("connect", "--json")
    (found,) = json.loads(out)
    assert status == 0 and found["name"] == "labkit.connect" and found["says"].startswith("Return an endpoint")
    assert found["places"][0]["link"] == "00_start_here.ipynb#The-first-answer" and len(found["uses"]) > 10
    status, out, _ = printed("connect")
    assert status == 0 and "(also labkit.backends.connect)" in out and "taught in 00_start_here.ipynb#The-first" in out


def test_the_command_lists_all_names_and_refuses_wrong_ones(printed):
    lines = printed()[1].splitlines()
    assert len(lines) == len(names.names()) and all(".ipynb#" in one or ".md#" in one for one in lines)
    status, _, err = printed("conect")
    assert status == 2 and "Try: labkit names labkit.connect" in err


# -- what is found to be wrong ----------------------------------------------------------------------------------------------

USE, B = "from labkit import a\na.f()", "from labkit import b\nb.g()"
G = "__all__ = []\ndef g():\n"
BY_IMPORT, BY_FILE, BY_NAME = f"{G}    from labkit import a", f'{G}    return "a.py"', f'{G}    return "labkit.a"'


@pytest.mark.parametrize(
    "files, code, wrong",
    [
        ({"a.py": function()}, {"one": USE}, ""),
        ({"a.py": function()}, {}, "labkit.a.f: the code of 00_a.ipynb#One does not reach labkit.a"),
        ({"a.py": function(), "b.py": BY_IMPORT}, {"one": B}, ""),  # not shown, but at work
        ({"a.py": function(), "b.py": BY_IMPORT}, {"above": B}, ""),
        ({"a.py": function(), "b.py": BY_IMPORT}, {"two": B}, "does not reach labkit.a"),
        ({"a.py": function(), "b.py": BY_FILE}, {"one": B}, ""),
        ({"a.py": function(), "b.py": BY_NAME}, {"one": B}, ""),
        (
            {"a.py": function(), "c.py": "from a import f\n__all__ = []", "b.py": BY_FILE.replace("a.py", "c.py")},
            {"one": B},
            "",
        ),
        (
            {"a.py": function(line=ELSEWHERE)},
            {"one": USE},
            "labkit.a.f: not in 00_a.ipynb#Two,-three, but in 00_a.ipynb#One",
        ),
        ({"a.py": function()}, {"one": "from labkit import a", "two": "a.f()"}, "but in 00_a.ipynb#Two,-three"),
        ({"a.py": function()}, {"two": "from labkit.a import f as g"}, "but in 00_a.ipynb#Two,-three"),
        (
            {"a.py": function()},
            {"two": "import labkit.a\n%time labkit.a.f()\nlabkit.a.f()"},
            "but in 00_a.ipynb#Two,-three",
        ),
        ({"a.py": function()}, {"two": "import labkit.a as b\nb.f()"}, "but in 00_a.ipynb#Two,-three"),
        (
            {"a.py": function()},
            {"two": "from labkit import a\nfor a in x:\n    y\na.f()"},
            "does not reach",
        ),  # another a
        ({"a.py": function()}, {"above": USE}, ""),
        ({"a.py": function()}, {"above": "def (", "one": USE}, ""),  # a cell that is half written
        ({"a.py": function(line=HERE.replace("One", "Won"))}, {}, "labkit.a.f: there is no 00_a.ipynb#Won"),
        ({"a.py": function(line=HERE.replace("00", "07"))}, {}, "labkit.a.f: there is no lesson 07"),
        ({"a.py": function(line="")}, {}, "labkit.a.f: no section is named for it"),
        ({"a.py": function(line="Taught in notebook 00.")}, {}, "no section is named for it"),
        ({"a.py": f'"""A.\n\n{HERE}\n"""\n{function(line="")}'}, {"one": USE}, ""),
        ({"a.py": f'"""A.\n\n{HERE}\n"""\n{function(line=ELSEWHERE)}'}, {"two": USE}, ""),  # its own line comes first
        ({"p/__init__.py": f'"""P. {HERE}"""', "p/a.py": function(line="")}, {"one": "from labkit.p.a import f"}, ""),
        ({"p/__init__.py": f'"""P. {HERE}"""', "a.py": function(line="")}, {}, "labkit.a.f: no section"),
        (
            {"_a.py": function(line=""), "b.py": f'"""B. {HERE}"""\nfrom labkit._a import f\n__all__ = ["f"]'},
            {"one": "from labkit.b import f"},
            "",
        ),
        ({"a.py": function(line='Explained in README.md, section "The command".')}, {}, ""),
        ({"a.py": function(line='Explained in README.md, section "The war".')}, {}, "there is no README.md#The-war"),
        (
            {"a.py": function(line='At work in notebook 00, section "One".')},
            {"two": USE},
            "but in 00_a.ipynb#Two,-three",
        ),
    ],
)
def test_what_is_wrong_is_said(files, code, wrong, small):
    small(files, **code)
    found = names.stale()
    assert len(found) == bool(wrong) and wrong in "".join(found)


def test_which_names_are_public(small):
    text = 'A = 1  # one\n# two\nB = 2\nCASE = 3\n__all__ = ["A", "B"]\n__all__ += ["f"]\ndef f(): ...\ndef g(): ...\n'
    only = "LIMIT = 1\nclass C: ...\nasync def h(): ...\ndef _i(): ...\nif LIMIT:\n    def j(): ...\n"
    inside = {"cli/__init__.py": "", "cli/x.py": only, "exercises/__init__.py": "", "exercises/lesson_00.py": only}
    small(
        {
            "a.py": f'"""A. {HERE}"""\n{text}',
            "b.py": f'"""B. {HERE}"""\n{only}',
            "_c.py": only,
            "d/no_package.py": only,
            **inside,
        }
    )
    found = {one.name: one.says for one in names.names()}
    assert list(found) == ["labkit.a.A", "labkit.a.B", "labkit.a.f", "labkit.b.C", "labkit.b.h", "labkit.b.j"]
    assert found["labkit.a.A"] == "one" and found["labkit.a.B"] == "two" and found["labkit.a.f"] == ""


def test_a_name_that_is_offered_twice_is_one_name_by_its_shortest_path(small):
    init = 'from labkit.p.a import f as go\nfrom labkit.p import a\nfrom html import escape\n__all__ = ["go", "escape"]'
    small(
        {"p/__init__.py": f'"""P. {HERE}"""\n{init}', "p/a.py": function()}, one="from labkit.p import go, a\na.f(go)"
    )
    escape, go = names.names()
    assert (go.name, go.also, go.says) == ("labkit.p.go", ("labkit.p.a.f",), "Return nothing.")
    assert go.uses == go.places == (module_map.place("00", "One"),) and escape.name == "labkit.p.escape"


@pytest.mark.parametrize(
    "docstring, how, places",
    [
        (f"A thing. {HERE}", "Taught", [("00", "One")]),
        (
            'Taught in notebook\n    00, sections "One"\n    and "Two, three".',
            "Taught",
            [("00", "One"), ("00", "Two, three")],
        ),
        ('At work in notebook 00, sections "One", "B" and "C".', "At work", [("00", "One"), ("00", "B"), ("00", "C")]),
        (
            'Taught in notebook 00, section "One", and in notebook 07, section "X".',
            "Taught",
            [("00", "One"), ("07", "X")],
        ),
        (f"For example: {ELSEWHERE} But itself: {HERE}", "Taught", [("00", "One")]),
        ('Explained in README.md, section "The command".', "Explained", [("", "The command")]),
        ("Taught in notebook 00.", "Nowhere", []),
        ('Shown in notebook 00, section "One".', "Nowhere", []),
    ],
)
def test_a_docstring_says_where(docstring, how, places, small):
    small({})
    found, where = names.places_in(docstring)
    assert (found, [(one.lesson, one.section) for one in where]) == (how, places)
