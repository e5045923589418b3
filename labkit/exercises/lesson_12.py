"""The exercises of lesson 12: a preset, GPU shares, a manifest, an autoscaler, a speed-up, a recovery, an outbox, a million requests."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from labkit.errors import ConfigError
from labkit.exercises._lesson_12_cluster import DELIVER, RATES
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require, wrong
from labkit.exercises.message import show

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


REPAIRED = Exercise(
    id="12.1",
    title="PRODUCTION_HIGH on one card",
    section="Presets",
    task=(
        "Make `repaired` the settings (a dict) that stand in place of PRODUCTION_HIGH's own, so that one server with one GPU of 24 GiB "
        "can run Phi-3.5-mini with it. Change only what was refused. `None` takes a setting away."
    ),
    expects="a dict of settings, such as {'max_num_seqs': 64}",
    check=check_repaired,
    hints=[
        "Three things were refused. The list above names them.",
        "The names are `tensor_parallel_size`, `quantization` and `speculative_model`.",
    ],
    solution="repaired = {'tensor_parallel_size': 1, 'quantization': None, 'speculative_model': None}",
    why="A preset is somebody else's machine. What is refused tells where yours differs, and the rest may stay.",
    answers=Answers(
        blank=["repaired = {}"],
        wrong=[
            Wrong("repaired = 'DEVELOPMENT'", "no dict", "names another preset"),
            Wrong(
                "repaired = {'tensor_parallel_size': 1, 'speculative_model': None}",
                "AWQ checkpoint",
                "the option quantizes",
            ),
            Wrong(
                "repaired = {'quantization': None, 'speculative_model': None}", "has 1", "the second GPU will be found"
            ),
            Wrong(
                "repaired = {'tensor_parallel_size': 1, 'quantization': None, 'speculative_model': 'Qwen/Qwen2.5-0.5B-Instruct'}",
                "vocabulary",
                "any small model can draft",
            ),
            Wrong(
                "repaired = {'tensor_parallel_size': 1, 'quantization': None, 'speculative_model': None, 'max_model_len': 2048}",
                "was not refused",
                "makes everything smaller to be safe",
            ),
        ],
        right=[
            "repaired = dict(tensor_parallel_size=1, quantization=None, speculative_model=None, pipeline_parallel_size=1)"
        ],
    ),
)


def check_left(left):
    require(callable(left), f"{show(left)} is not a function.")
    one_gpu = left([(0.3, 1, 1), (0.5, 1, 1), (0.7, 1, 1)], 1)
    require(one_gpu is not None, "it returned nothing; return a number.")
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
    require(
        not math.isclose(wide, 1.1), "a server spread over two GPUs takes 0.9 of *each*: 1.8 of 2, and 0.2 are left."
    )
    table = [([(0.3, 1, 1), (0.5, 1, 1), (0.7, 1, 1)], 1, -0.5), ([(0.45, 1, 2), (0.4, 2, 1)], 2, 0.3), ([], 1, 1.0)]
    cases(left, table)


LEFT = Exercise(
    id="12.2",
    title="What is left of the cards",
    section="Presets",
    task=(
        "Write `left(servers, gpus)`: each server is (share, GPUs it is spread over, replicas). Return how many GPUs' worth of memory "
        "is left; below zero means that it does not fit."
    ),
    expects="a function that returns a number",
    check=check_left,
    hints=["One server takes its share of every GPU that it is spread over.", "share × GPUs × replicas, summed."],
    solution=(
        "def left(servers, gpus):\n"
        "    return gpus - sum(share * spread * replicas for share, spread, replicas in servers)"
    ),
    why="Every server checks its own share only, and finds it fine. Nobody but you looks at the sum.",
    answers=Answers(
        blank=["def left(servers, gpus):\n    ..."],
        wrong=[
            Wrong("left = -0.5", "not a function", "a number"),
            Wrong(
                "def left(servers, gpus):\n    sum(s for s, _, _ in servers)", "returned nothing", "forgets to return"
            ),
            Wrong(
                "def left(servers, gpus):\n    return gpus - max((s for s, _, _ in servers), default=0)",
                "add up all",
                "the largest one decides",
            ),
            Wrong(
                "def left(servers, gpus):\n    return gpus - sum(s * g for s, g, _ in servers)",
                "share of its own",
                "replicas share a share",
            ),
            Wrong(
                "def left(servers, gpus):\n    return gpus - sum(s * r for s, _, r in servers)",
                "of *each*",
                "a share is split over the GPUs",
            ),
            Wrong(
                "def left(servers, gpus):\n    return min(0.2, gpus - sum(s * g * r for s, g, r in servers))",
                "returned",
                "caps what is left",
            ),
        ],
        right=[
            "def left(servers, gpus):\n    for share, spread, replicas in servers:\n        gpus -= share * spread * replicas\n"
            "    return gpus"
        ],
    ),
)

# -- One manifest -------------------------------------------------------------------------------------------------------


def check_wanted(wanted):
    require(callable(wanted), f"{show(wanted)} is not a function.")
    got = wanted(9, 4, 1, 8)
    require(got is not None, "it returned nothing; return a whole number.")
    require(got != 2, "9 waiting requests on 2 servers are 4.5 for each, more than the 4 allowed: round up.")
    require(wanted(8, 4, 1, 8) != 3, "8 on 2 servers are exactly 4 for each: that is allowed, a third is not needed.")
    require(wanted(100, 4, 1, 8) <= 8, "a quiet limit has been passed: never more than `most`.")
    require(wanted(0, 4, 2, 8) >= 2, "when nobody waits, `least` servers stay.")
    cases(wanted, [(9, 4, 1, 8, 3), (8, 4, 1, 8, 2), (100, 4, 1, 8, 8), (0, 4, 2, 8, 2), (30, 10, 1, 8, 3)])


WANTED = Exercise(
    id="12.3",
    title="The autoscaler's sum",
    section="One manifest, three schedulers",
    task=(
        "Write `wanted(waiting, target, least, most)`: how many servers an autoscaler wants when `waiting` requests wait in all and "
        "each server may have `target` of them. Never fewer than `least`, never more than `most`."
    ),
    expects="a function that returns a whole number",
    check=check_wanted,
    hints=["How many servers until each has at most `target`?", "`math.ceil(waiting / target)`, then `min` and `max`."],
    solution=(
        "import math\n\n"
        "def wanted(waiting, target, least, most):\n"
        "    return max(least, min(most, math.ceil(waiting / target)))"
    ),
    why="This one line is what Kubernetes works out every 15 seconds; all the rest of autoscaling is waiting for servers to load.",
    answers=Answers(
        blank=["def wanted(waiting, target, least, most):\n    ..."],
        wrong=[
            Wrong("wanted = 3", "not a function", "a number"),
            Wrong("def wanted(w, t, a, b):\n    max(a, min(b, -(-w // t)))", "returned nothing", "forgets to return"),
            Wrong("def wanted(w, t, a, b):\n    return max(a, min(b, w // t))", "round up", "rounds down"),
            Wrong("def wanted(w, t, a, b):\n    return max(a, min(b, w // t + 1))", "not needed", "always one more"),
            Wrong("def wanted(w, t, a, b):\n    return max(a, -(-w // t))", "never more", "no upper limit"),
            Wrong("def wanted(w, t, a, b):\n    return min(b, -(-w // t))", "nobody waits", "scales to nothing"),
            Wrong(
                "def wanted(w, t, a, b):\n    return max(a, min(b, -(-w // 4)))", "returned", "the target is always 4"
            ),
        ],
        right=["def wanted(waiting, target, least, most):\n    return sorted((least, -(-waiting // target), most))[1]"],
    ),
)


BROKEN = '''mended = """\\
schema_version: 1
name: shop
devices:
  - {name: counter, gpus: 0, memory_gib: 16}
