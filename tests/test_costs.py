"""The sum is right, the table can be edited, and a broken table says so."""

import math

import pytest

from labkit import costs, paths
from labkit.errors import ConfigError

TABLE = """
dated = "2026-01"
currency = "EUR"
machine = { name = "a", price = 1460.0, years = 1.0, hours_a_day = 4.0, watts = 500.0, from = "b" }
energy = { kwh = 0.4, from = "c" }
cloud.big = { name = "d", input = 1.0, output = 10.0, from = "e" }
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TABLE)
    return costs.prices(path)


def test_an_hour_is_hardware_and_energy(table):
    assert table.hour == pytest.approx(1460 / (365 * 4) + 0.5 * 0.4) == pytest.approx(1.2)
    assert table.local(3600) == pytest.approx(1.2) and table.local(1800, 0.5) == pytest.approx(0.3)
    assert table.hosted("big", 1_000_000, 100_000) == pytest.approx(2.0)


def test_your_own_table_is_read_instead(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    shipped = costs.prices()
    assert shipped.file == paths.data_dir() / "prices.toml" and "to be edited" in shipped.table()
    (tmp_path / "prices.toml").write_text(TABLE)
    assert costs.prices().currency == "EUR"


def test_every_shipped_price_says_where_it_comes_from():
    shipped = costs.prices(paths.data_dir() / "prices.toml")
    for row in (shipped.machine, shipped.energy, *shipped.cloud.values()):
        assert len(row["from"]) > 20 and row["from"] in shipped.table()
    assert {"large", "small"} <= shipped.cloud.keys()


@pytest.mark.parametrize(
    ("old", "new"),
    [("energy = ", "power = "), ("price = 1460.0", 'price = "much"'), ("years = 1.0", "years = 0"), ("dated", "dated ="),
     (", output = 10.0", ""), (', from = "e"', "")],
)  # fmt: skip
def test_a_broken_table_is_refused(tmp_path, old, new):
    path = tmp_path / "mine.toml"
    path.write_text(TABLE.replace(old, new))
    with pytest.raises(ConfigError, match="is no table of prices"):
        costs.prices(path)


def test_what_makes_no_sense_is_refused(table):
    for seconds, share in ((-1, 1), (1, -0.1), (1, 1.1)):
        with pytest.raises(ConfigError):
            table.local(seconds, share)
    with pytest.raises(ConfigError, match="the rows are big"):
        table.hosted("huge", 1, 1)


def test_share_and_break_even():
    assert costs.share_taken(1, 4, 1e9, 8e9) == 0.25
    assert costs.share_taken(1, 4, 6e9, 8e9) == 0.75
    assert costs.share_taken(8, 4, 0, 8e9) == 1.0
    assert costs.break_even_tasks(900, 0.0001, 0.0004) == pytest.approx(3_000_000)
    assert costs.break_even_tasks(900, 0.0004, 0.0004) == math.inf
