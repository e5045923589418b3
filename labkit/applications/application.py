"""One application: a row of data/applications.toml, or of a file of your own in the same form.

    shop = application("customer_service")
    shop.promise, [tool.name for tool in shop.tools()]
    shop.items[0].text, shop.items[0].call

The tools work on an SQLite database in memory, made anew from the row's records for each set of tools. SQL stands in the row;
what a model wrote reaches it as bound values only.

Taught in notebook 13, sections "An environment and a model" and "A scope".
"""

from __future__ import annotations

import sqlite3
import threading
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from labkit.agents.desk import Desk
from labkit.applications.row import MOST_TOOLS, problem
from labkit.errors import ConfigError, CourseError
from labkit.nearest import meant
from labkit.operate.policy import Policy
from labkit.paths import data_dir
from labkit.tools import Tool, as_tool
from labkit.tools.items import Item

__all__ = ["MOST_TOOLS", "Application", "application", "applications"]

POLICY = ("data", "risky")


@dataclass(frozen=True)
class Application:
    """A row. promise: one domain in a sentence. goal: percent of requests to complete. role, approver: who asks, who says yes.

    attacks: (place, text) that its guards must catch. Raises ConfigError for a row that cannot work, and says which part.
    """

    name: str
    row: Mapping[str, Any] = field(repr=False)

    def __post_init__(self):
        if wrong := problem(self.row):
            raise _broken(self.name, wrong)
        if self.policy.rights(self.role).tools - self.row["tools"].keys() or self.role not in self.policy.roles:
            raise _broken(self.name, f"no role {self.role} for these tools")

    @property
    def title(self) -> str:
        """Its name, for people."""
        return self.row["title"]

    @property
    def promise(self) -> str:
        """What it does, in a sentence."""
        return self.row["promise"]

    @property
    def goal(self) -> float:
        """Percent of its requests that must be completed."""
        return self.row["goal"]

    @property
    def role(self) -> str:
        """The role that asks."""
        return self.row["role"]

    @property
    def attacks(self) -> list[tuple[str, str]]:
        """Texts that the guards must catch: (place, text)."""
        return [(one["place"], one["text"]) for one in self.row.get("attacks", ())]

    @cached_property
    def policy(self) -> Policy:
        """Who may use which tool, on which data, and which calls somebody must approve."""
        tools = {name: {key: tool[key] for key in POLICY if key in tool} for name, tool in self.row["tools"].items()}
        for rule in tools.values():
            if rule.get("risky"):
                rule["approvers"] = [self.row["approver"]]
        return Policy({"tools": tools, "roles": self.row["roles"]})

    @cached_property
    def items(self) -> list[Item]:
        """The requests to score, each with its right call ("" if none is right)."""
        tools = tuple(self.tools())
        return [_item(self.name, row, tools) for row in self.row["items"]]

    def tools(self) -> list[Tool]:
        """Return its tools, on a database of their own. Raises ConfigError for SQL or a tool of the desk that cannot work, BadTool
        for parameters."""
        desk = {tool.__name__: tool for tool in Desk().tools()}
        records = _Records(self.name, self.row.get("records", {}))
        return [self._tool(name, row, desk, records) for name, row in self.row["tools"].items()]

    def _tool(self, name: str, row: Mapping, desk: Mapping[str, Callable], records: _Records) -> Tool:
        if row.get("desk"):
            if name not in desk:
                raise _broken(self.name, f"the desk has no tool {name}; there are {', '.join(desk)}")
            made = as_tool(desk[name])
            says, wanted = row["says"], made.function
            spoken = lambda **arguments: _spoken(says, [wanted(**arguments)])  # noqa: E731 - one line is enough
            return Tool(name, made.description, made.parameters, spoken, made.repeatable)
        parameters = {key: dict(value) for key, value in row.get("parameters", {}).items()}
        required = [key for key, value in parameters.items() if not value.pop("optional", False)]
        schema = {"type": "object", "properties": parameters, "required": required}
        records.explain(name, row["sql"], parameters)
        lookup = row["sql"].lstrip().lower().startswith(("select", "with"))
        return Tool(name, row["does"], schema, records.function(row, parameters), lookup)


def applications(file: Path | None = None) -> dict[str, Application]:
    """Return the applications of a TOML file by name; without a file, the course's five. Raises ConfigError."""
    file = Path(file or data_dir() / "applications.toml")
    try:
        rows = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file.name} holds no applications.", str(error), "labkit lessons") from error
    return {name: Application(name, row) for name, row in rows.items()}


def application(name: str, file: Path | None = None) -> Application:
    """Return one application. Raises ConfigError for a name that there is not, with the nearest one."""
    known = applications(file)
    if name not in known:
        raise ConfigError(f"There is no application {name!r}.", meant(str(name), known, "there are"), "labkit lessons")
    return known[name]


class _Records:
    """The database of one application, in memory; its functions may be called from any thread."""

    def __init__(self, application: str, tables: Mapping[str, list[dict]]):
        self._application, self._lock = application, threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        for table, rows in tables.items():
            try:
                self._fill(table, rows)
            except sqlite3.Error as error:
                raise _broken(application, f"the records of {table}: {error}") from error

    def _fill(self, table: str, rows: list[dict]) -> None:
        columns = list(dict.fromkeys(name for row in rows for name in row))  # a row may leave some out, in any order
        quoted = ", ".join(f'"{name}"' for name in columns)
        self._database.execute(f'create table "{table}" ({quoted})')
        values = [[row.get(name) for name in columns] for row in rows]
        self._database.executemany(f'insert into "{table}" values ({", ".join("?" * len(columns))})', values)

    def explain(self, name: str, sql: str, parameters: Mapping) -> None:
        """Raise ConfigError if the statement cannot work on these tables with these parameters."""
        try:
            self._database.execute(f"explain {sql}", dict.fromkeys(parameters))
        except sqlite3.Error as error:
            raise _broken(self._application, f"the SQL of {name}: {error}") from error

    def function(self, row: Mapping, parameters: Mapping) -> Callable[..., str]:
        """Return the function behind a tool: run its SQL, and say what was found."""

        def run(**arguments) -> str:
            with self._lock, self._database as database:
                found = database.execute(row["sql"], {**dict.fromkeys(parameters), **arguments}).fetchall()
            if not found:
                raise CourseError(row.get("none", "Nothing was found."), "", "")
            return _spoken(row["says"], [dict(one) for one in found])

        return run


def _spoken(says: str, rows: list[dict]) -> str:
    """Return the answer: the sentence, filled in for each row."""
    return "\n".join(says.format(**{key: _word(value) for key, value in row.items()}) for row in rows)


def _word(value: Any) -> Any:
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else value


def _item(name: str, row: list, tools: tuple[Tool, ...]) -> Item:
    text, call, arguments = row
    tool = next((one for one in tools if one.name == call), None)
    if call and tool is None:
        raise _broken(name, f"no tool for the item {row!r}"[:200])
    right = {key: [None if one == "" else one for one in (value if isinstance(value, list) else [value])]
             for key, value in arguments.items()}  # fmt: skip
    return Item("several" if tool else "none", ({"role": "user", "content": text},), tools, call, right)


def _broken(name: str, why: str) -> ConfigError:
    return ConfigError(f"The application {name} cannot work.", why, "labkit lessons")
