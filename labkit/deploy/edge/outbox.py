"""What a device has accepted, and what it still has to send to the cloud: on its own disk, so that no crash loses any of it.

    box = Outbox(Path("edge-1.sqlite"))
    box.accept("id-7", '{"text": …}', private=False)      # on the disk when this returns
    box.put("id-7", body)                                 # to be sent; refused for a private request, by the database itself
    box.next()                                            # what to send now; it stays until `sent` says that the answer is here

Sent at least once: a crash between sending and `sent` sends it again, under the same id, and the receiver does it once.
SQLite in WAL mode with synchronous=FULL: a commit survives a kill and a power failure.

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import NoSpace, QueueFull, Refused

__all__ = ["Entry", "Outbox", "State"]

# The triggers are the last wall: whatever a program does, no private request is ever among what is to be sent.
SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
  id TEXT PRIMARY KEY, body TEXT NOT NULL, private INTEGER NOT NULL CHECK (private IN (0, 1)), at REAL NOT NULL,
  value TEXT, "by" TEXT, reason TEXT, first TEXT, stored INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS open ON accepted (at) WHERE "by" IS NULL;
CREATE TABLE IF NOT EXISTS outbox (
  id TEXT PRIMARY KEY REFERENCES accepted (id), body TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  last TEXT NOT NULL DEFAULT '', dead INTEGER NOT NULL DEFAULT 0);
CREATE TRIGGER IF NOT EXISTS private_stays BEFORE INSERT ON outbox
  WHEN (SELECT private FROM accepted WHERE id = NEW.id) IS NOT 0
  BEGIN SELECT RAISE(ABORT, 'private'); END;
CREATE TRIGGER IF NOT EXISTS private_remains BEFORE UPDATE OF private, id ON accepted
  BEGIN SELECT RAISE(ABORT, 'private'); END;
"""


@dataclass(frozen=True)
class Entry:
    """Something to send: the request's id, the body of the call, how often it was tried."""

    id: str
    body: str
    attempts: int


@dataclass(frozen=True)
class State:
    """One accepted request. by: None while nobody has answered; "small", "big", "nobody" or the name of a peer.

    first: who was asked first, and answered: "small" or a peer. stored: it was ever in the outbox. waiting: it is there now.
    """

    id: str
    private: bool
    value: str | None
    by: str | None
    reason: str | None
    first: str | None
    stored: bool
    waiting: bool


