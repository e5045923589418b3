"""Lint the schemas of tools before they are used: what would an engine skip? By llguidance's judgement.

Taught in notebook 04, section "Checks after".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from labkit.errors import BadTool
from labkit.tools.schema import HELD, lint
from labkit.tools.tool import as_tools

__all__ = ["lint_file", "lint_tools"]

TEXT = {
    "description",
    "title",
    "default",
    "examples",
    "$schema",
    "$defs",
    "definitions",
    "$ref",
}  # say something, hold nothing
PUT_IN_PLACE = {"oneOf", "allOf"}  # rewritten by `schema.normalise`


def lint_tools(tools: list) -> dict[str, list[str]]:
    """Return for each tool the words of its schema that are not held while the model writes, only checked afterwards.

    Raises BadTool for a schema that cannot be used at all.

    Taught in notebook 04, section "Checks after".
    """
    return {tool.name: [*_skipped(tool.parameters), *lint(tool.engine)] for tool in as_tools(tools)}


def _skipped(schema: dict) -> list[str]:
    words = set()
    nodes = [schema]
    while nodes:
        node = nodes.pop()
        words |= node.keys() - HELD - TEXT - PUT_IN_PLACE
        nodes += [
            value
            for value in (*node.get("properties", {}).values(), *node.get("anyOf", ()))
            if isinstance(value, Mapping)
        ]
        nodes += [node["items"]] if isinstance(node.get("items"), Mapping) else []
    return [f"{word} is checked afterwards, not held" for word in sorted(words)]


def lint_file(file: Path) -> dict[str, list[str]]:
    """Return `lint_tools` of a JSON file with one tool dict or a list of them. Raises BadTool if it holds no such thing."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadTool(f"{file} holds no tools.", str(error)[:200], "") from error
    return lint_tools(found if isinstance(found, list) else [found])
