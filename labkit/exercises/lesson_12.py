"""The exercises of lesson 12: a preset, GPU shares, a manifest, an autoscaler, a speed-up, a recovery, an outbox, requests."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from labkit.errors import ConfigError
from labkit.exercises import cases, require, require_function, returned, show, wrong

# -- Presets ------------------------------------------------------------------------------------------------------------


def check_repaired(repaired):
    from labkit.deploy.check import Hardware, refusals
    from labkit.deploy.plan import preset_manifest

    require(isinstance(repaired, dict), f"{show(repaired)} is no dict of settings.")
    server = Hardware("server", gpus=1, gpu_bytes=24 * 2**30, ram_bytes=64 * 2**30)
    model = preset_manifest("PRODUCTION_HIGH").models[0]
    changed = model.model_copy(update={"settings": repaired})
    for refused in refusals(changed, server):
        wrong(f"it is still refused. {refused.what}: {refused.why}.")
    settings = changed.resolved
    require(
        settings.speculative_model is None,
        f"a draft model has to share its big one's vocabulary, and there is no smaller Phi-3.5: {show(settings.speculative_model)} "
        "would be refused at the start, after the weights were loaded. Take the draft away.",
    )
    kept = {"max_model_len": 8192, "max_num_seqs": 256, "gpu_memory_utilization": 0.9, "enable_prefix_caching": True}
    for name, value in kept.items():
        require(
            getattr(settings, name) == value, f"`{name}` was not refused: change what was, and leave it at {value}."
        )


def check_left(left):
    require_function(left)
    one_gpu = left([(0.3, 1, 1), (0.5, 1, 1), (0.7, 1, 1)], 1)
    returned(one_gpu, "a number")
    require(
        one_gpu < 0,
        "0.3, 0.5 and 0.7 of one GPU are more than it has, though each of them alone fits: add up all servers.",
    )
    twice = left([(0.45, 1, 2)], 1)
    require(
        not math.isclose(twice, 0.55),
        "two replicas of 0.45 take 0.9: each replica is a server with a share of its own.",
    )
    wide = left([(0.9, 2, 1)], 2)
    require(not math.isclose(wide, 1.1), "a server spread over two GPUs takes 0.9 of each: 1.8 of 2, and 0.2 are left.")
    table = [([(0.3, 1, 1), (0.5, 1, 1), (0.7, 1, 1)], 1, -0.5), ([(0.45, 1, 2), (0.4, 2, 1)], 2, 0.3), ([], 1, 1.0)]
    cases(left, table)


# -- One manifest -------------------------------------------------------------------------------------------------------


def check_wanted(wanted):
    require_function(wanted)
    got = wanted(9, 4, 1, 8)
    returned(got, "a whole number")
    require(got != 2, "9 waiting requests on 2 servers are 4.5 for each, more than the 4 allowed: round up.")
    require(wanted(8, 4, 1, 8) != 3, "8 on 2 servers are exactly 4 for each: that is allowed, a third is not needed.")
    require(wanted(100, 4, 1, 8) <= 8, "100 waiting would take 25 servers, and 8 are allowed: never more than `most`.")
    require(wanted(0, 4, 2, 8) >= 2, "when nobody waits, `least` servers stay.")
    cases(wanted, [(9, 4, 1, 8, 3), (8, 4, 1, 8, 2), (100, 4, 1, 8, 8), (0, 4, 2, 8, 2), (30, 10, 1, 8, 3)])


def check_mended(mended):
    require(isinstance(mended, str), f"{show(mended)} is no text.")
    found = _loaded(mended)
    models = {one.name: one for one in found.models}
    require(models.keys() == {"desk", "router"}, "it wants both models, `desk` and `router`: repair, don't remove.")
    require(models["router"].replicas.min == 2, "`router` wants two servers: `min: 2`, and `max` at least as many.")
    require(
        [one.failover for one in found.agents] == [["router"]],
        "the agent `helper` wants another model to stand in when `desk` is down: `failover: [router]`.",
    )


def _loaded(text: str):
    """Return the manifest in `text`; its own complaint is the verdict."""
    from labkit.deploy.manifest import load

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shop.yaml"
        file.write_text(text, encoding="utf-8")
        try:
            return load(file)
        except ConfigError as error:
            return wrong(f"it is refused. {error.what.splitlines()[0]}.")


# -- More servers -------------------------------------------------------------------------------------------------------


def check_shared(shared):
    require_function(shared)
    half = shared(1.6, 2)
    returned(half, "a number")
    require(
        not math.isclose(half, 0.2),
        "1 - 1.6/2 is the efficiency that is lost. With a share s, the time is s + (1 - s)/2, and the speed-up is one over that.",
    )
    require(
        not math.isclose(shared(2.5, 4), 0.15),
        "1/speedup - 1/n is s - s/n, for the shared part stands in both terms: divide by 1 - 1/n.",
    )
    require(shared(2.1, 2) >= 0, "more than n times as fast is noise: no share is below 0.")
    require(shared(0.8, 2) <= 1, "slower with two than with one: nothing of it was divided, and a share ends at 1.")
    cases(shared, [(1.6, 2, 0.25), (2.0, 2, 0.0), (1.0, 2, 1.0), (2.5, 4, 0.2), (2.1, 2, 0.0), (0.8, 2, 1.0)])


# -- A cluster on one machine -------------------------------------------------------------------------------------------

ENDED = [1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0]


def check_rates(rates):
    require_function(rates)
    got = rates(list(ENDED), 5.0, 10.0)
    returned(got, "three numbers (before, during, after)", tuple | list, parts=3)
    before, during, after = got
    require(
        before != 4,
        "4 answers is a count. The three times are not equally long, so divide each count by its seconds.",
    )
    require(
        not math.isclose(after, 5 / 14),
        "from the recovery to the last answer passed 14 - 10 = 4 s; yours divides by the time since the beginning.",
    )
    require(
        not math.isclose(during, 0.6) and not math.isclose(after, 1.0),
        "an answer that ends at the very moment when all is back belongs to after, and to it alone.",
    )
    require(
        [round(float(one), 9) for one in got] == [0.8, 0.4, 1.25],
        f"4 answers in 5 s, 2 in 5 s, 5 in 4 s: 0.8, 0.4 and 1.25; yours is {show(got)}.",
    )
    later = [2.0, 4.0, 9.0]
    require(tuple(rates(later, 4.0, 8.0)) == (0.25, 0.25, 1.0), "it is right for one log and wrong for another.")


# -- The edge -----------------------------------------------------------------------------------------------------------


class _Line:
    """A line to the cloud: takes what it is sent, says no to "busy", and is gone for "gone"."""

    def __init__(self):
        self.sent = []

    def __call__(self, entry: dict) -> bool:
        self.sent.append(entry["id"])
        if entry["id"] == "gone":
            raise OSError("the network is unreachable")
        return entry["id"] != "busy"


def check_deliver(deliver):
    require_function(deliver)
    line = _Line()
    box = [{"id": one, "private": one == "own"} for one in ("a", "own", "busy", "gone", "b")]
    kept = [dict(one) for one in box]
    try:
        left = deliver(box, line)
    except OSError:
        require(False, "the network was gone for one entry, and your function with it: everything in the box is lost.")
    returned(left, "a list, what is still to be kept", list)
    require("own" not in line.sent, "`own` is private and was sent. That cannot be taken back.")
    ids = [one["id"] for one in left]
    require("own" in ids, "`own` may not leave, so it stays: yours threw it away.")
    require("gone" in ids, "`gone` never arrived: keep it until the cloud has said that it has it.")
    require("busy" in ids, "the cloud said no to `busy` (False), so it does not have it: keep it.")
    require("a" not in ids, "the cloud has `a`: kept, it would be sent twice for no reason.")
    require(left == [one for one in kept if one["id"] in ids], "keep the entries as they are, in their order.")
    calm = _Line()
    deliver([{"id": "x", "private": False}, {"id": "y", "private": False}], calm)
    require(calm.sent == ["x", "y"], "oldest first: what waits longest is sent first.")


def check_devices(devices):
    require_function(devices)
    got = devices(1_000_000, 3, 2.0, 0.7)
    returned(got, "a whole number")
    mean, full, less = (math.ceil(one) for one in (1e6 / 86400 * 2 / 0.7, 3e6 / 86400 * 2, 3e6 / 86400 * 2 * 0.7))
    require(got != mean, f"{mean} are enough for the mean of the day. At noon three times as many come: `peak`.")
    require(
        got != full, f"{full} would be busy all the time at the peak, and then the line has no end: stay at `busy`."
    )
    require(got != less, "a device that may be busy 70 % of the time does less than one that may be all: divide by it.")
    require(got == math.ceil(got), f"{show(got)} devices cannot be bought: round up.")
    require(got != 99, "99 devices are busier than 70 % at the peak: round up, not down.")
    cases(devices, [(1_000_000, 3, 2.0, 0.7, 100), (864_000, 2, 0.5, 0.5, 20), (1000, 3, 2.0, 0.7, 1)])
