"""The course: which lessons there are, laid out for a learner, run and judged.

    for lesson in lessons():                       # data/lessons.toml
        print(lesson)
    lay_out("my-course")                           # the notebooks, never over your own work
    [result] = run(["00"], on_progress=print)      # papermill in a fresh kernel, then the gate
    assert result.ok, result.problems

Taught in notebook 00, section "Where errors show".
"""

from __future__ import annotations

import os
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import labkit
from labkit import paths
from labkit._layout import LaidOut, place_all
from labkit._notebook_file import place_text, read, render, text_of
from labkit.errors import CourseError, UnknownLesson, VersionMismatch
from labkit.gate import Problem, judge

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "LaidOut", "Lesson", "Problem", "Progress", "RunResult",
    "lay_out", "lesson", "lesson_by_id", "lessons", "render", "run",
]  # fmt: skip

CELL_TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Lesson:
    """One row of data/lessons.toml.

    `minutes` are a learner's, `memory_gb` (10**9 bytes) is what JupyterLab, kernel, engine and model take together, any
    one of `engines` will do, `needs` are ids of lessons to read first, `exercises` counts those that check themselves.
    Shown as one line, on a page and as plain text; the page gets what every lesson's figures and widgets need there
    (data/lesson_page.html).
    """

    id: str
    file: str
    title: str
    promise: str
    level: str
    minutes: int
    memory_gb: float
    engines: tuple[str, ...]
    needs: tuple[str, ...]
    exercises: int

    @property
    def path(self) -> Path:
        """The shipped notebook."""
        return paths.notebooks_dir() / self.file

    def __repr__(self) -> str:
        needs = f"about {self.minutes} minutes · {self.memory_gb:g} GB of memory · engine: {' or '.join(self.engines)}"
        return f"{self.id} {self.title} · {self.level} · {needs}"

    def _repr_html_(self) -> str:
        name, line = escape(f"{self.id} {self.title}"), escape(repr(self))
        needed = (paths.data_dir() / "lesson_page.html").read_text(encoding="utf-8")
        return f"<p>{line.replace(name, f'<strong>{name}</strong>', 1)}</p>\n{needed}"


def lessons() -> list[Lesson]:
    """Return every lesson in reading order."""
    return list(_table(paths.data_dir() / "lessons.toml"))


def lesson_by_id(name: str | int | Path) -> Lesson:
    """Return the lesson that `name` means: 0, "0", "00", "00_start_here" or a path of that name; else UnknownLesson."""
    stem = Path(str(name)).name.removesuffix(".ipynb")
    for row in lessons():
        if stem == Path(row.file).stem or (stem.isdigit() and stem.zfill(2) == row.id):
            return row
    known = ", ".join(Path(row.file).stem for row in lessons())
    raise UnknownLesson(
        f"There is no lesson or notebook {str(name)!r}", f"The lessons are: {known}", "labkit run --help"
    )


def lesson(name: str | int, version: str) -> Lesson:
    """Open a lesson: check that its notebook, made for labkit `version` ("0.1"), fits this labkit; return its card.

    Sets LABKIT_LESSON, by which an engine's recordings are found, also by programs that the lesson starts. Raises
    VersionMismatch when major or minor differ, UnknownLesson when `name` means no lesson.
    """
    row = lesson_by_id(name)
    os.environ["LABKIT_LESSON"] = row.id
    if version.split(".")[:2] != labkit.__version__.split(".")[:2]:
        what = f"This notebook was made for labkit {version}, and labkit {labkit.__version__} is installed"
        if _number(version) > _number(labkit.__version__):
            raise VersionMismatch(what, "The notebook is newer than the package", "python -m pip install -e .")
        raise VersionMismatch(what, "The package is newer than the notebook", "labkit lab")
    return row


def lay_out(dest: str | Path) -> LaidOut:
    """Copy the shipped notebooks into the folder `dest`, and return which were written, kept and updated.

    A notebook that the learner has edited or merely run is kept; a newer one is then written beside it, as
    NAME.new-VERSION.ipynb. One that nobody touched since labkit wrote it is brought up to date. The file
    .labkit-notebooks.json in `dest` remembers what labkit wrote. Raises CourseError when the folder cannot be written.
    """
    dest = Path(dest).expanduser()
    if dest.resolve() == paths.notebooks_dir().resolve():
        return LaidOut(kept=[row.path for row in lessons()])
    return place_all([row.path for row in lessons()], dest)