class Outbox:
    """The file of one device. most: requests that may be open or waiting at once; more are refused, none dropped. Thread-safe."""

    def __init__(self, file: Path, most: int = 10_000):
        self.most, self._lock = most, threading.Lock()
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None, timeout=10)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        self._database.executescript(SCHEMA)

    def accept(self, id: str, body: str, private: bool) -> bool:
        """Keep a request; it is on the disk when this returns. False: it was accepted before (the client asks a second time).

        Raises Refused (this id stands for another request), QueueFull, NoSpace.
        """
        with self._transaction() as sql:
            known = sql.execute("SELECT body, private FROM accepted WHERE id = ?", (id,)).fetchone()
            if known:
                if known != (body, private):
                    raise Refused(f"{id} is another request.", "an id stands for one request for ever", "use a new id")
                return False
            if self._open(sql) >= self.most:
                raise QueueFull(f"{self.most} requests are open here.", "the cloud is out of reach for long", "")
            sql.execute(
                "INSERT INTO accepted (id, body, private, at) VALUES (?, ?, ?, ?)", (id, body, private, time.time())
            )
        return True

    def unanswered(self) -> list[tuple[str, str]]:
        """Return (id, body) of the requests that nobody has answered yet, oldest first: what a restart goes on with."""
        return self._rows('SELECT id, body FROM accepted WHERE "by" IS NULL ORDER BY at, id')

    @property
    def open(self) -> int:
        """How many requests nobody has answered yet."""
        return self._rows('SELECT count(*) FROM accepted WHERE "by" IS NULL')[0][0]

    def answer(self, id: str, value: str | None, by: str, reason: str = "", first: str | None = None) -> None:
        """Keep an answer, unless there is one: a late answer of the device must not replace the cloud's. `first` is kept anyway."""
        with self._transaction() as sql:
            sql.execute("UPDATE accepted SET first = ? WHERE id = ? AND first IS NULL", (first, id))
            given = (value, by, reason, id)
            sql.execute('UPDATE accepted SET value = ?, "by" = ?, reason = ? WHERE id = ? AND "by" IS NULL', given)

    def put(self, id: str, body: str) -> None:
        """Have `body` sent for request `id`; a second time changes nothing. Raises Refused for a private or an unknown request."""
        try:
            with self._transaction() as sql:
                sql.execute("INSERT INTO outbox (id, body) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", (id, body))
                sql.execute("UPDATE accepted SET stored = 1 WHERE id = ?", (id,))
        except sqlite3.IntegrityError:
            raise Refused(f"{id} may not leave this device.", "it is private, or was never accepted", "") from None

    def next(self) -> Entry | None:
        """Return what to send next: the least tried first, so that one bad entry does not hold up the others."""
        order = "ORDER BY attempts, rowid LIMIT 1"
        found = self._rows(f"SELECT id, body, attempts FROM outbox WHERE NOT dead {order}")
        return Entry(*found[0]) if found else None

    def sent(self, id: str, value: str | None, reason: str = "") -> None:
        """The cloud has answered: keep its answer in place of the device's and forget the entry, in one transaction."""
        with self._transaction() as sql:
            sql.execute('UPDATE accepted SET value = ?, "by" = ?, reason = ? WHERE id = ?', (value, "big", reason, id))
            sql.execute("DELETE FROM outbox WHERE id = ?", (id,))

    def failed(self, id: str, why: str, dead: bool = False) -> None:
        """An attempt failed. dead: the cloud will never take it, so it is kept for a person and sent no more."""
        with self._transaction() as sql:
            sql.execute("UPDATE outbox SET attempts = attempts + 1, last = ?, dead = ? WHERE id = ?", (why, dead, id))

    def find(self, id: str) -> State | None:
        """Return the state of one request, or None if it was never accepted."""
        found = self._rows(f"{_STATE} WHERE id = ?", id)
        return _state(found[0]) if found else None

    def all(self) -> list[State]:
        """Return the state of every request, oldest first."""
        return [_state(row) for row in self._rows(f"{_STATE} ORDER BY at, id")]

    def counts(self) -> dict[str, int]:
        """Return how many: accepted, private, unanswered, stored (ever in the outbox), waiting (there now), dead; and by whom."""
        (row,) = self._rows('SELECT count(*), total(private), total("by" IS NULL), total(stored) FROM accepted')
        names = ("accepted", "private", "unanswered", "stored")
        found = {name: int(value) for name, value in zip(names, row, strict=True)}
        (line,) = self._rows("SELECT total(NOT dead), total(dead) FROM outbox")
        found |= {name: int(value) for name, value in zip(("waiting", "dead"), line, strict=True)}
        who = 'SELECT "by", count(*) FROM accepted WHERE "by" IS NOT NULL GROUP BY "by"'
        return found | {f"by {name}": count for name, count in self._rows(who)}

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _rows(self, query: str, *values: object) -> list[tuple]:
        with self._lock:
            return self._database.execute(query, values).fetchall()

    @staticmethod
    def _open(sql: sqlite3.Connection) -> int:
        both = (
            'SELECT (SELECT count(*) FROM accepted WHERE "by" IS NULL) + (SELECT count(*) FROM outbox WHERE NOT dead)'
        )
        return sql.execute(both).fetchone()[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise NoSpace(f"The device cannot write to its disk: {error}.", "it is full or gone", "") from error
                raise


_STATE = """SELECT id, private, value, "by", reason, first, stored,
  EXISTS (SELECT 1 FROM outbox WHERE outbox.id = accepted.id AND NOT dead) FROM accepted"""


def _state(row: tuple) -> State:
    id, private, value, by, reason, first, stored, waiting = row
    return State(id, bool(private), value, by, reason, first, bool(stored), bool(waiting))
