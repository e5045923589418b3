"""The load and fault run: a real engine is killed under load, and every request is accounted for."""

import json

from labkit.backends import available
from labkit.operate.soak import soak


def test_under_load_and_kills_nothing_is_lost_and_nothing_is_done_twice(require):
    here = available()["llamacpp"]
    require("llamacpp", here, here.fix)
    # Seed 3: what the clients begin with includes a burst, and work that must not be repeated.
    report = soak("llamacpp", "smollm2-135m", seconds=4, clients=5, kill_s=1.5, seed=3)
    assert report["ok"], json.dumps(report, indent=1)
    requests = dict(report["requests"])
    assert requests.pop("submitted") == sum(requests.values()) >= 12
    assert requests["waiting"] == requests["running"] == report["lost"] == report["once_twice"] == 0
    assert report["kills"] >= 1 and len(report["recovery_s"]) == report["kills"] and report["once_begun"] >= 1
    assert report["queue_longest"] <= report["queue_bound"]


def test_a_run_without_a_fault_does_not_call_itself_well(require):
    here = available()["llamacpp"]
    require("llamacpp", here, here.fix)
    report = soak("llamacpp", "smollm2-135m", seconds=0.5, clients=2, kill_s=60)
    assert not report["ok"] and report["problems"] == ["the engine was never killed, so no fault was survived"]
