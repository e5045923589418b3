"""Fires, does not fire, and says so when there is nothing to judge."""

from labkit.operate.alerts import NO_DATA, Alerts
from labkit.operate.rules import rules


def test_high_values_low_ones_and_none():
    rule = next(one for one in rules().values() if one.above is not None)
    for value, expected in ((rule.above * 2, {rule.name}), (rule.above / 2, set()), (None, {rule.name + NO_DATA})):
        alerts = Alerts([rule])
        for second in range(900):
            alerts.step(float(second), {rule.metric: value})
        assert {event.alert for event in alerts.firing} == expected
