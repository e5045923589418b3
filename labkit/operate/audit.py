"""Append-only audit log: who did what, when, with what outcome; hash-chained JSON lines that several processes may write.

    log = AuditLog("audit.jsonl")
    log.append("tool.called", who="ana", role="agent", tool="create_ticket", outcome="done", content={"issue": "…"})

What people wrote (`content`) is kept only if the log was told to; else only its length. All of it is redacted before it is written:
addresses, card numbers and keys do not get in (labkit/operate/redaction.py). `who` and `by` stay as given, for that is what the log
is for: give an internal id there.

An entry is in the file as a whole or not at all, and the caller knows which: append returns when it is, or raises.
`labkit audit verify` checks the chain (labkit/operate/chain.py).

Taught in notebook 10, sections "Who may do what" and "What happened".
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from labkit.errors import AuditBroken, AuditError, NoSpace
from labkit.operate.chain import (
    MAX_ENTRY,
    START,
    Head,
    alone,
    canonical,
    head_file,
    key_from_environment,
    open_line,
    read_head,
    seal_entry,
    seal_head,
)
from labkit.operate.redaction import redacted, redacted_inside

__all__ = ["AuditLog"]

LONGEST = 500  # characters of one field
PEOPLE = ("who", "by")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass
class AuditLog:
    """An audit log at `file`; `file`.head beside it says where it ends. For any number of threads and processes.

    content: whether what people wrote is kept, redacted. redact: gives back what may be written of a text. sync_s: at most so many
    seconds of entries are lost when the power fails (0: none, each entry is on the disk before append returns; inf: the system
    decides). key: of the seal; default LABKIT_AUDIT_KEY.

    Taught in notebook 10, section "What happened".
    """

    file: Path
    content: bool = False
    sync_s: float = 0.0
    key: bytes | None = field(default_factory=key_from_environment, repr=False)
    redact: Callable[[str], str] = field(default=redacted, repr=False)
    wall: Callable[[], float] = field(default=time.time, repr=False)
    _synced: float = field(default=float("-inf"), init=False, repr=False)

    def __post_init__(self):
        self.file = Path(self.file).absolute()

    def append(self, event: str, *, content: object = None, **facts: object) -> Head:
        """Add one entry and return the new head. facts: short texts, numbers, yes or no.

        Raises NoSpace (the file is as before), AuditBroken (somebody changed the log: it is not written on), AuditError (not
        writable, busy for 10 s, or an entry that JSON cannot hold).
        """
        clean = {name: one if name in PEOPLE else self._clean(name, one) for name, one in facts.items()}
        body = {"event": self._clean("", event), "facts": clean}
        if content is not None:
            body["content"] = self._kept(canonical(content))
        with self._errors(), alone(self.file), self._opened() as log:
            head = self._end(log)
            return self._write(log, body, head)

    def _clean(self, name: str, value: object) -> object:
        if not (value is None or isinstance(value, bool | int | float)):
            value = str(value)[:MAX_ENTRY]  # patterns on megabytes would take seconds
        clean = redacted_inside(value, self.redact, name)
        return f"{clean[:LONGEST]} [cut]" if isinstance(clean, str) and len(clean) > LONGEST else clean

    def _kept(self, text: bytes) -> object:
        if not self.content:
            return {"characters": len(text)}
        if len(text) > MAX_ENTRY:
            raise AuditError(f"Content of {len(text)} bytes.", f"an entry has {MAX_ENTRY} at most", "record less of it")
        try:
            return redacted_inside(json.loads(text), self.redact)
        except RecursionError as error:
            raise AuditError(
                "Content nested too deep.", "its parts refer to each other, or it was made to be", ""
            ) from error

    def _stamp(self) -> dict:
        return {"time": round(self.wall(), 6), "mono": round(time.monotonic(), 6), "pid": os.getpid()}

    @contextlib.contextmanager
    def _opened(self) -> Iterator[FileIO]:
        with open(os.open(self.file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b", 0) as log:
            yield log

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                why = f"{error.strerror}; the entry was not recorded"
                raise NoSpace(f"No room for the audit log {self.file}.", why, "df -h") from error
            raise AuditError(f"Cannot write the audit log {self.file}.", str(error), "labkit doctor") from error

    def _end(self, log: FileIO) -> Head:
        """Return where the chain ends, once the tail is known to hold; a line that a crash cut short is set aside."""
        head = read_head(self.file, self.key)
        size = log.seek(0, os.SEEK_END)
        if size < head.size:
            self._refuse(f"its end is missing: {size} bytes, where the head says {head.size}")
        self._check_last(log, head)
        rest = _read(log, head.size, MAX_ENTRY + 1)
        if not rest:
            return head
        if rest.endswith(b"\n"):  # written, and then the process ended before it wrote the head
            try:
                return open_line(rest, head, self.key)[1]
            except AuditBroken as error:
                self._refuse(f"after its end somebody else wrote: {error.what}")
        if b"\n" in rest or len(rest) > MAX_ENTRY:
            self._refuse("after its end somebody else wrote")
        return self._repair(log, head, rest)

    def _check_last(self, log: FileIO, head: Head) -> None:
        if head == START:
            return
        tail = _read(log, max(0, head.size - MAX_ENTRY), min(MAX_ENTRY, head.size))
        line = tail[tail.rfind(b"\n", 0, -1) + 1 :]
        if f'"hash":"{head.hash}"'.encode() not in line or not line.endswith(b"\n"):
            self._refuse("its last entry is not the one that its head names")

    def _repair(self, log: FileIO, head: Head, rest: bytes) -> Head:
        """Set the beginning of a line aside (nobody was told that it was recorded), and note that in the chain."""
        number = 1
        while (aside := self.file.with_name(f"{self.file.name}.torn-{number}")).exists():
            number += 1
        aside.write_bytes(rest)
        log.truncate(head.size)
        facts = {"bytes": len(rest), "sha256": hashlib.sha256(rest).hexdigest(), "kept_as": aside.name}
        return self._write(log, {"event": "audit.repaired", "facts": facts}, head)

    def _write(self, log: FileIO, body: dict, head: Head) -> Head:
        line, after = seal_entry(body | self._stamp(), head, self.key)
        sync = time.monotonic() - self._synced >= self.sync_s
        try:
            _write_all(log, head.size, line)
            if sync:
                os.fsync(log.fileno())
            self._write_head(after, sync)
        except OSError:
            log.truncate(head.size)
            raise
        if sync:
            self._synced = time.monotonic()
        return after

    def _write_head(self, head: Head, sync: bool) -> None:
        target = head_file(self.file)
        temporary = target.with_name(target.name + ".tmp")
        try:
            with open(temporary, "wb", 0) as file:
                _write_all(file, 0, seal_head(head, self.key))
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def _refuse(self, why: str) -> None:
        raise AuditBroken(f"{self.file} is not written on.", why, f'labkit audit verify "{self.file}"')


def _read(log: FileIO, start: int, most: int) -> bytes:
    log.seek(start)
    return log.read(most)


def _write_all(file: FileIO, start: int, data: bytes) -> None:
    file.seek(start)
    view = memoryview(data)
    while view:  # a disk that fills up takes a part, and says so at the next try
        view = view[file.write(view) :]
