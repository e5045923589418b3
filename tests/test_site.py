"""The course as pages: what is in them, what leads where, and what is refused."""

import json
import sys

import nbformat
import pytest
import small_site
from bs4 import BeautifulSoup

from labkit import cli, paths, site
from labkit.errors import CourseError
from labkit.site import figures
from labkit.site.links import check

FIRST = "# 00 · Start\n\nOn to [01](01_agents.ipynb#Only,-one?) and [elsewhere](https://example.org/x)."
WORDS = "## Two words\n\nA *thermostat* keeps `warm`.\n\n### Exercise 00.1"
SECOND = "# 01 · Agents\n\n## Only, one?\n\nBack to [the words](00_start.ipynb#Two-words).\n\n## Reflex"


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Give the folder of the two executed notebooks of a small course."""
    folder = tmp_path_factory.mktemp("executed")
    first = small_site.executed(FIRST, WORDS, folder=folder)
    first.cells += small_site.every_output(folder)
    second = small_site.executed(SECOND, ("code", "1 + 1"), folder=folder)
    for name, nb in (("00_start", first), ("01_agents", second)):
        nbformat.write(nb, folder / f"{name}.ipynb")
    return folder


@pytest.fixture
def small_course(ran, tmp_path, monkeypatch):
    """Make a course of two lessons the course, with the site's own templates; its map has one heading and one recipe."""
    root = tmp_path / "course"
    (root / "data").mkdir(parents=True)
    (root / "data" / "site").symlink_to(paths.data_dir() / "site")
    (root / "notebooks").symlink_to(ran)
    row = 'promise = "p & q"\nlevel = "beginner"\nminutes = 30\nmemory_gb = 1.5\nengines = ["llamacpp"]\nneeds = []\nexercises = 1'
    rows = (
        f'[[lesson]]\nid = "{i}"\nfile = "{i}_{n}.ipynb"\ntitle = "{n.title()}"\n{row}\n'
        for i, n in (("00", "start"), ("01", "agents"))
    )
    (root / "data" / "lessons.toml").write_text("".join(rows), encoding="utf-8")
    (root / "data" / "module_map.toml").write_text(
        '[[heading]]\nlevel = 2\ntitle = "All <of> it"\nhome = ["01#Only, one?", "09"]\n'
        '[[recipe]]\nid = "W1"\ntitle = "none"\nfate = "left"\nhome = []\nwhy = "because"\n',
        encoding="utf-8",
    )
    monkeypatch.setattr(paths, "course_root", lambda: root)


@pytest.fixture
def page(small_course, ran, tmp_path):
    """Give `page(file)`: a built page, parsed."""
    built = site.build(tmp_path / "site", ran)
    assert built.ok, built.problems
    return lambda name: BeautifulSoup((tmp_path / "site" / name).read_text(encoding="utf-8"), "html.parser")


# -- what is in it ----------------------------------------------------------------------------------------------------------


def test_a_site_has_a_page_a_lesson_and_is_well(small_course, ran, tmp_path):
    built = site.build(tmp_path / "site", ran)
    assert built.ok, built.problems
    assert [one.name for one in built.pages] == [
        "index.html",
        "search.html",
        "names.html",
        "00_start.html",
        "01_agents.html",
    ]
    assert built.external == ["https://example.org/x"] and built.figures == 1


def test_the_first_page_has_the_lessons_and_the_map(page):
    index = page("index.html")
    links = {link["href"]: link.get_text() for link in index.select("main a")}
    assert links["00_start.html"] == "00 Start" and links["01_agents.html#Only,-one?"] == "01 Only, one?"
    assert "p & q" in index.get_text() and "All <of> it" in index.get_text() and "lesson 09" in index.get_text()
    assert "because" in index.select_one("#W1").get_text()


