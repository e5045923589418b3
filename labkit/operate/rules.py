"""Alert rules as data: data/alerts.toml, or a file of one's own.

    rules()["queue"].above                # 50, the module's
    read_rules(Path("mine.toml"))         # checked: a typing error is an error, not a rule that never fires

What makes them fire is in `alerts.py`; `prometheus_rules.py` writes them for Prometheus.

Taught in notebook 11, section "An engine dies".
"""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from labkit import paths
from labkit.errors import ConfigError
from labkit.operate.engine_metrics import table

__all__ = ["Rule", "read_rules", "rules"]

SEVERITIES = ("warning", "critical")


@dataclass(frozen=True)
class Rule:
    """One alert rule. Exactly one of `above` and `below` is set; times in seconds; data/alerts.toml says what each means.

    Raises ConfigError for a rule that could never work: an unknown metric, a `clear` on the wrong side, a time that is none.
    Taught in notebook 11, section "An engine dies".
    """

    name: str
    metric: str
    clear: float
    severity: str
    says: str
    above: float | None = None
    below: float | None = None
    window_seconds: float = 60.0
    for_seconds: float = 0.0
    absent_seconds: float = 60.0
    idle_is_fine: bool = False
    origin: str = ""

    def __post_init__(self):
        self._check((self.above is None) != (self.below is None), "it needs either `above` or `below`")
        known = [name for section in table().values() for name in section]
        if self.metric not in known:
            close = difflib.get_close_matches(self.metric, known, 1)
            self._check(
                False, f"no figure is called {self.metric!r}" + (f"; did you mean {close[0]}?" if close else "")
            )
        numbers = [self.limit, self.clear, self.window_seconds, self.for_seconds, self.absent_seconds]
        self._check(all(isinstance(one, int | float) and math.isfinite(one) for one in numbers), "a limit is no number")
        self._check(min(numbers[2:]) >= 0 < self.absent_seconds, "times are seconds, and absence takes some")
        fine = self.clear <= self.limit if self.above is not None else self.clear >= self.limit
        self._check(fine, "`clear` lies beyond the limit: it would end and begin again at once")
        self._check(self.severity in SEVERITIES, f"severity is one of {', '.join(SEVERITIES)}")

    @property
    def limit(self) -> float:
        """What it fires beyond."""
        return self.above if self.above is not None else self.below

    def beyond(self, value: float) -> bool:
        """Whether `value` is beyond the limit. The limit itself is not."""
        return value > self.above if self.above is not None else value < self.below

    def cleared(self, value: float) -> bool:
        """Whether `value` is far enough back for the alert to end."""
        return value <= self.clear if self.above is not None else value >= self.clear

    def _check(self, fine: bool, why: str) -> None:
        if not fine:
            raise ConfigError(f"The alert rule {self.name!r} cannot work.", why, "labkit monitor --once")


def rules() -> dict[str, Rule]:
    """Return the course's rules by name. Taught in notebook 11, section "An engine dies"."""
    return read_rules(paths.data_dir() / "alerts.toml")


def read_rules(path: Path) -> dict[str, Rule]:
    """Return the rules of a TOML file by name. Raises ConfigError for a file or a rule that cannot be read.

    Taught in notebook 11, section "An engine dies".
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name} holds no alert rules.", str(error), "labkit monitor --help") from error
    return {name: _rule(name, row) for name, row in found.items()}


def _rule(name: str, row: object) -> Rule:
    if not isinstance(row, dict):
        raise ConfigError(f"{name!r} is no alert rule.", "a rule is a table: [name]", "labkit monitor --help")
    known = {one.name for one in fields(Rule)} - {"name", "origin"} | {"from"}
    unknown = sorted(set(row) - known)
    try:
        if unknown:
            raise TypeError(f"unknown: {', '.join(unknown)}")
        return Rule(name=name, **{"origin" if key == "from" else key: value for key, value in row.items()})
    except TypeError as error:
        raise ConfigError(f"The alert rule {name!r} cannot work.", str(error), "labkit monitor --help") from error
