"""Samples in a file that outlives the process, and never grows beyond its bound.

    history = History(paths.home() / "monitor.sqlite", most=86_400)    # a day at one a second
    history.read(100)                                                 # the last hundred, the oldest first
    kept(path)                                                        # the last minutes of a file, for scaling.advice

SQLite, so that several processes may write and read the same file. A full disk stops nobody: what could not be written is counted
in `lost`.

Taught in notebook 11, section "What an engine tells".
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.errors import ConfigError

if TYPE_CHECKING:
    from labkit.operate.monitor import Sample

__all__ = ["History", "kept"]

GAP_SECONDS = 60.0  # without a sample: nobody watched, or the clock jumped ahead

TRIM_EVERY = 50  # samples: the file may be longer than `most` by so many


class History:
    """The last `most` samples in the file `path`. Safe to use from many threads. Raises ConfigError for what is no such file.

    Taught in notebook 11, section "What an engine tells".
    """

    def __init__(self, path: Path, most: int = 86_400):
        self.path, self.most, self.lost = path, most, 0
        self._lock, self._written = threading.Lock(), 0
        try:
            self._file = sqlite3.connect(path, timeout=2.0, check_same_thread=False, isolation_level=None)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=NORMAL")  # a sample is not worth a wait for the disk
            self._file.execute("CREATE TABLE IF NOT EXISTS samples (id INTEGER PRIMARY KEY, time REAL, sample TEXT)")
        except sqlite3.Error as error:
            raise ConfigError(f"{path.name} cannot keep a history.", str(error), "labkit monitor --help") from error

    def add(self, sample: Sample) -> None:
        """Keep `sample`; count it in `lost` where the disk is full or the file is gone."""
        row = {"values": sample.values, "models": sample.models, "why": sample.why}
        row["events"] = [[event.alert, event.state, event.severity, event.text] for event in sample.events]
        try:
            with self._lock:
                self._insert(sample.time, json.dumps(row))
        except sqlite3.Error:
            self.lost += 1

    def read(self, last: int = 3600) -> list[dict]:
        """Return the last samples, the oldest first: {"time", "values", "models", "why", "events"}."""
        with self._lock:
            rows = self._file.execute("SELECT time, sample FROM samples ORDER BY id DESC LIMIT ?", (last,)).fetchall()
        return [{"time": at, **json.loads(sample)} for at, sample in reversed(rows)]

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self._file.close()

    def _insert(self, at: float, text: str) -> None:
        self._file.execute("INSERT INTO samples (time, sample) VALUES (?, ?)", (at, text))
        self._written += 1
        if self._written % TRIM_EVERY == 1:
            # By number, not by time: the wall's clock may jump.
            self._file.execute("DELETE FROM samples WHERE id <= (SELECT max(id) FROM samples) - ?", (self.most,))


def kept(path: Path, window: float = 300.0) -> list[Sample]:
    """Return the samples of the last `window` seconds that the file `path` holds, the oldest first; the file stays as it is.

    Their `at` is the wall's clock. Where that went back, or nobody watched for a minute, what lies before is left out. Raises
    ConfigError for a file that is missing, is no history or is empty, and where less than a minute is left after such a break.
    Taught in notebook 11, section "A flood".
    """
    from labkit.operate.monitor import Sample

    last = [Sample(at, at, row["values"], _models(row), row["why"]) for at, row in _rows(path)]
    steps = [later.at - earlier.at for earlier, later in itertools.pairwise(last)]
    broken = max((n for n, step in enumerate(steps, start=1) if not 0 <= step <= GAP_SECONDS), default=0)
    since = last[broken:]
    if broken and (left := since[-1].at - since[0].at) < GAP_SECONDS:
        step = steps[broken - 1]
        what = f"the clock went back by {-step:.0f} s" if step < 0 else f"there is no sample for {step:.0f} s"
        raise ConfigError(f"{path.name} breaks off.", f"{what}, and {left:.0f} s are known since", _fix(path))
    return [one for one in since if one.at >= since[-1].at - window]


def _models(row: dict) -> tuple[str, ...] | None:
    return None if row["models"] is None else tuple(row["models"])


def _rows(path: Path) -> list[tuple[float, dict]]:
    if not path.is_file():
        raise ConfigError(f"There is no file {path.name}.", "a history is written while somebody watches", _fix(path))
    try:
        with contextlib.closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)) as file:
            rows = file.execute("SELECT time, sample FROM samples ORDER BY id").fetchall()
        found = [(float(at), json.loads(sample)) for at, sample in rows]
        complete = all(isinstance(one["values"], dict) and {"models", "why"} <= one.keys() for _, one in found)
    except (sqlite3.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path.name} holds no history.", str(error), _fix(path)) from error
    if not found or not complete:
        why = "nobody has watched yet" if not found else "its samples are of another kind"
        raise ConfigError(f"{path.name} holds no samples.", why, _fix(path))
    return found


def _fix(path: Path) -> str:
    return f"labkit monitor --history {path.name}"
