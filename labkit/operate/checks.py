"""The checks of `labkit checklist` that need no engine: the log, the rules, the guards, limits, rights, files.

At work in notebook 10, section "The checklists".
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from labkit.errors import Denied, RateLimited
from labkit.operate.checking import FAIL, NOT_CHECKABLE, Found, check, judged, raises
from labkit.operate.service import Place

# What the module's services watch, by the names of data/metrics.toml.
WATCHED = (
    "response_time_ms",
    "error_rate_percent",
    "memory_usage_percent",
    "gpu_utilization_percent",
    "gpu_memory_gb",
    "requests_waiting",
    "up",
)


@check
def audit(place: Place) -> Found:
    """There is an audit log, its chain holds, and a copy of it with one byte changed does not."""
    from labkit.operate.chain import head_file, key_from_environment, verify

    file = place.service.file("audit")
    if file is None or not file.exists():
        return FAIL, f"there is no audit log {file}" if file else "no audit log is named (audit = FILE)"
    report = verify(file, key_from_environment())
    if not report.ok or not report.entries:
        return FAIL, f"{report.entries} entries hold; {report.problem or 'it is empty'}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(file, folder))
        shutil.copy(head_file(file), folder)
        text = bytearray(copy.read_bytes())
        text[len(text) // 2] ^= 1
        copy.write_bytes(bytes(text))
        noticed = not verify(copy, key_from_environment()).ok
    seal = "sealed with a key" if report.keyed else "no key: keep the anchor elsewhere"
    return judged(noticed, f"{report.entries} entries hold, a changed copy does not ({seal})")


@check
def alerts(place: Place) -> Found:
    """Every figure that the module watches has a rule; each rule fires beyond its limit, and when there is no data."""
    from labkit.operate.rules import read_rules, rules

    file = place.service.file("alerts")
    found = read_rules(file) if file else rules()
    missing = [name for name in WATCHED if name not in {rule.metric for rule in found.values()}]
    silent = [name for name, rule in found.items() if not _fires(rule)]
    said = f"{len(found)} rules for {len(WATCHED) - len(missing)} of {len(WATCHED)} figures were made to fire"
    wrong = [f"no rule for {', '.join(missing)}"] * bool(missing) + [f"silent: {', '.join(silent)}"] * bool(silent)
    return judged(not wrong, "; ".join([said, *wrong]))


@check
def guards(place: Place) -> Found:
    """The guards' catch and false-alarm rates, on texts that nothing was fitted to."""
    from labkit.operate.guard_rates import measure
    from labkit.operate.guardrails import standard

    service = place.service
    rows = [row for row in measure("kept", standard(characters=service.characters)) if row.guard == "all"]
    worst = min(row.caught.hits / row.caught.of for row in rows)
    alarms = max(row.false_alarms.hits / row.false_alarms.of for row in rows)
    fine = 100 * worst >= service.least_caught_percent and 100 * alarms <= service.most_false_alarms_percent
    each = "; ".join(f"{row.place} {row.caught}, false {row.false_alarms}" for row in rows)
    wanted = f"wanted: {service.least_caught_percent:g} % and {service.most_false_alarms_percent:g} %"
    return judged(fine, f"{each}; {wanted}")


@check
def limits(place: Place) -> Found:
    """Rate and quota of one caller are set, and exceeding them is refused."""
    from labkit.operate.limits import Quota, RateLimit

    service = place.service
    wanted = ("requests_per_second", "burst", "tokens_per_hour", "seconds", "characters")
    if unset := [name for name in wanted if getattr(service, name) <= 0]:
        return FAIL, f"not set: {', '.join(unset)}"
    rate = RateLimit(service.requests_per_second, service.burst, clock=lambda: 0.0)
    quota = Quota(service.tokens_per_hour, 3600)
    quota.spend("till", service.tokens_per_hour)
    refused = [
        raises(RateLimited, lambda: [rate.take("till") for _ in range(service.burst + 1)]),
        raises(RateLimited, lambda: quota.require("till")),
    ]
    after = f"request {service.burst + 1} of a burst, and what comes after {service.tokens_per_hour} tokens of an hour"
    return judged(all(refused), f"{after}, {'are' if all(refused) else 'are not'} refused")


@check
def access(place: Place) -> Found:
    """The policy can be read, a role that it does not know reaches nothing, and every tool that changes something is risky."""
    from labkit.operate.policy import Policy

    policy, service = Policy.load(place.service.file("roles")), place.service
    reached = [tool for tool in policy.tools if not _denied(policy, tool)]
    tools = service.changing_tools
    loose = [name for name in tools if name not in policy.tools or not policy.tools[name].risky]
    said = f"{len(policy.tools)} tools, {len(policy.roles)} roles; a stranger reaches {len(reached)}"
    wrong = f"; without approval: {', '.join(loose)}" if loose else f"; needs approval: {', '.join(tools) or 'none'}"
    return judged(not reached and not loose, said + wrong)


@check
def private_files(place: Place) -> Found:
    """Nobody else on this machine may change the models, the roles, the rules or the log."""
    from labkit.paths import weights_dir

    if os.name == "nt":
        return NOT_CHECKABLE, "Windows keeps permissions in lists that this check does not read"
    named = [place.service.file(name) for name in ("audit", "roles", "alerts")]
    files = [one for one in (*named, weights_dir()) if one and one.exists()]
    loose = [one.name for one in files if one.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    said = f"others may write: {', '.join(loose)}" if loose else "only the owner may write"
    return judged(not loose, f"{len(files)} places; {said}")


def _denied(policy, tool: str) -> bool:
    from labkit.operate.access import Access
    from labkit.operate.policy import Caller

    return raises(Denied, lambda: Access(policy, Caller("nobody", "no role")).check(tool, {}))


def _fires(rule) -> bool:
    """Whether a rule fires beyond its limit, and its silence when nothing comes: time is made, nothing is waited for."""
    from labkit.operate.alerts import Alerts

    beyond = rule.limit + 1 if rule.above is not None else rule.limit - 1
    bad, silent = (Alerts({rule.name: rule}, watched={rule.metric}) for _ in range(2))
    for second in range(int(rule.window_seconds + rule.for_seconds) + 2):
        bad.step(float(second), {rule.metric: beyond})
    silent.step(0.0, {rule.metric: None})
    silent.step(rule.absent_seconds + 1, {rule.metric: None})
    return len(bad.firing) == len(silent.firing) == 1
