"""The models that are in memory now: loaded when asked for, at most so many and so many bytes, unloaded when idle.

    fleet = Fleet({"small": {"model": "smollm2-135m"}, "large": {"backend": "ollama", "model": "qwen2.5-0.5b"}})
    with fleet.use("small") as endpoint: ...           # starts it if it is not there, or has died
    fleet.sweep()                                      # unloads what was idle for 300 s, and what is over the budget

Bytes are measured at the engine's processes (psutil), not taken from a table; only what was never
loaded is estimated, from its file.
When room is needed, the one used longest ago goes; never one in use, never a pinned one.

Taught in notebook 10, section "Too many".
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.errors import Expired, OverBudget, UnknownModel
from labkit.footprint import memory_of
from labkit.operate.forward_clock import Clock, ForwardClock

__all__ = ["Fleet", "used_bytes"]

BUDGET_BYTES, MOST, IDLE_S = 8 * 10**9, 3, 300.0


@dataclass(eq=False)
class _Row:
    name: str
    last_used: float
    bytes: int
    endpoint: Any = None  # None while it loads
    users: int = 0


class Fleet:
    """The models that are in memory, as many as the budget allows. Thread-safe.

    models: name -> what labkit.connect takes. budget_bytes: for all of them together. most: loaded at once. idle_s: unused
    for longer, a model is unloaded by `sweep`. clock: seconds, for idleness. connect: starts one (labkit.connect).

    Taught in notebook 10, section "Too many".
    """

    def __init__(
        self,
        models: Mapping[str, Mapping[str, Any]],
        *,
        budget_bytes: int = BUDGET_BYTES,
        most: int = MOST,
        idle_s: float = IDLE_S,
        clock: Clock = time.monotonic,
        connect: Callable[..., Any] | None = None,
    ):
        self.models, self.budget_bytes, self.most, self.idle_s = dict(models), budget_bytes, most, idle_s
        self._clock, self._connect = ForwardClock(clock), connect or _connect
        self._rows: dict[str, _Row] = {}
        self._measured: dict[str, int] = {}
        self._guessed: dict[str, int] = {}
        self._pinned: set[str] = set()
        self._changed = threading.Condition()
        self.loads = 0

    @contextlib.contextmanager
    def use(self, name: str, seconds: float = 120.0) -> Iterator[Any]:
        """Yield the endpoint of a model; it stays loaded for the block.

        Waits at most `seconds` while others use what would have to go. Raises UnknownModel, OverBudget (it cannot fit), Expired,
        and what labkit.connect raises.
        """
        row = self._borrow(name, time.monotonic() + seconds)
        try:
            yield row.endpoint
        finally:
            self._give_back(row)

    def known(self, name: str) -> str:
        """Return the name of a model of this fleet. Raises UnknownModel."""
        if name not in self.models:
            raise UnknownModel(f"There is no model {name!r} here.", f"known: {', '.join(self.models)}", "labkit models")
        return name

    def pin(self, name: str) -> None:
        """Keep a model loaded once it is. Raises UnknownModel."""
        self._pinned.add(self.known(name))

    def unpin(self, name: str) -> None:
        """Let a model go again when it is idle."""
        with self._changed:
            self._pinned.discard(name)
            self._changed.notify_all()

    def sweep(self) -> list[str]:
        """Unload what died, what was idle for too long, and, over the budget, what was used longest ago; return the names."""
        self._measure()
        with self._changed:
            now, gone = self._clock(), []
            for row in self._idle():
                late = now - row.last_used > self.idle_s and row.name not in self._pinned
                if late or not row.endpoint.alive:
                    gone.append(self._rows.pop(row.name))
            while self._total() > self.budget_bytes and (row := self._longest_unused()):
                gone.append(self._rows.pop(row.name))
            self._changed.notify_all()
        _close(gone)
        return [row.name for row in gone]

    def status(self) -> list[dict]:
        """Return what is loaded: name, memory_bytes as last measured, idle_s, users, pinned, alive."""
        with self._changed:
            now = self._clock()
            return [
                {
                    "name": row.name,
                    "memory_bytes": row.bytes,
                    "idle_s": 0.0 if row.users else now - row.last_used,
                    "users": row.users,
                    "pinned": row.name in self._pinned,
                    "alive": bool(row.endpoint and row.endpoint.alive),
                }
                for row in self._rows.values()
            ]

    def endpoints(self) -> list[Any]:
        """Return the endpoints that are loaded now."""
        with self._changed:
            return [row.endpoint for row in self._rows.values() if row.endpoint]

    def close(self) -> None:
        """Unload everything, also what is in use."""
        with self._changed:
            gone = [row for row in self._rows.values() if row.endpoint]
            self._rows.clear()
            self._changed.notify_all()
        _close(gone)

    def _borrow(self, name: str, deadline: float) -> _Row:
        """Return the row of a model that runs, with this user counted."""
        need, gone = self._estimate(self.known(name)), []
        try:
            with self._changed:
                while not (found := self._running(name, gone) or self._placeholder(name, need, gone)):
                    self._wait(name, deadline)
        finally:
            _close(gone)
        return found if found.endpoint else self._load(found)

    def _running(self, name: str, gone: list[_Row]) -> _Row | None:
        row = self._rows.get(name)
        if row is None or row.endpoint is None:
            return None
        if not row.endpoint.alive:  # who still uses it will close it
            del self._rows[name]
            gone += [] if row.users else [row]
            return None
        row.users += 1
        return row

    def _placeholder(self, name: str, need: int, gone: list[_Row]) -> _Row | None:
        """Return a new row that holds the place of a model while this thread loads it; None: another loads it, or no room now."""
        if name in self._rows or (victims := self._room(name, need)) is None:
            return None
        gone += victims
        self._rows[name] = _Row(name, self._clock(), need, users=1)
        return self._rows[name]

    def _wait(self, name: str, deadline: float) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Expired(
                f"The model {name} could not be loaded in time.", "all that is loaded is in use", "labkit doctor"
            )
        self._changed.wait(min(left, 0.5))

    def _room(self, name: str, need: int) -> list[_Row] | None:
        """Take out of the table what has to go for `need` bytes and return it; None: not now. Raises OverBudget: never."""
        if need > self.budget_bytes:
            self._over(name, need, "it is larger than the whole budget")
        staying = [row for row in self._rows.values() if row.name in self._pinned]
        if len(staying) >= self.most or need + sum(row.bytes for row in staying) > self.budget_bytes:
            self._over(name, need, f"pinned: {', '.join(row.name for row in staying)}")
        gone: list[_Row] = []
        while len(self._rows) >= self.most or self._total() + need > self.budget_bytes:
            row = self._longest_unused()
            if row is None:
                self._rows |= {row.name: row for row in gone}
                return None
            gone.append(self._rows.pop(row.name))
        return gone

    def _load(self, row: _Row) -> _Row:
        try:
            endpoint = self._connect(**self.models[row.name])
        except BaseException:
            self._forget(row)
            raise
        self._note_bytes(row, endpoint)
        with self._changed:
            gone = []
            while self._total() > self.budget_bytes and (other := self._longest_unused()):
                gone.append(self._rows.pop(other.name))
            too_much = self._total() > self.budget_bytes
            row.endpoint, self.loads = endpoint, self.loads + 1
            if too_much:
                self._rows.pop(row.name, None)
            self._changed.notify_all()
        _close([*gone, row] if too_much else gone)
        if too_much:
            self._over(row.name, row.bytes, "measured, beside what is in use or pinned")
        return row

    def _forget(self, row: _Row) -> None:
        with self._changed:
            if self._rows.get(row.name) is row:
                del self._rows[row.name]
            self._changed.notify_all()

    def _give_back(self, row: _Row) -> None:
        with self._changed:
            row.users -= 1
            row.last_used = self._clock()
            orphan = self._rows.get(row.name) is not row and not row.users
            self._changed.notify_all()
        if orphan:
            _close([row])

    def _measure(self) -> None:
        """Look at the memory of every engine; outside the lock, because it takes some milliseconds each."""
        with self._changed:
            rows = [row for row in self._rows.values() if row.endpoint]
        for row in rows:
            self._note_bytes(row, row.endpoint)

    def _note_bytes(self, row: _Row, endpoint: Any) -> None:
        if found := used_bytes(endpoint):
            row.bytes = found
            self._measured[row.name] = max(found, self._measured.get(row.name, 0))

    def _estimate(self, name: str) -> int:
        if known := self._measured.get(name) or self._guessed.get(name):
            return known
        from labkit import catalog, weights

        wish = self.models[name]
        model, engine = wish.get("model", "auto"), wish.get("backend", "auto")
        asked = catalog.default_model() if model == "auto" else catalog.model(model)
        sizes = {key: wish[key] for key in ("context", "parallel") if key in wish}
        fit = weights.fits(asked, engine="llamacpp" if engine == "auto" else engine, **sizes)
        self._guessed[name] = fit.needed_bytes
        return fit.needed_bytes

    def _idle(self) -> list[_Row]:
        return [row for row in self._rows.values() if row.endpoint and not row.users]

    def _longest_unused(self) -> _Row | None:
        free = [row for row in self._idle() if row.name not in self._pinned]
        return min(free, key=lambda row: row.last_used, default=None)

    def _total(self) -> int:
        return sum(row.bytes for row in self._rows.values())

    def _over(self, name: str, need: int, why: str) -> None:
        budget = f"{need / 1e9:.2f} GB where {self.budget_bytes / 1e9:.2f} GB are allowed for all"
        raise OverBudget(f"The model {name} does not fit the memory budget.", f"{budget}; {why}", "labkit models")


def used_bytes(endpoint: Any) -> int | None:
    """Return the memory of an engine's processes in bytes, or None.

    Shared pages are counted in parts (PSS) where the system says, else resident memory. None if labkit does not own the
    process, or it is gone. Memory of a GPU does not count.

    Taught in notebook 10, section "Too many".
    """
    if endpoint.process is None:
        return None
    found = memory_of(endpoint.process.family())
    return (found.bytes or None) if found else None


def _connect(**wish: Any) -> Any:
    from labkit.backends import connect

    return connect(**wish)


def _close(rows: list[_Row]) -> None:
    for row in rows:
        if row.endpoint:
            row.endpoint.close()
