"""The form of an application's row as a JSON schema, and what is wrong with a row, in words: people write rows of their own.

problem({"title": "Mine", "tolls": {}})       # "it has an unknown 'tolls'; did you mean tools?"
"""

from __future__ import annotations

import difflib
from typing import Any

from labkit.operate.guardrails import PLACES

__all__ = ["MOST_TOOLS", "problem"]

MOST_TOOLS = 5  # the module's "3-5 tools"

TEXT = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT}
RECORD = {"type": "object", "minProperties": 1, "additionalProperties": {"type": ["string", "number", "boolean"]}}
TOOL = {
    "type": "object",
    "properties": {
        "desk": {"type": "boolean"}, "does": TEXT, "sql": TEXT, "says": TEXT, "none": TEXT, "data": TEXTS,
        "risky": {"type": "boolean"}, "parameters": {"type": "object", "additionalProperties": {"type": "object"}},
    },
    "required": ["says"],
    "if": {"properties": {"desk": {"const": True}}, "required": ["desk"]},
    "else": {"required": ["does", "sql"]},
    "additionalProperties": False,
}  # fmt: skip
ITEM = {"type": "array", "prefixItems": [TEXT, {"type": "string"}, {"type": "object"}], "minItems": 3, "maxItems": 3}
ATTACK = {
    "type": "object",
    "properties": {"place": {"enum": list(PLACES)}, "text": TEXT},
    "required": ["place", "text"],
    "additionalProperties": False,
}
ROW = {
    "type": "object",
    "properties": {
        "title": TEXT, "module": {"type": "string"}, "promise": TEXT, "goal": {"type": "number"}, "role": TEXT, "approver": TEXT,
        "roles": {"type": "object"},
        "records": {"type": "object", "additionalProperties": {"type": "array", "items": RECORD, "minItems": 1}},
        "tools": {"type": "object", "additionalProperties": TOOL, "maxProperties": MOST_TOOLS},
        "items": {"type": "array", "items": ITEM},
        "attacks": {"type": "array", "items": ATTACK},
    },
    "required": ["title", "promise", "goal", "role", "approver", "roles", "tools", "items"],
    "additionalProperties": False,
}  # fmt: skip


def problem(row: Any) -> str:
    """Return what keeps a row from working, in a sentence; "" if its form is right. A misspelt word is named first."""
    import jsonschema

    errors = list(jsonschema.Draft202012Validator(ROW).iter_errors(row))
    return _said(min(errors, key=lambda one: one.validator != "additionalProperties")) if errors else ""


def _said(error: Any) -> str:
    where = ".".join(map(str, error.absolute_path)) or "it"
    if error.validator == "additionalProperties":
        odd = min(error.instance.keys() - error.schema["properties"].keys())
        near = difflib.get_close_matches(odd, error.schema["properties"], 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(error.schema['properties']))}"
        return f"{where} has an unknown {odd!r}; {hint}"
    if error.validator == "required":
        return f"{where} lacks {next(name for name in error.validator_value if name not in error.instance)}"
    if error.validator == "maxProperties":
        return f"{len(error.instance)} {where} are more than {error.validator_value}"
    return f"{where}: {error.message}"[:200]
