"""Approved tools, as they were when somebody approved them.

    pins = pinned(box.tools)                 # look at them first; then keep this beside your code
    tools = hold(box.tools, pins)            # later: the same tools, or an error that says what changed

A server can change a description after you have read it, and the description goes into the prompt: words that a model obeys. So
the hash holds all that the model reads. Taught in notebook 14, section "Trust".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from labkit.errors import Denied
from labkit.tools.tool import Tool

__all__ = ["hold", "pin", "pinned"]


def pin(tool: Tool) -> str:
    """Return the SHA-256 of a tool's name, description and schema, in hex. Taught in notebook 14, section "Trust"."""
    read = json.dumps([tool.name, tool.description, tool.parameters], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(read.encode()).hexdigest()


def pinned(tools: Iterable[Tool]) -> dict[str, str]:
    """Return name -> pin, ready for JSON. Taught in notebook 14, section "Trust"."""
    return {tool.name: pin(tool) for tool in tools}


def hold(tools: Iterable[Tool], pins: Mapping[str, str]) -> list[Tool]:
    """Return the tools that `pins` names; others are left out. Raises Denied if one has changed since.

    Taught in notebook 14, section "Trust".
    """
    known = [tool for tool in tools if tool.name in pins]
    if changed := [tool.name for tool in known if pin(tool) != pins[tool.name]]:
        raise Denied(
            f"{', '.join(changed)} changed since it was approved.",
            "its name, description or schema is another one, and the model would read it",
            "look at it again, then pin it anew",
        )
    return known