def test_lessons_lead_to_each_other(page):
    first, second = page("00_start.html"), page("01_agents.html")
    assert first.select_one("a[rel=next]")["href"] == "01_agents.html" and not first.select("a[rel=prev]")
    assert second.select_one("a[rel=prev]")["href"] == "00_start.html" and not second.select("a[rel=next]")
    assert first.select('.lesson a[href="01_agents.html#Only,-one?"]') and not first.select('a[href*="ipynb"]')
    assert [one.get_text() for one in first.select(".contents a")] == ["Two words"]


def test_every_kind_of_output_is_on_the_page(page):
    lesson = page("00_start.html")
    text = lesson.select_one(".lesson").get_text()
    for said in ("Processor", "UnknownModel: There is no model 'smolm2-135'.", "to stderr", "12"):
        assert said in text
    assert lesson.select_one(".ansi-red-fg").get_text() == "red"
    assert "<script>document.title = 1</script>" in text, "what a program prints is text"
    assert "[0, 1, 2]" in text and "it/s" not in text, "a bar is of no use when its work is done"
    assert all(frame["tabindex"] == "0" for frame in lesson.select(".wide")) and len(lesson.select(".wide table")) >= 2
    assert "Table: engine, tokens" in {frame["aria-label"] for frame in lesson.select(".wide")}


def test_a_figure_stands_still_as_it_ended_and_says_what_it_is(page):
    plot = page("00_start.html").select_one(".plot")
    figure = json.loads(plot.select_one("script").string)
    (trace,) = figure["data"]
    assert list(trace["y"]) == [8, 13] and "sliders" not in figure["layout"] and "frames" not in figure
    assert plot["aria-label"] == "Figure; axes: callers, tokens a second; in all"
    assert plot["role"] == "img"


@pytest.mark.parametrize(
    "data, layout, said",
    [
        ([], {}, "Figure"),
        ([{"text": ["<b>clerk</b>", "writer", "writer"]}, {"text": "x"}], {}, "Figure; clerk, writer, x"),
        ([{"name": "n", "text": ["no"]}], {"title": "T", "yaxis2": {"title": {"text": "s"}}}, "Figure; T; axes: s; n"),
    ],
)
def test_a_figure_is_described_by_what_it_has(data, layout, said):
    assert figures.described({"data": data, "layout": layout}) == said


def test_a_label_in_a_figure_cannot_end_the_script():
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    evil = {"data": [{"name": '</script><b id="out">"'}], "layout": {}}
    nb.cells[0].outputs = [nbformat.v4.new_output("display_data", {figures.PLOTLY: evil})]
    assert figures.still_figures(nb) == 1
    html = BeautifulSoup(nb.cells[0].outputs[0].data["text/html"], "html.parser")
    assert not html.select("#out") and json.loads(html.select_one("script").string) == evil


def test_the_search_knows_the_prose_by_section_and_not_the_code(page, tmp_path):
    script = (tmp_path / "site" / "assets" / "search-index.js").read_text(encoding="utf-8")
    rows = {row["link"]: row for row in json.loads(script.removeprefix("const SECTIONS = ").rstrip(";\n"))}
    assert rows["00_start.html#Two-words"]["words"] == "A thermostat keeps warm."
    assert rows["00_start.html"]["page"] == "00 Start" and "00_start.html#Exercise-00.1" in rows
    assert "import hardware_card" not in script


def test_names_are_listed_with_links_to_the_sections_that_are_there(page):
    names = page("names.html")
    connect, run = names.find(id="labkit.connect"), names.find(id="labkit.agents.run")
    assert "Taught in 00 The first answer · also labkit.backends.connect" in " ".join(connect.get_text().split())
    assert not connect.select("a"), "this small course has no such section"
    assert [link["href"] for link in run.select("a")] == ["01_agents.html#Reflex"], "and this it has"
    assert page("index.html").select_one('header a[href="names.html"]')


