"""The course's first page, START.md in the learner's folder: the lessons, how far each has come, and what comes next.

    place("my-course")          # written, or kept as it is if the learner has edited it
    renew(Path())               # after an exercise was checked in a notebook of this folder

JupyterLab shows it rendered; its links open the notebooks.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from labkit import paths
from labkit._layout import LaidOut, place_page, untouched
from labkit.errors import CourseError
from labkit.exercises.tally import Row, by_lesson, next_open
from labkit.lessons import Lesson, lessons

__all__ = ["START", "is_ours", "place", "renew", "text"]

START = "START.md"
RIGHT, TRIED, OPEN = "●", "◐", "○"


def place(folder: str | Path) -> LaidOut:
    """Write the page into a folder of notebooks, and return what was written, updated or kept. Raises CourseError.

    A START.md that the learner wrote or edited stays as it is. The shipped notebooks' own folder gets none.
    """
    folder = Path(folder).expanduser()
    if folder.resolve() == paths.notebooks_dir().resolve():
        return LaidOut()
    return place_page(text(), folder / START)


def is_ours(folder: Path) -> bool:
    """Whether the folder has a start page as labkit wrote it."""
    return untouched(folder / START)


def renew(folder: Path) -> None:
    """Bring the folder's page up to date if it has one of ours. A disk that will not have it is worth a warning only."""
    try:
        if is_ours(folder):
            place(folder)
    except (OSError, CourseError) as error:
        warnings.warn(f"{START} was not brought up to date: {error}", stacklevel=3)


def text() -> str:
    """Return the page, as Markdown, for the progress that this user has made."""
    rows = by_lesson()
    lines = [
        "# AI agents on small language models",
        "",
        f"{_so_far(rows)} {_next(rows)}",
        "",
        f"{RIGHT} right, {TRIED} tried, {OPEN} open. This page follows every exercise that you check. JupyterLab shows the "
        "newest when you open the page, or with *File → Reload Markdown File from Disk*.",
        "",
        "| lesson | minutes | after | memory | exercises |",
        "| :-- | --: | :-- | --: | :-- |",
        *(_line(lesson, row) for lesson, row in zip(lessons(), rows, strict=True)),
        "",
        "Your notebooks are yours: nothing that you change in them is written over. An engine that this machine lacks is "
        "replayed from a recording, and says so. In a terminal, `labkit doctor` says what is here, and `labkit progress` "
        "how far you are.",
    ]
    return "\n".join(lines) + "\n"


def _so_far(rows: list[Row]) -> str:
    right, exercises = sum(row.right for row in rows), sum(row.exercises for row in rows)
    return f"**{right} of {exercises}** exercises are right."


def _next(rows: list[Row]) -> str:
    row = next_open(rows)
    if row is None:
        return "**All done.**"
    (lesson,) = [one for one in lessons() if one.id == row.id]
    return f"**Next: {_link(lesson)}**, {'go on' if row.updated else f'about {row.minutes} minutes'}."


def _line(lesson: Lesson, row: Row) -> str:
    cells = [
        f"**{_link(lesson)}**<br>{lesson.promise}",
        str(lesson.minutes),
        ", ".join(lesson.needs) or "–",
        f"{lesson.memory_gb:g} GB",
        f"{_dots(row)}<br>{row.right} of {row.exercises}",
    ]
    return f"| {' | '.join(cells)} |"


def _link(lesson: Lesson) -> str:
    return f"[{lesson.id} {lesson.title}]({lesson.file})"


def _dots(row: Row) -> str:
    return RIGHT * row.right + TRIED * row.tried + OPEN * (row.exercises - row.right - row.tried)
