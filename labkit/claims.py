"""What the course module claims, beside what this machine measured.

    from labkit import claims

    claims.measured("q8_0-half", 53.5, endpoint=endpoint)       # one call where a notebook has measured something
    claims.results()                                            # every claim: its figure, ours, the verdict

The claims stand in data/claims.toml. Measurements are kept in `claims.json` in labkit's folder: the latest of each claim, with
unit, error, n, machine, engine, model and date. A claim holds here when its range, widened by its tolerance, meets the
measurement with its error; the verdict says so where it takes the error to meet.

Taught in notebook 02, section "What is small?".
"""

from __future__ import annotations

import difflib
import math
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from functools import cache

from labkit.errors import ConfigError
from labkit.json_record import JsonRecord
from labkit.paths import read_table

__all__ = ["Claim", "Measurement", "Result", "claim", "claims", "forget", "measured", "results"]

HOLDS, FAILS, NEAR = "holds here", "doesn't hold here", "holds here within its error"
UNTESTABLE, OPEN = "not testable here", "not measured yet"


@dataclass(frozen=True)
class Claim:
    """One quantified claim of the module, in our words.

    low, high: the figure as a range in `unit`; None leaves a side open. tolerance: what "about" is worth, in `unit`. how: the
    test. lesson: the notebook that runs it. correction and source: what is known better, and from where. untestable: why no
    machine here can test it (then there is no `how`).
    """

    id: str
    section: str
    says: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    tolerance: float = 0.0
    how: str = ""
    lesson: str = ""
    correction: str = ""
    source: str = ""
    untestable: str = ""

    @property
    def figure(self) -> str:
        """The claimed range as text: "10 to 30 times", "at most 100 ms"."""
        low, high = (None if one is None else f"{one:g}" for one in (self.low, self.high))
        if low == high:
            text = low or ""
        elif low and high:
            text = f"{low} to {high}"
        else:
            text = f"at least {low}" if low else f"at most {high}"
        return f"{text} {self.unit}".strip()

    def meets(self, value: float, error: float = 0.0) -> bool:
        """Return whether `value` ± `error`, in the claim's unit, meets its range ± tolerance."""
        low = -math.inf if self.low is None else self.low - self.tolerance
        high = math.inf if self.high is None else self.high + self.tolerance
        return value + error >= low and value - error <= high


@dataclass(frozen=True)
class Measurement:
    """One figure measured here. value and error in the claim's unit; n: how many samples; note: what a reader must know."""

    value: float
    error: float = 0.0
    n: int = 1
    unit: str = ""
    engine: str = ""
    model: str = ""
    machine: str = ""
    date: str = ""
    note: str = ""

    @property
    def figure(self) -> str:
        """The value with its error, to two digits of the error (three digits where there is none)."""
        if not self.error:
            return f"{self.value:{',.0f' if abs(self.value) >= 1000 else '.3g'}} {self.unit}".strip()
        digits = max(0, 1 - math.floor(math.log10(self.error)))
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f} {self.unit}".strip()


@dataclass(frozen=True)
class Result:
    """One claim, what was measured here (None: nothing yet), and the verdict."""

    claim: Claim
    measurement: Measurement | None = field(default=None)

    @property
    def verdict(self) -> str:
        """One of HOLDS, NEAR (the value itself is outside, its error bar reaches in), FAILS, UNTESTABLE, OPEN."""
        if self.claim.untestable:
            return UNTESTABLE
        if self.measurement is None:
            return OPEN
        if self.claim.meets(self.measurement.value):
            return HOLDS
        return NEAR if self.claim.meets(self.measurement.value, self.measurement.error) else FAILS

    def __str__(self) -> str:
        figure = self.measurement.figure if self.measurement else "–"
        where, verdict = "here", self.verdict
        if self.measurement and self.measurement.machine.startswith("replayed"):
            where, verdict = "recorded, elsewhere", verdict.replace(" here", " there")
        return f"{self.claim.says}\n    module: {self.claim.figure} · {where}: {figure} · {verdict}"

    def to_dict(self) -> dict:
        """Return a JSON-ready dict: the claim's fields, `figure`, `verdict` and `measurement`."""
        here = asdict(self.measurement) if self.measurement else None
        return {**asdict(self.claim), "figure": self.claim.figure, "verdict": self.verdict, "measurement": here}


def claims() -> list[Claim]:
    """Return every claim, in the order of the module."""
    return list(_claims().values())


def claim(name: str) -> Claim:
    """Return one claim by its id. Raises ConfigError for an id that is none."""
    if name not in _claims():
        close = difflib.get_close_matches(name, _claims(), 1)
        hint = f"did you mean {close[0]!r}?" if close else "the ids stand in data/claims.toml"
        raise ConfigError(f"There is no claim {name!r}.", hint, "labkit claims")
    return _claims()[name]


def measured(
    name: str, value: float, *, error: float = 0.0, n: int = 1, endpoint=None, engine="", model="", note: str = ""
) -> Result:
    """Keep what was measured for the claim `name`, and return the Result, which prints as two lines.

    value, error (half width of a 95 % interval, or half the range of the rounds) in the claim's unit; n: samples. endpoint: the
    labkit Endpoint that was measured (gives engine and model). A replayed endpoint's figures are another machine's: they are
    not kept. Raises ConfigError for an unknown or untestable claim, and for a value that is no finite number.
    """
    one = claim(name)
    _check(one, value, error)
    from labkit import hardware

    if endpoint is not None:
        engine, model = f"{endpoint.backend} {endpoint.engine_version}".strip(), endpoint.model
    here = Measurement(
        float(value), float(error), int(n), one.unit, engine, model, hardware.machine().summary, str(date.today()), note
    )
    if label := getattr(endpoint, "replayed", ""):
        return Result(one, Measurement(**{**asdict(here), "machine": label}))
    _RECORD.change(lambda entries: entries | {name: here})
    return Result(one, here)


def results() -> list[Result]:
    """Return every claim with the latest measurement of it on this machine, in the order of the module."""
    kept = _RECORD.read()
    return [Result(one, kept.get(one.id)) for one in claims()]


def forget() -> None:
    """Drop every measurement."""
    _RECORD.change(lambda entries: {})


def _check(one: Claim, value: float, error: float) -> None:
    if one.untestable:
        raise ConfigError(f"The claim {one.id!r} cannot be tested here.", one.untestable, "labkit claims")
    if not (math.isfinite(value) and math.isfinite(error) and error >= 0):
        raise ConfigError(
            f"{value} ± {error} is no measurement of {one.id!r}.",
            f"a finite number in {one.unit or 'its unit'} is needed",
            "labkit claims",
        )


@cache
def _claims() -> dict[str, Claim]:
    return {row["id"]: Claim(**row) for row in read_table("claims.toml")["claim"]}


def _entry(name: str, row: dict) -> Measurement:
    if unknown := row.keys() - {one.name for one in fields(Measurement)}:
        raise ValueError(f"not a measurement of {name}: {unknown}")
    found = Measurement(**row)
    if not isinstance(found.value, (int, float)) or not isinstance(found.error, (int, float)):
        raise ValueError(f"not a measurement of {name}: {row}")
    return found


_RECORD = JsonRecord("claims.json", root="claims", decode=_entry, encode=asdict, what="your measurements")
