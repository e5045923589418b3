"""Two exercises of lesson 12: what a failure costs, and an outbox that loses nothing."""

from __future__ import annotations

import math

from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show

# -- A cluster on one machine -------------------------------------------------------------------------------------------

ENDED = [1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0]


def check_rates(rates):
    require(callable(rates), f"{show(rates)} is not a function.")
    got = rates(list(ENDED), 5.0, 10.0)
    require(
        isinstance(got, tuple | list) and len(got) == 3,
        f"return three numbers (before, during, after); yours is {show(got)}.",
    )
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


RATES = Exercise(
    id="12.6",
    title="Before, during, after",
    section="A cluster on one machine",
    task=(
        "`ended` holds the seconds at which answers ended, from 0 on, in order. At `killed` a server died, at `back`"
        " all were there again. "
        "Write `rates(ended, killed, back)`: answers a second before the one, between them, and from the other to "
        "the last answer."
    ),
    expects="a function that returns three numbers",
    check=check_rates,
    hints=[
        "Three counts, three durations.",
        "`killed <= t < back` is between; the last answer ended at `ended[-1]`.",
    ],
    solution=(
        "def rates(ended, killed, back):\n"
        "    before = sum(t < killed for t in ended)\n"
        "    during = sum(killed <= t < back for t in ended)\n"
        "    after = len(ended) - before - during\n"
        "    return before / killed, during / (back - killed), after / (ended[-1] - back)"
    ),
    why="“It recovered” is a word. A dip of so much for so many seconds is a figure that can be held against a promise.",
    answers=Answers(
        blank=["def rates(ended, killed, back):\n    ..."],
        wrong=[
            Wrong("rates = (0.8, 0.4, 1.25)", "not a function", "three numbers"),
            Wrong("def rates(e, k, b):\n    return len(e) / e[-1]", "return three numbers", "one mean over all"),
            Wrong(
                "def rates(e, k, b):\n    return sum(t < k for t in e), sum(k <= t < b for t in e), sum(t >= b for t in e)",
                "is a count",
                "counts, not rates",
            ),
            Wrong(
                "def rates(e, k, b):\n    return sum(t < k for t in e) / k, sum(k <= t < b for t in e) / (b - k), "
                "sum(t >= b for t in e) / e[-1]",
                "since the beginning",
                "the wrong duration",
            ),
            Wrong(
                "def rates(e, k, b):\n    return sum(t < k for t in e) / k, sum(k <= t <= b for t in e) / (b - k), "
                "sum(t > b for t in e) / (e[-1] - b)",
                "belongs to after",
                "the border counts as during",
            ),
            Wrong(
                "def rates(e, k, b):\n    return sum(t < b for t in e) / b, sum(k <= t < b for t in e) / (b - k), "
                "sum(t >= b for t in e) / (e[-1] - b)",
                "0.8, 0.4 and 1.25",
                "the failure belongs to before",
            ),
            Wrong("def rates(e, k, b):\n    return 0.8, 0.4, 1.25", "wrong for another", "the one answer"),
        ],
        right=[
            "def rates(ended, killed, back):\n"
            "    def rate(low, high):\n"
            "        return len([t for t in ended if low <= t < high]) / (min(high, ended[-1]) - low)\n"
            "    return [rate(0, killed), rate(killed, back), rate(back, float('inf'))]",
        ],
    ),
)

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
    require(callable(deliver), f"{show(deliver)} is not a function.")
    line = _Line()
    box = [{"id": one, "private": one == "own"} for one in ("a", "own", "busy", "gone", "b")]
    kept = [dict(one) for one in box]
    try:
        left = deliver(box, line)
    except OSError:
        require(False, "the network was gone for one entry, and your function with it: everything in the box is lost.")
    require(isinstance(left, list), f"return a list, what is still to be kept; yours is {show(left)}.")
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


DELIVER = Exercise(
    id="12.7",
    title="Nothing lost, nothing told",
    section="The edge",
    task=(
        "`box` is a list of entries, oldest first, each with `id` and `private`. `send(entry)` is True when the "
        "cloud has it, False when it "
        "says no, and raises `OSError` without a network. Write `deliver(box, send)`: send what may leave, return "
        "what is to be kept."
    ),
    expects="a function that returns a list of entries",
    check=check_deliver,
    hints=[
        "An entry leaves the box when the cloud has it, never before.",
        "Look at `private` before `send`, and put `try` around one entry, not around the loop.",
    ],
    solution=(
        "def deliver(box, send):\n"
        "    kept = []\n"
        "    for entry in box:\n"
        "        try:\n"
        "            has_it = not entry['private'] and send(entry)\n"
        "        except OSError:\n"
        "            has_it = False\n"
        "        if not has_it:\n"
        "            kept.append(entry)\n"
        "    return kept"
    ),
    why="Taken off the list before it arrived, a request is lost by a power cut. Sent before it was looked at, a secret is out.",
    answers=Answers(
        blank=["def deliver(box, send):\n    ..."],
        wrong=[
            Wrong("deliver = []", "not a function", "a list"),
            Wrong(
                "def deliver(box, send):\n    return [e for e in box if e['private'] or not send(e)]",
                "everything in the box is lost",
                "no error can happen",
            ),
            Wrong(
                "def deliver(box, send):\n    try:\n        for e in box:\n            e['private'] or send(e)\n    "
                "except OSError:\n        pass",
                "return a list",
                "returns nothing",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in box:\n        try:\n            send(e)\n"
                "        except OSError:\n"
                "            kept.append(e)\n    return kept",
                "cannot be taken back",
                "looks at private too late",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in box:\n        if e['private']:\n            "
                "continue\n        try:\n"
                "            ok = send(e)\n        except OSError:\n            ok = False\n        if not ok:\n"
                "            kept.append(e)\n    return kept",
                "threw it away",
                "private entries are done with",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in box:\n        try:\n            if "
                "e['private'] or not send(e):\n"
                "                kept.append(e)\n        except OSError:\n            pass\n    return kept",
                "never arrived",
                "an error ends the matter",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in box:\n        if e['private']:\n            "
                "kept.append(e)\n            continue\n"
                "        try:\n            send(e)\n        except OSError:\n            kept.append(e)\n    return kept",
                "the cloud said no",
                "no error means that it arrived",
            ),
            Wrong(
                "def deliver(box, send):\n    for e in box:\n        try:\n            e['private'] or send(e)\n"
                "        except OSError:\n"
                "            pass\n    return list(box)",
                "sent twice for no reason",
                "keeps everything to be safe",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in box:\n        try:\n            if "
                "e['private'] or not send(e):\n"
                "                kept.append(e)\n        except OSError:\n            kept.insert(0, e)\n    return kept",
                "in their order",
                "what failed goes first",
            ),
            Wrong(
                "def deliver(box, send):\n    kept = []\n    for e in reversed(box):\n        try:\n            if "
                "e['private'] or not send(e):\n"
                "                kept.insert(0, e)\n        except OSError:\n            kept.insert(0, e)\n    return kept",
                "oldest first",
                "newest first",
            ),
        ],
        right=[
            "def deliver(box, send):\n    def has_it(entry):\n        try:\n            return send(entry)\n        "
            "except OSError:\n"
            "            return False\n    return [e for e in box if e['private'] or not has_it(e)]",
        ],
    ),
)