class Progress(NamedTuple):
    """Said before each cell: `cell` of `cells` (from 1) of `lesson` begins, `seconds` after the lesson did."""

    lesson: str
    cell: int
    cells: int
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """How one notebook ran.

    `lesson` is its id, or the file's name for a notebook that is none; `seconds` is wall time with the kernel's start;
    `cells` are (place from 1, seconds) of the code cells that ran; `output` is the executed notebook, `html` the page.
    """

    lesson: str
    notebook: Path
    problems: list[Problem]
    seconds: float
    cells: list[tuple[int, float]]
    output: Path
    html: Path | None = None

    @property
    def ok(self) -> bool:
        """Green: nothing speaks against the run."""
        return not self.problems

    def to_dict(self) -> dict:
        """Return it as JSON can hold it."""
        return {
            "lesson": self.lesson,
            "notebook": str(self.notebook),
            "ok": self.ok,
            "problems": [problem.to_dict() for problem in self.problems],
            "seconds": round(self.seconds, 2),
            "cells": [{"cell": cell, "seconds": round(seconds, 3)} for cell, seconds in self.cells],
            "output": str(self.output),
            "html": self.html and str(self.html),
        }


def run(
    names: Iterable[str | int | Path] = (),
    *,
    backend: str | None = None,
    html: str | Path | None = None,
    out: str | Path | None = None,
    timeout: float = CELL_TIMEOUT_S,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[RunResult]:
    """Execute lessons, or notebooks by their path, each in a fresh kernel of this interpreter, and judge them.

    No names: every lesson. `backend` is what `connect()` gets in the notebooks (LABKIT_BACKEND). Executed notebooks go to
    the folder `out` (a new temporary one), pages to the folder `html` if given. `timeout` is in seconds a cell. A shipped
    lesson runs in an empty folder of its own, any other notebook in the folder where it lies. Ctrl-C ends kernel and run.

    Raises UnknownLesson, and CourseError for a file that is not a notebook; what goes wrong inside is in the results.
    """
    todo = [(_label(path), path, read(path)) for path in map(_notebook, list(names) or lessons())]
    out = Path(out or tempfile.mkdtemp(prefix="labkit-executed-"))
    if any(path.resolve() == (out / path.name).resolve() for _, path, _ in todo):
        raise CourseError(f"The executed notebooks would replace their sources in {out}", "", "labkit run")
    env = os.environ | ({"LABKIT_BACKEND": backend} if backend else {})
    results = []
    for label, path, nb in todo:
        executed, result = _run_one(label, path, nb, env, timeout, on_progress or (lambda progress: None))
        output = place_text(text_of(executed), out / path.name)
        page = place_text(render(executed, path.stem), Path(html) / f"{path.stem}.html") if html else None
        results.append(RunResult(label, path, output=output, html=page, **result))
    return results


def _run_one(label, path, nb, env, timeout, on_progress) -> tuple[NotebookNode, dict]:
    from labkit._watched_run import watched_run

    began = time.monotonic()

    def on_cell(i: int) -> None:
        on_progress(Progress(label, i + 1, len(nb.cells), time.monotonic() - began))

    shipped = path.parent.resolve() == paths.notebooks_dir().resolve()
    place = tempfile.TemporaryDirectory(prefix="labkit-") if shipped else nullcontext(path.parent.resolve())
    with place as cwd:
        evidence = watched_run(nb, cwd=Path(cwd), env=env, timeout=timeout, on_cell=on_cell)
    found = {"problems": judge(evidence), "seconds": time.monotonic() - began, "cells": _times(evidence.executed)}
    evidence.executed.metadata.pop("widgets", None)  # megabytes of plotly, and the gate has read it
    return evidence.executed, found


@cache
def _table(path: Path) -> tuple[Lesson, ...]:
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["lesson"]
    return tuple(Lesson(**row | {"engines": tuple(row["engines"]), "needs": tuple(row["needs"])}) for row in rows)


def _number(version: str) -> list[int]:
    return [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]]


def _notebook(name: Lesson | str | int | Path) -> Path:
    """Return the file that a name means: one that exists, else a lesson's."""
    if isinstance(name, Lesson):
        return name.path
    path = Path(str(name)).expanduser()
    return path if path.suffix == ".ipynb" and path.is_file() else lesson_by_id(name).path


def _label(path: Path) -> str:
    return next((row.id for row in lessons() if row.file == path.name), path.stem)


def _times(nb: NotebookNode) -> list[tuple[int, float]]:
    ran = [(i, cell) for i, cell in enumerate(nb.cells, 1) if cell.get("execution_count") is not None]
    return [(i, cell.metadata.papermill.get("duration") or 0.0) for i, cell in ran]
