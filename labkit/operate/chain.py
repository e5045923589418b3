"""The chain of an audit log: each line carries the hash of the line before and a seal over itself, so no line can change alone.

    report = verify(file, key=key_from_environment())
    report.ok, report.problem, report.line        # the first line that does not hold, counted from 1
    report.anchor                                 # "SEQ:HASH": keep it elsewhere, and give it to a later verify

The seal is SHA-256, or HMAC-SHA-256 with the key in LABKIT_AUDIT_KEY. Without a key whoever may write the files can make a whole
new chain; only an anchor that was kept elsewhere shows it. With a key the same holds for going back to an old copy of both files.

Taught in notebook 10, sections "Who may do what" and "What happened".
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import disk
from labkit.errors import AuditBroken, AuditError, ConfigError

__all__ = [
    "Head",
    "MAX_ENTRY",
    "Report",
    "START",
    "alone",
    "canonical",
    "entries",
    "head_file",
    "key_from_environment",
    "open_line",
]
__all__ += ["read_head", "seal_entry", "seal_head", "verify"]

KEY_VARIABLE, KEY_LENGTH = "LABKIT_AUDIT_KEY", 16
MAX_ENTRY = 64 * 1024  # bytes of a line
WAIT_S = 10.0  # for another process that has the log
JUMP_S = 2.0  # wall clock and monotonic clock may differ by so much between two entries of one process


@dataclass(frozen=True)
class Head:
    """Where a chain ends: number and hash of its last entry, and the bytes up to there."""

    seq: int
    hash: str
    size: int


START = Head(0, "0" * 64, 0)  # before the first entry


@dataclass(frozen=True)
class Report:
    """What verify saw of an audit log.

    `ok`, how many `entries` hold, the `anchor` of the last one ("SEQ:HASH"), and if not ok the `problem` and the `line` it
    is in (0: the end, or the head file). torn_bytes: of a last line that a crash cut short. clock_jumps: lines before which
    somebody set the wall clock.
    """

    ok: bool
    entries: int
    anchor: str
    keyed: bool
    problem: str = ""
    line: int = 0
    torn_bytes: int = 0
    clock_jumps: tuple[int, ...] = ()

    def to_dict(self) -> dict:
        """Return it as JSON would hold it."""
        return asdict(self)


def canonical(value: object) -> bytes:
    """Return the one JSON text of `value`: sorted keys, no spaces, ASCII. Raises AuditError for what JSON cannot hold."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise AuditError("An audit entry holds something that JSON cannot.", str(error)[:200], "") from error


def key_from_environment() -> bytes | None:
    """Return the key in LABKIT_AUDIT_KEY, or None. Raises ConfigError for one under 16 characters."""
    key = os.environ.get(KEY_VARIABLE, "")
    if key and len(key) < KEY_LENGTH:
        why = f"it has {len(key)} characters; {KEY_LENGTH} are the least"
        raise ConfigError(f"The key in {KEY_VARIABLE} is too short.", why, "openssl rand -hex 32")
    return key.encode() or None


def seal_entry(entry: dict, before: Head, key: bytes | None) -> tuple[bytes, Head]:
    """Return the line (with its newline) of `entry` after `before`, and the new head. Raises AuditError if it is too long."""
    body = entry | {"seq": before.seq + 1, "prev": before.hash, "seal": _kind(key)}
    seal = _seal(body, key)
    line = canonical(body | {"hash": seal}) + b"\n"
    if len(line) > MAX_ENTRY:
        raise AuditError(f"An audit entry has {len(line)} bytes.", f"{MAX_ENTRY} are the most", "record less of it")
    return line, Head(before.seq + 1, seal, before.size + len(line))


def open_line(line: bytes, before: Head, key: bytes | None) -> tuple[dict, Head]:
    """Return the entry of a line that follows `before`, and the head after it. Raises AuditBroken, and says what is wrong."""
    entry = _parsed(line)
    seal = entry.pop("hash", None)
    if entry.get("seal") != _kind(key):
        raise AuditBroken("sealed another way", f"{entry.get('seal')!r}, where {_kind(key)} is expected", _key_fix(key))
    if seal != _seal(entry, key):
        raise AuditBroken("the entry is not what was sealed", "it was edited, or the key is another one", "")
    if (entry.get("seq"), entry.get("prev")) != (before.seq + 1, before.hash):
        what = f"entry {entry.get('seq')} follows entry {before.seq}"
        raise AuditBroken("a line is missing, doubled or in another place", what, "")
    return entry, Head(before.seq + 1, seal, before.size + len(line))


def head_file(file: Path) -> Path:
    """Return the file beside the log that says where it ends: without it nobody could tell that the end is missing."""
    return file.with_name(file.name + ".head")


def seal_head(head: Head, key: bytes | None) -> bytes:
    """Return the text of the head file."""
    return canonical(asdict(head) | {"sealed": _seal(asdict(head), key)}) + b"\n"


