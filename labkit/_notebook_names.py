"""Which of labkit's names the code of the lessons uses, and in which sections. Imports nothing that it reads of."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from labkit import _source_names, course
from labkit._source_names import Home, home

HEADING = re.compile(r"^## (.+?)\s*$", re.M)
MAGIC = re.compile(r"^\s*[%!].*$", re.M)


def uses() -> dict[Home, list[tuple[str, str]]]:
    """Return each name that a lesson uses, with (lesson, section) of every use, each once, in the course's order."""
    found: dict[Home, dict[tuple[str, str], None]] = {}
    for row in course.lessons():
        for section, one in used_in(row.path):
            found.setdefault(one, {})[row.id, section] = None
    return {one: list(places) for one, places in found.items()}


def reached_in(lesson: str, section: str) -> set[str]:
    """Return the modules of labkit that the code of a section reaches, with the code above all sections of that lesson."""
    here = {module for (module, _), places in uses().items() if {(lesson, section), (lesson, "")} & set(places)}
    return _source_names.reached(here)


@cache
def used_in(notebook: Path) -> list[tuple[str, Home]]:
    """Return (section, name) for every use in a notebook's code; the section is "" above the first heading."""
    section, known, found = "", {}, []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = ([section, *HEADING.findall(source)])[-1]
        elif cell["cell_type"] == "code":
            for node in _statements(source):
                found += [(section, one) for one in _named(node, known)]
    return found


def _statements(source: str) -> list[ast.stmt]:
    """Return what a cell does; nothing for one that a learner has left half written."""
    try:
        return ast.parse(MAGIC.sub("", source)).body
    except SyntaxError:
        return []


def _named(statement: ast.stmt, known: dict[str, Home]) -> Iterator[Home]:
    """Yield what one statement uses; remember in `known` what it imports, and forget what it binds to something else."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            known |= {
                one.asname or "labkit": (one.name if one.asname else "labkit", "")
                for one in node.names
                if _ours(one.name)
            }
        elif isinstance(node, ast.ImportFrom) and _ours(node.module or ""):
            found = {one.asname or one.name: home(node.module, one.name) for one in node.names}
            known |= found
            yield from filter(None, found.values())
        elif isinstance(node, ast.Name | ast.Attribute) and (one := _meant(node, known)):
            yield one
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.pop(node.id, None)


def _ours(module: str) -> bool:
    return module.partition(".")[0] == "labkit"


def _meant(node: ast.expr, known: dict[str, Home]) -> Home | None:
    """Return the name of labkit's that an expression is: `thermostat.Room`, `Room`, or None."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    owner = _meant(node.value, known) if isinstance(node, ast.Attribute) else None
    return home(owner[0], node.attr) if owner and not owner[1] else None
