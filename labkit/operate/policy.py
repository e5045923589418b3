"""Roles, the tools they may use and the data they may touch: read from TOML, strictly, and denied unless it stands there.

    policy = Policy.load()                                  # data/roles.toml; its head says how to write one
    policy.rights("clerk").tools                            # {"lookup_customer", …}, inherited ones included
    policy.touched("lookup_customer", {"customer_id": "C-101"})     # ["customer:C-101"]

Taught in notebook 10, section "Who may do what".
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from labkit.errors import ConfigError, OutOfScope
from labkit.paths import data_dir

__all__ = ["Caller", "Policy", "Rights", "ToolRule"]

TOOL_KEYS = {"data": list, "risky": bool, "approvers": list}
ROLE_KEYS = {"inherits": list, "tools": list, "data": list}


@dataclass(frozen=True)
class Caller:
    """Who asks: a `name` and a `role`. They come from the program that signed the person in, never from a prompt.

    Taught in notebook 10, section "Who may do what".
    """

    name: str
    role: str


@dataclass(frozen=True)
class ToolRule:
    """What a tool touches (`data`, templates over its arguments), whether it is `risky`, and which roles are `approvers`."""

    data: tuple[str, ...] = ()
    risky: bool = False
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rights:
    """What a role may, with all that it inherits: names of `tools`, patterns of `data`."""

    tools: frozenset[str] = frozenset()
    data: tuple[str, ...] = ()

    def covers(self, touched: str, user: str) -> bool:
        """Whether one of the patterns allows this piece of data to this user."""
        own = "".join(f"[{one}]" if one in "*?[" else one for one in user)  # a name is no pattern
        return any(fnmatchcase(touched, pattern.replace("{user}", own)) for pattern in self.data)


class Policy:
    """The rights of every role.

    Raises ConfigError for a table that does not mean one thing: unknown words, names that do not exist, roles that inherit
    from each other in a circle.

    Taught in notebook 10, section "Who may do what".
    """

    def __init__(self, table: Mapping[str, Any]):
        _only(table, {"tools": dict, "roles": dict}, "the policy")
        self.tools = {name: _tool(name, row) for name, row in table.get("tools", {}).items()}
        self._roles = {name: _role(name, row) for name, row in table.get("roles", {}).items()}
        self._refuse_unknown_names()
        self._rights = {name: self._gather(name, ()) for name in self._roles}

    @classmethod
    def load(cls, file: Path | None = None) -> Policy:
        """Read a policy; without a file, the course's own (data/roles.toml). Raises ConfigError."""
        file = file or data_dir() / "roles.toml"
        try:
            return cls.read(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(f"The policy {file} cannot be read.", str(error), "") from error

    @classmethod
    def read(cls, text: str) -> Policy:
        """Return the policy that a TOML text says. Raises ConfigError."""
        try:
            return cls(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError("The policy is no TOML.", str(error), "") from error

    @property
    def roles(self) -> list[str]:
        """The names of all roles."""
        return list(self._roles)

    def rights(self, role: str) -> Rights:
        """Return the rights of a role; an unknown role has none."""
        return self._rights.get(role, Rights())

    def touched(self, tool: str, arguments: Mapping[str, Any]) -> list[str]:
        """Return the data that a call touches. Raises OutOfScope if its arguments do not say."""
        return [_filled(template, tool, arguments) for template in self.tools[tool].data]

    def _refuse_unknown_names(self) -> None:
        for role, row in self._roles.items():
            _known(f"role {role}", "role", row["inherits"], self._roles)
            _known(f"role {role}", "tool", row["tools"], self.tools)
        for tool, rule in self.tools.items():
            _known(f"tool {tool}", "role", rule.approvers, self._roles)

    def _gather(self, role: str, above: tuple[str, ...]) -> Rights:
        if role in above:
            raise ConfigError("Roles inherit from each other in a circle.", " → ".join((*above, role)), "")
        row = self._roles[role]
        inherited = [self._gather(one, (*above, role)) for one in row["inherits"]]
        tools = frozenset(row["tools"]).union(*(one.tools for one in inherited))
        return Rights(tools, tuple(dict.fromkeys([*row["data"], *(p for one in inherited for p in one.data)])))


def _tool(name: str, row: Any) -> ToolRule:
    _only(row, TOOL_KEYS, f"tool {name}")
    rule = ToolRule(tuple(row.get("data", ())), row.get("risky", False), tuple(row.get("approvers", ())))
    if rule.risky != bool(rule.approvers):
        raise ConfigError(f"Tool {name}: risky and approvers belong together.", "else nobody could approve it", "")
    for template in rule.data:
        _fields(template)
    return rule


def _role(name: str, row: Any) -> dict[str, list[str]]:
    _only(row, ROLE_KEYS, f"role {name}")
    return {key: row.get(key, []) for key in ROLE_KEYS}


def _only(row: Any, kinds: dict[str, type], what: str) -> None:
    """Raise ConfigError unless `row` is a table of these keys: a misspelt "risky" would otherwise be a silent permission."""
    if not isinstance(row, Mapping):
        raise ConfigError(f"In the policy, {what} is no table.", repr(row)[:80], "")
    for key, value in row.items():
        fits = key in kinds and isinstance(value, kinds[key])
        if not fits or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            raise ConfigError(f"In the policy, {what} has {key} = {value!r}."[:200], f"known: {', '.join(kinds)}", "")


def _known(where: str, kind: str, names: Any, table: Mapping) -> None:
    if missing := [name for name in names if name not in table]:
        raise ConfigError(f"In the policy, {where} names the {kind} {missing[0]!r}.", "there is no such one", "")


@lru_cache
def _fields(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return the parts of a template: text, and the argument that follows it. Raises ConfigError."""
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ConfigError(f"In the policy, {template!r} is no template.", str(error), "") from error
    if any(field is not None and (not field.isidentifier() or about or turn) for _, field, about, turn in parts):
        raise ConfigError(f"In the policy, {template!r} is no template.", "only {argument} may stand in it", "")
    return tuple((text, field) for text, field, _, _ in parts)


def _filled(template: str, tool: str, arguments: Mapping[str, Any]) -> str:
    filled = ""
    for text, field in _fields(template):
        filled += text
        if field is None:
            continue
        value = arguments.get(field)
        plain = isinstance(value, str | int) and not isinstance(value, bool) and str(value).isprintable()
        if not plain or not str(value) or ":" in str(value):  # a colon could pass for the next part of a template
            raise OutOfScope(f"{tool} does not say which data it is for.", f"{field} must be one plain value", "")
        filled += str(value)
    return filled
