"""The shop's service desk as an MCP server: five tools, the knowledge base as resources, one prompt.

    over_stdio(desk_server(Desk()))                     # what `labkit mcp serve` does

Taught in notebook 14, sections "Two transports" and "Three kinds".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from labkit.agents.desk import Desk
from labkit.mcp.server import Resource, server

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["desk_server", "triage"]

INSTRUCTIONS = "The service desk of a small shop: customers, orders, tickets, devices and a knowledge base."


def desk_server(desk: Desk) -> Server:
    """Return a server of this desk. Taught in notebook 14, section "Two transports"."""
    texts = [
        Resource(f"shop://article/{row['id']}", row["title"], lambda row=row: row["text"]) for row in desk.articles()
    ]
    return server(desk.tools(), name="desk", instructions=INSTRUCTIONS, resources=texts, prompts=[triage])


def triage(message: str) -> str:
    """Sort a customer's message by urgency."""
    return f"Answer with one word, low, medium or high: how urgent is this message?\n\n{message}"
