"""What a task costs: measured seconds on a machine of your own, or tokens at a cloud price. The prices are a table to edit.

    here = prices()
    here.local(seconds=0.4, share=0.5)              # this machine, half of it taken
    here.hosted("large", prompt_tokens=60, completion_tokens=8)

data/prices.toml holds examples; a prices.toml in labkit's own folder is read instead.

Taught in notebook 02, section "What a task costs".
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from labkit import paths
from labkit.errors import ConfigError

__all__ = ["Prices", "break_even_tasks", "prices", "share_taken"]

DAYS = 365


@dataclass(frozen=True)
class Prices:
    """A table of prices in one currency, and the file that it was read from. Taken as they stand in data/prices.toml."""

    machine: dict
    energy: dict
    cloud: dict
    dated: str
    currency: str
    file: Path

    @property
    def hour(self) -> float:
        """What an hour of the whole machine costs: its price over all the hours that it will be on, and its energy."""
        hours = self.machine["years"] * DAYS * self.machine["hours_a_day"]
        return self.machine["price"] / hours + self.machine["watts"] / 1000 * self.energy["kwh"]

    def local(self, seconds: float, share: float = 1.0) -> float:
        """Return what `seconds` of a `share` (0 to 1) of the machine cost. Raises ConfigError for what is out of range."""
        if seconds < 0 or not 0 <= share <= 1:
            raise ConfigError(
                f"{seconds} s of {share} of a machine have no price.", "a share is 0 to 1", "labkit.costs.prices()"
            )
        return seconds / 3600 * share * self.hour

    def hosted(self, name: str, prompt_tokens: float, completion_tokens: float) -> float:
        """Return what so many tokens cost at the row `name` of the table. Raises ConfigError for an unknown row."""
        if name not in self.cloud:
            why = f"the rows are {', '.join(self.cloud)}"
            raise ConfigError(f"There is no cloud price {name!r}.", why, f"edit {self.file}")
        row = self.cloud[name]
        return (prompt_tokens * row["input"] + completion_tokens * row["output"]) / 1e6

    def table(self) -> str:
        """Return the prices as text, each with where it comes from."""
        m, kwh = self.machine, self.energy["kwh"]
        rows = [
            (
                m,
                f"{m['name']}: {m['price']:g}, for {m['years']:g} years of {m['hours_a_day']:g} hours a day, at {m['watts']:g} W",
            ),
            (self.energy, f"energy: {kwh:g} a kWh"),
            *(
                (row, f"{row['name']}, a million tokens: {row['input']:g} in, {row['output']:g} out")
                for row in self.cloud.values()
            ),
        ]
        head = (
            f"Prices in {self.currency}, of {self.dated}. Those that come with the course are examples, to be edited."
        )
        return "\n".join([head, *(f"{text}\n    {row['from']}" for row, text in rows)])


def prices(file: Path | None = None) -> Prices:
    """Return the table of `file`; by default your own prices.toml in labkit's folder if it is there, else the course's examples.

    Raises ConfigError for a table with something missing, or a price that is no number.
    """
    own = paths.home() / "prices.toml"
    path = Path(file) if file else own if own.is_file() else paths.data_dir() / "prices.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
        made = Prices(**{name: table[name] for name in ("machine", "energy", "cloud", "dated", "currency")}, file=path)
        made.local(1.0)
        for name in made.cloud:
            made.hosted(name, 1, 1)
        made.table()
    except (KeyError, TypeError, ValueError, ZeroDivisionError, OSError) as error:
        raise ConfigError(
            f"{path.name} is no table of prices.", f"{type(error).__name__}: {error}", "labkit doctor"
        ) from error
    return made


def share_taken(cores: float, all_cores: float, memory_bytes: float, all_bytes: float) -> float:
    """Return the share of a machine that a model keeps from others: of its cores or of its memory, whichever is larger."""
    return min(1.0, max(cores / all_cores, memory_bytes / all_bytes))


def break_even_tasks(price: float, local_task: float, hosted_task: float) -> float:
    """Return after how many tasks hardware of that `price` has paid for itself; infinity if a task here is no cheaper.

    local_task: what a task costs here beyond the hardware (its energy). hosted_task: what it costs in the cloud.
    """
    saved = hosted_task - local_task
    return price / saved if saved > 0 else float("inf")
