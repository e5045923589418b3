"""The alert rules for a Prometheus of one's own: the same thresholds, windows, hysteresis and alerts about silence.

    Path("labkit.rules.yml").write_text(rules_yaml(rules()))       # promtool check rules labkit.rules.yml

Prometheus 2.42 or newer. Its names are those of data/metrics.toml after `labkit_`, as `exporter.py` shows them.

Taught in notebook 11, section "Out of this program".
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from labkit.operate.alerts import NO_DATA
from labkit.operate.rules import Rule

__all__ = ["PREFIX", "rules_yaml"]

PREFIX = "labkit_"


def rules_yaml(rules: Mapping[str, Rule] | Iterable[Rule]) -> str:
    """Return one rule group as YAML: two alerts a rule, one for its limit and one for its silence.

    Taught in notebook 11, section "Out of this program".
    """
    listed = rules.values() if isinstance(rules, Mapping) else rules
    lines = ["groups:", "  - name: labkit", "    rules:"]
    for rule in listed:
        lines += _alert(rule.name, _beyond(rule), rule.for_seconds, rule, f"{rule.metric} is beyond {rule.limit:g}")
        silent = f"no reading of {rule.metric} for {rule.absent_seconds:g} s"
        lines += _alert(rule.name + NO_DATA, _silent(rule), 0, rule, silent)
    return "\n".join(lines) + "\n"


def _beyond(rule: Rule) -> str:
    sign = ">" if rule.above is not None else "<"
    series = PREFIX + rule.metric
    mean = f"avg_over_time({series}[{rule.window_seconds:g}s])" if rule.window_seconds else series
    held = f'(({mean} {sign} {rule.clear:g}) and on() (ALERTS{{alertname="{rule.name}",alertstate="firing"}} == 1))'
    return f"({mean} {sign} {rule.limit:g}) or {held}"


def _silent(rule: Rule) -> str:
    """Silence counts from the last reading; an engine that is up and idle has an excuse, one that is down has none."""
    silent = f"absent_over_time({PREFIX}{rule.metric}[{rule.absent_seconds:g}s])"
    # A figure that never was here (no GPU) is not missed: it must have been seen in the last day.
    silent += f" and on() count(count_over_time({PREFIX}{rule.metric}[1d]))" if rule.metric != "up" else ""
    if not rule.idle_is_fine:
        return silent
    idle = " and on() ".join(
        f"({PREFIX}{name} == {value})" for name, value in (("up", 1), ("calls", 0), ("calls_in_flight", 0))
    )
    return f"({silent}) unless on() ({idle})"


def _alert(name: str, expression: str, wait: float, rule: Rule, summary: str) -> list[str]:
    # A JSON string is a YAML string: quoting is left to json.
    rows = {"expr": expression, "for": f"{wait:g}s"}
    return [
        f"      - alert: {json.dumps(name)}",
        *(f"        {key}: {json.dumps(value)}" for key, value in rows.items()),
        "        labels:",
        f"          severity: {json.dumps(rule.severity)}",
        "        annotations:",
        f"          summary: {json.dumps(summary)}",
    ]
