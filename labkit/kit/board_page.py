"""A board as text for a terminal, and as one HTML file that needs no network: in light, dark and on paper.

    print(text(found))
    write(found, Path("board.html"))

What the files of the room say is text in both: no markup, no escape codes. The page's template is data/board/board.html.j2.

Explained in README.md, section "The command".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from labkit import disk, paths
from labkit._notebook_file import place_text
from labkit.kit.board import Board, spans

__all__ = ["glance", "page", "text", "write"]

WORDS = {"live": "runs here", "replayed": "from a recording", "no": "does not run"}
SIGNS = {"live": "●", "replayed": "○", "no": "–"}
MOST = 6  # names that stand beside a problem


def text(found: Board) -> str:
    """Return the board for a terminal: at a glance, problems, machines, learners, lessons, files that could not be read."""
    parts = [_aligned(title, head, rows) for title, head, rows in _tables(found) if rows]
    return "\n\n".join([_printable(glance(found)), *parts])


def page(found: Board) -> str:
    """Return the board as a whole HTML page."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    jinja = Environment(
        loader=FileSystemLoader(paths.data_dir() / "board"),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    jinja.filters |= {"few": _few, "known": _known, "when": _when}
    parts = {name: getattr(found, name) for name in ("machines", "problems", "learners", "lessons", "unread")}
    return jinja.get_template("board.html.j2").render(**parts, glance=glance(found), words=WORDS, signs=SIGNS)


def write(found: Board, path: Path) -> Path:
    """Write the page, its folder too if missing; return its path. Raises WeightsError, or NoSpace on a full disk."""
    path = Path(path).expanduser()
    with disk.errors(path, "labkit kit board REPORTS --html another-folder/board.html"):
        return place_text(page(found), path)


def glance(found: Board) -> str:
    """Return what an instructor wants to know first, in a line."""
    parts, machines, learners = [], len(found.machines), len(found.learners)
    if machines:
        everywhere = [row[0] for row in found.lessons if row[3] == machines]
        parts.append(f"Machines ready: {sum(not one.problems for one in found.machines)} of {machines}.")
        parts.append(f"Lessons that run on every one: {spans(everywhere) or 'none'}.")
    if learners:
        parts.append(
            f"Learners with an exercise right: {sum(bool(one.right) for one in found.learners)} of {learners}."
        )
    return " ".join(parts)


def _tables(found: Board) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Return (title, heads, rows of text) of each table."""
    of_machines, of_learners = len(found.machines), len(found.learners)
    exercises = sum(row[2] for row in found.lessons)
    problems = [(str(len(who)), what, _few(who)) for what, who in found.problems]
    machines = [
        (
            one.name, one.state, spans(one.lessons) or "none", spans(one.replayed), " ".join(one.engines) or "none",
            one.system, _known(one.cores), _known(one.ram_gb), _known(one.free_gb), one.labkit,
        )
        for one in found.machines
    ]  # fmt: skip
    learners = [
        (
            one.name, f"{one.exercises_right} of {exercises}", _by_lesson(one.right), str(one.hints),
            str(one.solutions), _when(one.last),
        )
        for one in found.learners
    ]  # fmt: skip
    lessons = [
        (f"{a} {b}", f"{run} of {of_machines}", f"{done} of {of_learners}") for a, b, _, run, done in found.lessons
    ]
    about = ("name", "state", "lessons", "replayed", "engines", "system", "cores", "GB", "free", "labkit")
    return [
        ("Problems", ("machines", "problem", "where"), problems),
        ("Machines", about, machines),
        ("Learners", ("name", "right", "by lesson", "hints", "solutions", "last"), learners),
        ("Lessons", ("lesson", "runs on", "all right"), lessons),
        ("Could not be read", ("file",), [(one,) for one in found.unread]),
    ]


def _known(number: float | None) -> str:
    return "?" if number is None else f"{number:g}"


def _when(updated: str) -> str:
    """Return a time of a file as a clock here shows it."""
    try:
        return f"{datetime.fromisoformat(updated).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return updated


def _by_lesson(right: dict[str, int]) -> str:
    return "  ".join(f"{lesson}:{count}" for lesson, count in right.items())


def _few(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else " " for c in line)


def _aligned(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rows = [tuple(map(_printable, row)) for row in rows]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])
