"""A board as text for a terminal, and as one HTML file that needs no network: tables in light, dark and on paper.

print(text(found)); Path("board.html").write_text(page(found), encoding="utf-8")

Explained in README.md, section "The command".
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from labkit.kit.board import Board, spans

__all__ = ["page", "text"]

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 2rem; }
caption { text-align: left; font-weight: 600; font-size: 1.15rem; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; border-top: 1px solid #8886; }
"""


def text(found: Board) -> str:
    """Return the board for a terminal: machines, learners, lessons, problems, files that could not be read."""
    parts = [_aligned(title, head, rows) for title, head, rows in _tables(found) if rows]
    return "\n\n".join(parts)


def page(found: Board) -> str:
    """Return the board as a whole HTML page; what the files say is text in it, never markup."""
    tables = "\n".join(_table(title, head, rows) for title, head, rows in _tables(found) if rows)
    title = f"{len(found.machines)} machines, {len(found.learners)} learners"
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><main><h1>{title}</h1>\n{tables}\n</main></body></html>\n"
    )


def _tables(found: Board) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Return (title, heads, rows of text) of each table."""
    total = sum(row[2] for row in found.lessons)
    machines = [
        (
            one.name, one.system, _or(one.cores), _or(one.ram_gb), _or(one.free_gb), one.labkit,
            " ".join(one.engines) or "none", "yes" if one.model else "NO", spans(one.lessons) or "none",
            spans(one.replayed), str(len(one.problems)),
        )
        for one in found.machines
    ]  # fmt: skip
    learners = [
        (
            one.name,
            f"{sum(one.right.values())} of {total}",
            _by_lesson(one.right),
            str(one.hints),
            str(one.solutions),
            one.last,
        )
        for one in found.learners
    ]
    of_machines, of_learners = len(found.machines), len(found.learners)
    lessons = [
        (f"{a} {b}", f"{run} of {of_machines}", f"{done} of {of_learners}") for a, b, _, run, done in found.lessons
    ]
    return [
        (
            "Machines",
            (
                "name",
                "system",
                "cores",
                "RAM GB",
                "free GB",
                "labkit",
                "engines",
                "model",
                "lessons",
                "replayed",
                "problems",
            ),
            machines,
        ),
        (
            "Problems",
            ("machines", "problem", "where"),
            [(str(len(who)), what, _short(who)) for what, who in found.problems],
        ),
        ("Learners", ("name", "right", "by lesson", "hints", "solutions", "last"), learners),
        ("Lessons", ("lesson", "runs on", "all right"), lessons),
        ("Could not be read", ("file",), [(one,) for one in found.unread]),
    ]


def _or(number: float | None) -> str:
    return "?" if number is None else f"{number:g}"


def _by_lesson(right: dict[str, int]) -> str:
    return "  ".join(f"{lesson}:{count}" for lesson, count in right.items())


def _short(names: Iterable[str], most: int = 6) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _aligned(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rows = [
        tuple("".join(c if c.isprintable() else " " for c in cell) for cell in row) for row in rows
    ]  # no escape codes
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _table(title: str, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    heads = "".join(f'<th scope="col">{escape(one)}</th>' for one in head)
    lines = "\n".join("<tr>" + "".join(f"<td>{escape(one)}</td>" for one in row) + "</tr>" for row in rows)
    return (
        f"<table><caption>{escape(title)}</caption><thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>"
    )