def read_head(file: Path, key: bytes | None) -> Head:
    """Return what the head file of a log says; START where there is none. Raises AuditBroken if it was edited."""
    try:
        text = head_file(file).read_bytes()
    except FileNotFoundError:
        return START
    try:
        fields = json.loads(text)
        head = Head(fields["seq"], fields["hash"], fields["size"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise AuditBroken(f"The head of {file} cannot be read.", "it was edited or cut", "") from None
    if text != seal_head(head, key):
        raise AuditBroken(f"The head of {file} is not what was sealed.", "edited, or another key", _key_fix(key))
    return head


@contextmanager
def alone(file: Path, seconds: float = WAIT_S) -> Iterator[None]:
    """Hold the log for the block, waiting at most `seconds` for another process. Raises AuditError after that."""
    deadline = time.monotonic() + seconds

    def waiting() -> None:
        if time.monotonic() > deadline:
            raise AuditError(f"{file} is busy.", f"another process has held it for {seconds:g} s", "labkit doctor")

    with disk.one_writer(file, waiting, poll_s=0.002):
        yield


def entries(file: Path, key: bytes | None, size: int | None = None) -> Iterator[tuple[dict, Head]]:
    """Yield each entry and the head after it, of the first `size` bytes. Raises AuditBroken at the first that does not hold.

    Taught in notebook 10, section "What happened".
    """
    head = START
    with open(file, "rb") as log:
        while line := log.readline(MAX_ENTRY + 1 if size is None else min(MAX_ENTRY + 1, size - head.size)):
            entry, head = open_line(line, head, key)
            yield entry, head


def verify(file: Path, key: bytes | None = None, anchor: str = "") -> Report:
    """Check every line, the head beside the log, and an `anchor` ("SEQ:HASH") of an earlier verify.

    Raises AuditError if there is neither a log nor its head, or another process holds it, ConfigError for an anchor that is none.

    Taught in notebook 10, section "What happened".
    """
    wanted = _anchor(anchor)
    if not file.exists() and not head_file(file).exists():
        raise AuditError(f"There is no audit log {file}.", "the path is wrong, or nothing was recorded", "")
    head, size, problem = _snapshot(file, key)
    last, jumps, before, anchored = START, [], None, wanted is None
    try:
        for entry, after in entries(file, key, size) if size else ():
            last = after
            anchored = anchored or (last.seq, last.hash) == wanted
            jumps += [last.seq] if before and _jumped(before, entry) else []
            before = entry
            if last.seq == head.seq and last != head:
                problem = problem or "the log does not agree with its head"
    except AuditBroken as error:
        cut_by_crash = last.seq >= head.seq and size - last.size <= MAX_ENTRY
        return _broken(file, last, size, key, error, tuple(jumps), cut_by_crash)
    if not problem and not head.seq <= last.seq <= head.seq + 1:
        problem = f"the head says {head.seq} entries, the log has {last.seq}"
    if not problem and not anchored:
        problem = f"entry {wanted[0]} is not the one of the anchor"
    return Report(not problem, last.seq, f"{last.seq}:{last.hash}", bool(key), problem, 0, 0, tuple(jumps))


def _snapshot(file: Path, key: bytes | None) -> tuple[Head, int, str]:
    """Return head, size, and what is wrong with the head, at a moment when nobody writes."""
    folder = file.absolute().parent
    with alone(file) if os.access(folder, os.W_OK) else nullcontext():
        size = file.stat().st_size if file.exists() else 0
        try:
            return read_head(file, key), size, ""
        except AuditBroken as error:
            return START, size, str(error.what)


def _broken(
    file: Path, last: Head, size: int, key: bytes | None, error: AuditBroken, jumps: tuple, crash: bool
) -> Report:
    with open(file, "rb") as log:
        log.seek(last.size)
        rest = log.read(min(MAX_ENTRY, size - last.size))
    torn = len(rest) if crash and b"\n" not in rest else 0
    problem = f"{error.what} ({error.why})" if error.why else error.what
    return Report(False, last.seq, f"{last.seq}:{last.hash}", bool(key), problem, last.seq + 1, torn, jumps)


def _parsed(line: bytes) -> dict:
    try:
        entry = json.loads(line)
        same = isinstance(entry, dict) and canonical(entry) + b"\n" == line
    except (ValueError, RecursionError, AuditError):
        same = False
    if not same:
        raise AuditBroken("the line is no entry as it was written", "edited, or cut short", "")
    return entry


def _seal(body: dict, key: bytes | None) -> str:
    text = canonical(body)
    return hmac.new(key, text, "sha256").hexdigest() if key else hashlib.sha256(text).hexdigest()


def _kind(key: bytes | None) -> str:
    return "hmac-sha256" if key else "sha256"


def _key_fix(key: bytes | None) -> str:
    return f"unset {KEY_VARIABLE}" if key else disk.set_variable(KEY_VARIABLE, "THE_KEY")


def _anchor(text: str) -> tuple[int, str] | None:
    if not text:
        return None
    seq, _, seal = text.partition(":")
    if not seq.isascii() or not seq.isdigit() or len(seal) != 64:
        raise ConfigError(
            f"{text[:80]!r} is no anchor.", "SEQ:HASH is wanted, as verify prints it", "labkit audit verify FILE"
        )
    return int(seq), seal


def _jumped(before: dict, entry: dict) -> bool:
    """Whether wall and monotonic clock disagree on the time between two entries; a reboot starts the monotonic clock anew."""
    clocks = [one.get(name) for name in ("time", "mono") for one in (before, entry)]
    if not all(isinstance(one, int | float) for one in clocks):
        return False
    wall, mono = clocks[1] - clocks[0], clocks[3] - clocks[2]
    return mono >= 0 and abs(wall - mono) > JUMP_S