def test_the_search_knows_names_after_all_sections(page, tmp_path):
    script = (tmp_path / "site" / "assets" / "search-index.js").read_text(encoding="utf-8")
    rows = json.loads(script.removeprefix("const SECTIONS = ").rstrip(";\n"))
    (row,) = [row for row in rows if row["link"] == "names.html#labkit.connect"]
    assert row["section"] == "connect" and row["words"].startswith("labkit.connect Return an endpoint")
    first = next(i for i, row in enumerate(rows) if row["page"] == "Names")
    assert first > 3 and all(row["page"] == "Names" for row in rows[first:])


# -- what is refused --------------------------------------------------------------------------------------------------------


def test_a_lesson_that_never_ran_is_said(small_course, ran, tmp_path):
    folder = tmp_path / "half"
    folder.mkdir()
    nbformat.write(nbformat.read(ran / "00_start.ipynb", as_version=4), folder / "00_start.ipynb")
    with pytest.raises(CourseError) as raised:
        site.build(tmp_path / "site", folder)
    assert "01_agents.ipynb" in raised.value.why and "labkit run 01 --out" in raised.value.fix
    nbformat.write(small_site.executed(SECOND, folder=folder), folder / "01_agents.ipynb")
    assert site.build(tmp_path / "site", folder).problems == ["01_agents.ipynb was never executed"]


PAGES = {"a.html": '<h1 id="top">A</h1>', "b.html": '<h2 id="Ü-x">B</h2>'}


@pytest.mark.parametrize(
    "html, wrong",
    [
        ('<a href="b.html#Ü-x">', ""),
        ('<a href="b.html#%C3%9C-x">', ""),
        ('<a href="#top">', ""),
        ('<img src="data:image/png;base64,AA">', ""),
        ('<a href="https://example.org/">', ""),
        ('<a href="#bottom">', "has no such section"),
        ('<a href="b.html#x">', "has no such section"),
        ('<a href="c.html">', "there is no c.html"),
        ('<img src="c.png">', "there is no c.png"),
        ('<a href="/etc/passwd">', "works on one machine only"),
        ('<a href="file:///tmp/b.html">', "works on one machine only"),
        ('<script src="https://example.org/x.js"></script>', "<script> fetches"),
        ('<img src="//example.org/x.png">', "<img> fetches"),
        ("<style>@import 'https://example.org/x.css';</style>", "fetches"),
        ('<p style="background: url(https://example.org/x.png)">', "fetches https://example.org/x.png"),
    ],
)
def test_a_link_that_leads_nowhere_or_out_is_found(html, wrong, tmp_path):
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text + (html if name == "a.html" else ""), encoding="utf-8")
    found = check(tmp_path, [tmp_path / name for name in PAGES])
    assert (wrong in "".join(found.problems)) if wrong else not found.problems
    assert found.external == (["https://example.org/"] if '<a href="https' in html else [])


# -- the command ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoiled, status", [(False, 0), (True, 1)])
def test_the_command_says_what_is_wrong_by_its_status(
    spoiled, status, small_course, ran, tmp_path, monkeypatch, capsys
):
    if spoiled:
        nb = nbformat.read(ran / "01_agents.ipynb", as_version=4)
        nb.cells.append(nbformat.v4.new_markdown_cell("[gone](00_start.ipynb#Gone)"))
        (tmp_path / "spoiled").mkdir()
        nbformat.write(nb, tmp_path / "spoiled" / "01_agents.ipynb")
        nbformat.write(nbformat.read(ran / "00_start.ipynb", as_version=4), tmp_path / "spoiled" / "00_start.ipynb")
    source = tmp_path / "spoiled" if spoiled else ran
    monkeypatch.setattr(
        sys, "argv", ["labkit", "site", "--from", str(source), "--to", str(tmp_path / "site"), "--json"]
    )
    with pytest.raises(SystemExit) as ended:
        cli.main()
    found = json.loads(capsys.readouterr().out)
    assert ended.value.code == status and found["ok"] == (not spoiled)
    assert len(found["problems"]) == spoiled and all("no such section" in one for one in found["problems"])
