"""The shop's service desk: five tools that do real work on a real database (SQLite, made from data/shop_records.toml).

    desk = Desk()                                    # in memory; Desk.at_home() keeps what is written
    desk.lookup_order_status("1002")                 # {"order_id": "1002", "thing": "boots", "status": "shipped", …}
    Agent(client=endpoint.chat_client(), tools=desk.tools())

What is not there raises CourseError, and an agent sees that as the tool's answer.

Taught in notebook 04, sections "Six steps" and "Agent Framework".
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from labkit import disk
from labkit.errors import ConfigError, CourseError
from labkit.paths import home, read_table
from labkit.tools.words import content

__all__ = ["Desk"]

TABLES = """
create table customer (id text primary key, name text, city text, since integer, tier text);
create table "order" (id text primary key, customer text references customer, thing text, status text, "when" text);
create table ticket (id text primary key, customer text, issue text not null, priority text not null, status text not null);
create table device (id text primary key, customer text, kind text, firmware integer, battery_percent integer,
                     temperature_c integer, last_seen_hours integer);
create table rule (reading text, below integer, above integer, finding text, article text);
create table article (id text primary key, title text, text text);
create virtual table article_words using fts5(id unindexed, title, text, tokenize = 'porter');
"""
Priority = Literal["low", "medium", "high"]


class Desk:
    """A service desk on one database file, or in memory. Its tools may be called from any thread.

    Raises ConfigError for a file that is no database.
    """

    def __init__(self, file: Path | str = ":memory:"):
        self._database = sqlite3.connect(file, check_same_thread=False)
        self._database.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        try:
            self._load()
        except sqlite3.Error as error:
            self.close()
            raise ConfigError(f"{file} is no desk.", str(error), disk.remove_command(Path(file))) from error

    @classmethod
    def at_home(cls) -> Desk:
        """Return the desk whose database stays in labkit's home (shop.db), made on first use."""
        return cls(home() / "shop.db")

    def tools(self) -> list[Callable]:
        """Return the desk's five tools."""
        return [
            self.lookup_customer,
            self.lookup_order_status,
            self.create_ticket,
            self.run_diagnostics,
            self.access_knowledge_base,
        ]

    def lookup_customer(self, customer_id: Annotated[str, "Number of the customer, like C-101"]) -> dict:
        """Look up a customer's record: name, city, tier, orders and open tickets."""
        found = self._one("customer", customer_id)
        orders = [row["id"] for row in self._rows('select id from "order" where customer = ? order by id', found["id"])]
        tickets = [
            row["id"] for row in self._rows("select id from ticket where customer = ? and status = 'open'", found["id"])
        ]
        return {**found, "orders": orders, "open_tickets": tickets}

    def lookup_order_status(self, order_id: Annotated[str, "Number of the order, like 1001"]) -> dict:
        """Look up where a customer's order is."""
        found = self._one("order", order_id)
        return {"order_id": found["id"], "thing": found["thing"], "status": found["status"], "when": found["when"]}

    def create_ticket(
        self,
        issue: Annotated[str, "The problem, in the customer's words"],
        priority: Annotated[Priority, "How urgent it is"] = "medium",
    ) -> dict:
        """Open a support ticket for a problem that a customer reports."""
        if not issue.strip():
            raise CourseError("A ticket needs an issue.", "the text is empty", "say what is wrong")
        with self._lock, self._database as database:
            (last,) = database.execute("select coalesce(max(cast(substr(id, 3) as integer)), 0) from ticket").fetchone()
            row = {"id": f"T-{last + 1}", "issue": issue.strip(), "priority": priority, "status": "open"}
            database.execute(
                "insert into ticket (id, issue, priority, status) values (:id, :issue, :priority, :status)", row
            )
        return row

    def run_diagnostics(self, device_id: Annotated[str, "Name of the device, like lamp-3"]) -> dict:
        """Run diagnostics on a customer's device: check what it reports against the rules."""
        device = self._one("device", device_id)
        found = [rule for rule in self._rows("select * from rule") if _broken(rule, device[rule["reading"]])]
        findings = [rule["finding"] for rule in found] or ["everything is in order"]
        return {"device": device["id"], "findings": findings, "see": [rule["article"] for rule in found]}

    def access_knowledge_base(self, query: Annotated[str, "Words to look for"]) -> dict:
        """Search the knowledge base for help on charging, returns, refunds, delivery, payment, warranty and sizes."""
        match = " OR ".join(f'"{word}"' for word in content(query))
        rows = (
            self._rows("select title, text from article_words where article_words match ? order by rank limit 1", match)
            if match
            else []
        )
        if not rows:
            raise CourseError(
                f"The knowledge base has nothing on {query[:80]!r}.", "no article has one of these words", "other words"
            )
        return dict(rows[0])

    def articles(self) -> list[dict]:
        """Return the knowledge base: id, title and text of each article."""
        return [dict(row) for row in self._rows("select id, title, text from article order by id")]

    def tickets(self) -> list[dict]:
        """Return all tickets, oldest first."""
        return [dict(row) for row in self._rows("select * from ticket order by cast(substr(id, 3) as integer)")]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _one(self, table: str, key: str) -> dict:
        rows = self._rows(f'select * from "{table}" where id = ? collate nocase', key.strip())
        if not rows:
            raise CourseError(
                f"The shop has no {table} {key[:40]!r}.", "the number is not in our records", "ask for the number again"
            )
        return dict(rows[0])

    def _rows(self, query: str, *values: str) -> list[sqlite3.Row]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    def _load(self) -> None:
        """Fill an empty database, all or nothing: another process may open it as well, or this one end half way."""
        records = read_table("shop_records.toml")
        with self._lock, self._database as database:
            database.execute("begin immediate")
            if database.execute("select 1 from sqlite_master").fetchone():
                return
            for statement in TABLES.strip().split(";\n"):
                database.execute(statement)
            for table, rows in records.items():
                for row in rows:
                    names = ", ".join(f'"{name}"' for name in row)
                    database.execute(
                        f'insert into "{table}" ({names}) values ({", ".join("?" * len(row))})', tuple(row.values())
                    )
            database.execute("insert into article_words select id, title, text from article")


def _broken(rule: sqlite3.Row, reading: int) -> bool:
    return (rule["below"] is not None and reading < rule["below"]) or (
        rule["above"] is not None and reading > rule["above"]
    )


for _lookup in (Desk.lookup_customer, Desk.lookup_order_status, Desk.run_diagnostics, Desk.access_knowledge_base):
    _lookup.repeatable = True  # they change nothing, so one that was cut short can be called again
