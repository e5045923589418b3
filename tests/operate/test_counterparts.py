"""Every monitoring class of the module has its working counterpart: a row each, and the names are there."""

import inspect

import pytest

from labkit.errors import ConfigError
from labkit.operate.counterparts import Counterpart, counterparts, counterparts_markdown

# The classes, written here once more from the module, so that a row cannot be lost unnoticed.
CLASSES = {
    "FoundryMonitoringService", "FoundryResourceManager", "OllamaMonitoringService", "VLLMAdvancedMonitoring",
    "PerformanceMetrics", "AgentMonitor", "OllamaProductionService", "VLLMProductionService",
}  # fmt: skip


def test_no_class_of_the_module_is_without_a_counterpart():
    assert {row.module.partition(".")[0] for row in counterparts()} == CLASSES


@pytest.mark.parametrize("row", counterparts(), ids=lambda row: row.module)
def test_the_name_is_there_and_explains_itself(row):
    thing = row.thing
    assert callable(thing) and inspect.getdoc(thing) and row.repaired
    assert row.labkit in f"{thing.__module__}.{thing.__qualname__}"
    assert row.labkit.removeprefix("labkit.operate.") in counterparts_markdown()


def test_every_row_is_a_row_of_three_in_the_table():
    rows = counterparts_markdown().splitlines()
    assert len(rows) == len(counterparts()) + 2 and {row.count("|") for row in rows} == {4}


@pytest.mark.parametrize("name", ["labkit.operate.alerts.Alarms", "labkit.operate.nothing.Alerts", "labkit.Nothing"])
def test_a_row_that_points_to_nothing_raises(name):
    with pytest.raises(ConfigError, match="There is no"):
        Counterpart("X", name, "").thing  # noqa: B018