models:
  - {name: desk, source: smollm2-135m, port: 8001, api_key: not-a-real-key}
  - {name: router, source: smollm2-135m, port: 8001, replica: {min: 2}}
agents:
  - {name: helper, model: desk, failover: [desk]}
"""'''


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


MENDED = Exercise(
    id="12.4",
    title="A manifest that is read",
    section="One manifest, three schedulers",
    task=(
        "Repair the text `mended` until it is taken. It has four faults, and each message names the line of one. Both models stay, "
        "`router` gets two servers, and `router` stands in for `desk`."
    ),
    expects="a text in YAML",
    check=check_mended,
    hints=[
        "`labkit deploy schema` prints every key that there is.",
        "Two servers take two ports: the one that is named and the next.",
        "`replicas: {min: 2, max: 2}`",
    ],
    solution=BROKEN.replace("api_key: not-a-real-key", "key_env: DESK_KEY")
    .replace("port: 8001, replica: {min: 2}", "port: 8002, replicas: {min: 2, max: 2}")
    .replace("[desk]", "[router]"),
    why="A file that nothing reads cannot be wrong. This one is read, so it can, and says where.",
    answers=Answers(
        blank=[BROKEN],
        wrong=[
            Wrong("mended = {'name': 'shop'}", "no text", "a dict"),
            Wrong(
                BROKEN.replace("replica: {min: 2}", "replicas: {min: 2, max: 2}"),
                "a secret has no place",
                "the key stays in the file",
            ),
            Wrong(
                BROKEN.replace("port: 8001, api_key: not-a-real-key", "port: 8003")
                .replace("replica: {min: 2}", "replicas: {min: 2, max: 2}")
                .replace("8001", "8002")
                .replace("[desk]", "[router]"),
                "port 8003 is taken",
                "two servers on one port",
            ),
            Wrong(
                BROKEN.replace(", api_key: not-a-real-key", "").replace("  - {name: router", "# - {name: router"),
                "stand in for itself",
                "removes the second model",
            ),
            Wrong(
                BROKEN.replace(", api_key: not-a-real-key", "")
                .replace("  - {name: router", "# - {name: router")
                .replace(", failover: [desk]", ""),
                "both models",
                "removes what is refused",
            ),
            Wrong(
                BROKEN.replace(", api_key: not-a-real-key", "")
                .replace("port: 8001, replica: {min: 2}", "port: 8002")
                .replace("[desk]", "[router]"),
                "two servers",
                "one server, to be rid of the fault",
            ),
            Wrong(
                BROKEN.replace(", api_key: not-a-real-key", "")
                .replace("port: 8001, replica: {min: 2}", "port: 8002, replicas: {min: 2, max: 2}")
                .replace("[desk]", "[]"),
                "another model",
                "no failover",
            ),
        ],
        right=[
            BROKEN.replace(", api_key: not-a-real-key", "")
            .replace("port: 8001, replica: {min: 2}", "port: 8010, replicas: {min: 2, max: 6}")
            .replace("[desk]", "[router]"),
        ],
    ),
)

# -- More servers -------------------------------------------------------------------------------------------------------


def check_shared(shared):
    require(callable(shared), f"{show(shared)} is not a function.")
    half = shared(1.6, 2)
    require(half is not None, "it returned nothing; return a number.")
    require(
        not math.isclose(half, 0.2),
        "1 - 1.6/2 is the *efficiency* that is lost. With a share s, the time is s + (1 - s)/2, and the speed-up is one over that.",
    )
    require(
        not math.isclose(shared(2.5, 4), 0.15),
        "1/speedup - 1/n is s - s/n, for the shared part stands in both terms: divide by 1 - 1/n.",
    )
    require(shared(2.1, 2) >= 0, "more than n times as fast is noise: no share is below 0.")
    require(shared(0.8, 2) <= 1, "slower with two than with one: nothing of it was divided, and a share ends at 1.")
    cases(shared, [(1.6, 2, 0.25), (2.0, 2, 0.0), (1.0, 2, 1.0), (2.5, 4, 0.2), (2.1, 2, 0.0), (0.8, 2, 1.0)])


SHARED = Exercise(
    id="12.5",
    title="What cannot be divided",
    section="More servers",
    task=(
        "Amdahl: if a share s of the work cannot be divided among n servers, the speed-up is 1 / (s + (1 - s) / n). Write "
        "`shared(speedup, n)`: return s, kept between 0 and 1."
    ),
    expects="a function that returns a number from 0 to 1",
    check=check_shared,
    hints=["Begin with 1/speedup = s + (1 - s)/n, and solve for s.", "(1/speedup - 1/n) / (1 - 1/n)"],
    solution=("def shared(speedup, n):\n    s = (1 / speedup - 1 / n) / (1 - 1 / n)\n    return max(0.0, min(1.0, s))"),
    why="One measured pair tells what ten servers would give, before anybody has bought them.",
    answers=Answers(
        blank=["def shared(speedup, n):\n    ..."],
        wrong=[
            Wrong("shared = 0.25", "not a function", "a number"),
            Wrong("def shared(v, n):\n    (1 / v - 1 / n) / (1 - 1 / n)", "returned nothing", "forgets to return"),
            Wrong(
                "def shared(v, n):\n    return max(0, 1 - v / n)", "efficiency", "takes lost efficiency for the share"
            ),
            Wrong(
                "def shared(v, n):\n    return max(0.0, min(1.0, 1 / v - 1 / n))",
                "divide by 1 - 1/n",
                "forgets that the rest holds s as well",
            ),
            Wrong(
                "def shared(v, n):\n    return min(1, (1 / v - 1 / n) / (1 - 1 / n))",
                "is noise",
                "a share below nothing",
            ),
            Wrong(
                "def shared(v, n):\n    return max(0, (1 / v - 1 / n) / (1 - 1 / n))", "ends at 1", "a share above all"
            ),
            Wrong("def shared(v, n):\n    return 0.25 if v == 1.6 else 0.2", "returned", "the two answers of the task"),
        ],
        right=["def shared(speedup, n):\n    return sorted((0.0, (n - speedup) / (speedup * (n - 1)), 1.0))[1]"],
    ),
)

# -- The edge -----------------------------------------------------------------------------------------------------------


def check_devices(devices):
    require(callable(devices), f"{show(devices)} is not a function.")
    got = devices(1_000_000, 3, 2.0, 0.7)
    require(got is not None, "it returned nothing; return a whole number.")
    mean, full, less = (math.ceil(one) for one in (1e6 / 86400 * 2 / 0.7, 3e6 / 86400 * 2, 3e6 / 86400 * 2 * 0.7))
    require(got != mean, f"{mean} are enough for the mean of the day. At noon three times as many come: `peak`.")
    require(
        got != full, f"{full} would be busy all the time at the peak, and then the line has no end: stay at `busy`."
    )
    require(
        got != less, "a device that may be busy 70 % of the time does *less* than one that may be all: divide by it."
    )
    require(got == math.ceil(got), f"{show(got)} devices cannot be bought: round up.")
    require(got != 99, "99 devices are busier than 70 % at the peak: round up, not down.")
    cases(devices, [(1_000_000, 3, 2.0, 0.7, 100), (864_000, 2, 0.5, 0.5, 20), (1000, 3, 2.0, 0.7, 1)])


DEVICES = Exercise(
    id="12.8",
    title="A million a day",
    section="The edge",
    task=(
        "Write `devices(requests_a_day, peak, seconds_each, busy)`: how many devices it takes when the busiest time "
        "has `peak` times the "
        "day's mean, a request keeps a device busy for `seconds_each`, and at that time each may be busy for the share `busy`."
    ),
    expects="a function that returns a whole number",
    check=check_devices,
    hints=["A day has 86 400 seconds.", "Requests a second at the peak, times seconds each, is how many are busy."],
    solution=(
        "import math\n\n"
        "def devices(requests_a_day, peak, seconds_each, busy):\n"
        "    busy_at_peak = requests_a_day / 86_400 * peak * seconds_each\n"
        "    return math.ceil(busy_at_peak / busy)"
    ),
    why="A million a day sounds like a data centre. The sum says whether it is one, before anybody buys it.",
    answers=Answers(
        blank=["def devices(requests_a_day, peak, seconds_each, busy):\n    ..."],
        wrong=[
            Wrong("devices = 100", "not a function", "a number"),
            Wrong("def devices(n, p, s, b):\n    n / 86400 * p * s / b", "returned nothing", "forgets to return"),
            Wrong(
                "import math\ndef devices(n, p, s, b):\n    return math.ceil(n / 86400 * s / b)",
                "mean of the day",
                "forgets the peak",
            ),
            Wrong(
                "import math\ndef devices(n, p, s, b):\n    return math.ceil(n / 86400 * p * s)",
                "no end",
                "plans for full use",
            ),
            Wrong(
                "import math\ndef devices(n, p, s, b):\n    return math.ceil(n / 86400 * p * s * b)",
                "divide by it",
                "multiplies by the share",
            ),
            Wrong("def devices(n, p, s, b):\n    return n / 86400 * p * s / b", "cannot be bought", "a fraction"),
            Wrong("def devices(n, p, s, b):\n    return int(n / 86400 * p * s / b)", "not down", "rounds down"),
            Wrong(
                "import math\ndef devices(n, p, s, b):\n    return math.ceil(n / 86400 * p * 2 / b)",
                "returned",
                "two seconds each, always",
            ),
        ],
        right=[
            "def devices(requests_a_day, peak, seconds_each, busy):\n"
            "    return -int(-requests_a_day * peak * seconds_each / 86400 / busy // 1)"
        ],
    ),
)

EXERCISES = [REPAIRED, LEFT, WANTED, MENDED, SHARED, RATES, DELIVER, DEVICES]
