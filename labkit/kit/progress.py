"""A learner's own board over all lessons, and a file of it for an instructor without a server.

    for row in by_lesson():
        print(row.id, row.right, "of", row.exercises)
    export(Path("desk-07-progress.json"))                      # verdicts, counts and times
    export(Path("…"), answers=Path("my-course"))               # and the answers in these notebooks

`progress.json` holds no answers; they are in the learner's notebooks, and are read from there if asked for.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from labkit.errors import KitError
from labkit.exercises.journal import touched
from labkit.exercises.tally import Row, by_lesson, next_open
from labkit.kit.documents import PROGRESS, write

__all__ = ["Row", "answers_in", "by_lesson", "export", "text"]

OPENS = re.compile(r"""exercise\(\s*["'](\d\d\.\d+)["']\s*\)""")
WIDTH = 10  # characters of the longest bar


def text(rows: list[Row]) -> str:
    """Return the board for a terminal: a bar a lesson, the sum, and what comes next."""
    lines = [
        f"{row.id} {row.title:30} {_bar(row)} {row.right:>2} of {row.exercises:<2} right{_beside(row)}" for row in rows
    ]
    right, total = sum(row.right for row in rows), sum(row.exercises for row in rows)
    open_ = next_open(rows)
    next_ = f"Next: lesson {open_.id}, {open_.title}." if open_ else "All done."
    return "\n".join([*lines, "", f"{right} of {total} exercises. {next_}"])


def export(path: Path, answers: Path | None = None) -> Path:
    """Write verdicts, counts and times of every exercise that was touched; with `answers`, what its notebooks hold.

    Raises KitError for a folder without notebooks, WeightsError or NoSpace where the disk will not have it.
    """
    found: dict = {
        "exercises": {
            name: {key: value for key, value in asdict(entry).items() if key not in ("id", "title")}
            for name, entry in touched().items()
        }
    }
    if answers is not None:
        found["answers"] = answers_in(answers)
    return write(path, PROGRESS, found)


def answers_in(folder: Path) -> dict[str, str]:
    """Return exercise id → source of the cell that checks it, from the notebooks in a folder. Raises KitError."""
    files = sorted(Path(folder).expanduser().glob("*.ipynb"))
    if not files:
        raise KitError(
            f"There are no notebooks in {folder}",
            "another folder?",
            "labkit progress --export FILE --answers my-course",
        )
    found: dict[str, str] = {}
    for file in files:
        found |= _answers_of(file)
    return found


def _answers_of(file: Path) -> dict[str, str]:
    try:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise KitError(f"{file.name} is no notebook that can be read", why, "labkit lab") from None
    found, current = {}, ""
    for source in sources:
        opened = OPENS.findall(source)
        current = opened[-1] if opened else current
        if current and ".check(" in source:
            found.setdefault(current, source)
    return found


def _bar(row: Row) -> str:
    full = round(WIDTH * row.right / row.exercises)
    return "#" * full + "." * (WIDTH - full)


def _beside(row: Row) -> str:
    parts = [f"{row.tried} tried"] if row.tried else []
    parts += [f"{row.hints} hints"] if row.hints else []
    parts += [f"{row.solutions} solutions seen"] if row.solutions else []
    return "".join(f", {part}" for part in parts)
