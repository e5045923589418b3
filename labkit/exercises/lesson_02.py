"""The exercises of lesson 02: a KV cache, a break-even, a doubt worth escalating, a leak in a fallback, a threshold."""

from __future__ import annotations

from types import SimpleNamespace

from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show

# -- Memory -------------------------------------------------------------------------------------------------------------


def check_kv_cache_bytes(kv_cache_bytes):
    require(callable(kv_cache_bytes), f"{show(kv_cache_bytes)} is not a function.")
    small = kv_cache_bytes(30, 3, 64, 2048)
    require(small != 11_520 and small != 23_040, "that is one token's part; the cache has one for each token.")
    require(
        small != 23_592_960,
        "a cache holds keys and values, and each number takes 2 bytes: yours has one of the two twos.",
    )
    require(
        small == 47_185_920,
        f"30 layers, 3 heads of 64 and 2048 tokens make 47,185,920 bytes; yours says {show(small)}.",
    )
    require(
        kv_cache_bytes(30, 3, 64, 2048, at_once=4) == 4 * 47_185_920, "four conversations at once have four caches."
    )


KV_CACHE = Exercise(
    id="02.1",
    title="What a conversation takes",
    section="Memory",
    task=(
        "Write `kv_cache_bytes(layers, kv_heads, head_dim, tokens, at_once=1)`: for each token, each layer keeps one key and one "
        "value; each has `kv_heads * head_dim` numbers, and a number takes 2 bytes. `at_once` conversations each have a cache."
    ),
    expects="a function of whole numbers that returns a whole number of bytes",
    check=check_kv_cache_bytes,
    hints=["How many numbers does one layer keep for one token? Keys and values.", "Then multiply: layers, tokens, 2 bytes, at once."],
    solution=(
        "def kv_cache_bytes(layers, kv_heads, head_dim, tokens, at_once=1):\n"
        "    return 2 * layers * kv_heads * head_dim * tokens * at_once * 2"
    ),
    why="It grows with the context and not with the weights: a small model with a long context can take more than a larger one.",
    answers=Answers(
        blank=["def kv_cache_bytes(layers, kv_heads, head_dim, tokens, at_once=1):\n    ..."],
        wrong=[
            Wrong("kv_cache_bytes = 47185920", "not a function", "one answer"),
            Wrong("def kv_cache_bytes(l, h, d, t, at_once=1):\n    return l * h * d * t * 2", "one of the two twos", "keys alone"),
            Wrong("def kv_cache_bytes(l, h, d, t, at_once=1):\n    return 2 * l * h * d", "one token's part", "forgets the tokens"),
            Wrong("def kv_cache_bytes(l, h, d, t, at_once=1):\n    return 2 * l * h * d * t * at_once", "one of the two twos", "counts numbers, not bytes"),
            Wrong("def kv_cache_bytes(l, h, d, t, at_once=1):\n    return 2 * l * h * d * t * at_once / 8", "47,185,920", "one bit a number"),
            Wrong("def kv_cache_bytes(l, h, d, t, at_once=1):\n    return 4 * l * h * d * t", "four caches", "one conversation"),
        ],
        right=[
            "def kv_cache_bytes(layers, kv_heads, head_dim, tokens, at_once=1):\n    a_token = layers * kv_heads * head_dim * 2 * 2\n"
            "    return a_token * tokens * at_once",
        ],
    ),
)  # fmt: skip

# -- What a task costs --------------------------------------------------------------------------------------------------


def check_break_even(break_even):
    require(callable(break_even), f"{show(break_even)} is not a function.")
    found = break_even(900, 0.0001, 0.0004)
    require(found is not None, "it returned nothing; return the number of tasks.")
    require(
        abs(found - 2_250_000) > 1,
        "your own tasks cost something, too: what you save on each is the difference.",
    )
    require(abs(found - 3_000_000) < 1, f"900 over 0.0003 saved on each is 3,000,000; yours says {show(found)}.")
    same, dearer = break_even(900, 0.0004, 0.0004), break_even(900, 0.0005, 0.0004)
    require(
        same == dearer == float("inf"),
        'where nothing is saved it never pays: return `float("inf")`.',
    )


BREAK_EVEN = Exercise(
    id="02.2",
    title="The break-even",
    section="What a task costs",
    task=(
        "Write `break_even(price, here, cloud)`: hardware costs `price` once, a task on it costs `here` (its energy), and the same "
        "task costs `cloud` elsewhere. Return after how many tasks the hardware has paid for itself; infinity if it never does."
    ),
    expects="a function of three numbers that returns a number",
    check=check_break_even,
    hints=["What do you save on each task?", "`price / saved`, if anything is saved at all.", '`float("inf")` is infinity.'],
    solution=(
        "def break_even(price, here, cloud):\n"
        "    saved = cloud - here\n"
        '    return price / saved if saved > 0 else float("inf")'
    ),
    why="A ratio of 10 or 30 says nothing until you know how many tasks you have: hardware that idles is the dearest of all.",
    answers=Answers(
        blank=["def break_even(price, here, cloud):\n    ..."],
        wrong=[
            Wrong("break_even = 3000000", "not a function", "one answer"),
            Wrong("def break_even(price, here, cloud):\n    price / (cloud - here)", "returned nothing", "forgets to return"),
            Wrong("def break_even(price, here, cloud):\n    return price / cloud", "the difference", "forgets the energy"),
            Wrong("def break_even(price, here, cloud):\n    return cloud / here", "3,000,000", "a ratio of prices"),
            Wrong("def break_even(price, here, cloud):\n    return price / (cloud - here) if cloud != here else float('inf')", "never pays", "a negative number of tasks"),
            Wrong("def break_even(price, here, cloud):\n    return price / (cloud - here) if cloud > here else 0", "never pays", "never, as zero"),
        ],
        right=[
            "import math\ndef break_even(price, here, cloud):\n    if cloud <= here:\n        return math.inf\n    return price / (cloud - here)",
        ],
    ),
)  # fmt: skip

# -- Confidence ---------------------------------------------------------------------------------------------------------


def check_escalate(escalate):
    require(callable(escalate), f"{show(escalate)} is not a function.")
    sure, unsure = {"yes": -0.1, "no": -3.1}, {"yes": -0.9, "no": -0.8}
    require(escalate(unsure, 1.0), "-0.8 leads before -0.9 by 0.1: less than 1, so it should escalate.")
    require(not escalate(sure, 1.0), "-0.1 leads before -3.1 by 3: at least 1, so it should stay.")
    require(
        not escalate({"a": -3.0, "b": -5.0, "c": -9.0}, 1.0),
        "all three are unlikely as text, but `a` leads by 2: compare the labels with each other.",
    )
    require(
        escalate({"c": -9.0, "a": -1.0, "b": -1.2}, 1.0),
        "the two likeliest are `a` and `b`, whatever the order of the dict.",
    )
    require(escalate({}, 1.0), "without probabilities nobody knows: escalate.")


ESCALATE = Exercise(
    id="02.3",
    title="Sure enough",
    section="Confidence",
    task=(
        "Write `escalate(logprobs, threshold)`: `logprobs` maps each label to its log-probability. Return True if the likeliest label "
        "leads before the second by less than `threshold`, or if there are no probabilities."
    ),
    expects="a function that returns True or False",
    check=check_escalate,
    hints=[
        "Log-probabilities are negative; the largest is the nearest to 0.",
        "`first, second, *_ = sorted(logprobs.values(), reverse=True)`",
        "An empty dict is False in an `if`.",
    ],
    solution=(
        "def escalate(logprobs, threshold):\n"
        "    if not logprobs:\n"
        "        return True\n"
        "    first, second, *_ = sorted(logprobs.values(), reverse=True)\n"
        "    return first - second < threshold"
    ),
    why="The margin compares labels with each other, so it does not mind that all of them are unlikely pieces of English.",
    answers=Answers(
        blank=["def escalate(logprobs, threshold):\n    ..."],
        wrong=[
            Wrong("escalate = True", "not a function", "a value"),
            Wrong("def escalate(p, t):\n    s = sorted(p.values(), reverse=True)\n    return s[0] - s[1]", "should stay", "returns the margin"),
            Wrong("def escalate(p, t):\n    return False", "should escalate", "always sure"),
            Wrong("def escalate(p, t):\n    s = sorted(p.values())\n    return s[0] - s[1] < t", "should stay", "sorts the wrong way: a negative lead"),
            Wrong("def escalate(p, t):\n    return max(p.values()) < -0.5", "compare the labels", "looks at the first alone"),
            Wrong("def escalate(p, t):\n    a, b, *_ = p.values()\n    return abs(a - b) < t", "whatever the order", "takes the first two of the dict"),
            Wrong("def escalate(p, t):\n    s = sorted(p.values(), reverse=True)\n    return len(s) > 1 and s[0] - s[1] < t", "nobody knows", "no probabilities, no doubt"),
        ],
        right=[
            "def escalate(p, t):\n    s = sorted(p.values())\n    return len(s) < 2 or s[-1] - s[-2] < t",
        ],
    ),
)  # fmt: skip

# -- One door -----------------------------------------------------------------------------------------------------------


def _asked(answer, private: bool, small) -> tuple[object, list]:
    """Run `answer` on one request; return what it gave and what the big model was asked."""
    left = []

    def big(request):
        left.append(request.text)
        return "big", 0.9

    return answer(SimpleNamespace(text="secret", private=private), small, big), left


def _fails(request):
    raise ValueError("the answer does not fit the schema")


def check_answer(answer):
    require(callable(answer), f"{show(answer)} is not a function.")
    label, left = _asked(answer, False, lambda request: ("small", 0.95))
    require(label == "small", f"the small model was sure: its label stands; yours gave {show(label)}.")
    require(not left, "the small model was sure, and the big one was asked all the same.")
    label, _ = _asked(answer, False, lambda request: ("small", 0.2))
    require(label == "big", f"unsure and not private: the big one's label; yours gave {show(label)}.")
    label, _ = _asked(answer, False, _fails)
    require(
        label == "big",
        f"the small one failed and the request is not private: ask the big one; yours gave {show(label)}.",
    )
    label, left = _asked(answer, True, lambda request: ("small", 0.2))
    require(not left, "a private request left because the small model was unsure.")
    require(label == "small", f"private and unsure: the small label is all there is; yours gave {show(label)}.")
    label, left = _asked(answer, True, _fails)
    require(not left, "a private request left through the fallback: when the small model fails, the rule still holds.")
    require(label == "a person", f'private, and the small model failed: return "a person"; yours gave {show(label)}.')


ANSWER = Exercise(
    id="02.4",
    title="A leak in the fallback",
    section="One door",
    task=(
        "Repair `answer(request, small, big)`. Both models return (label, confidence) or raise ValueError. Below 0.5 the big one is "
        'asked, unless `request.private`; then the small label stands, or "a person" if there is none.'
    ),
    expects="a function that returns a label",
    check=check_answer,
    hints=[
        "There are two ways to the big model. Which of them asks whether the request is private?",
        "Give both ways one door: decide first what the small model gave (a label, or nothing), then ask the rule once.",
    ],
    solution=(
        "def answer(request, small, big):\n"
        "    try:\n"
        "        label, sure = small(request)\n"
        "    except ValueError:\n"
        '        label, sure = "a person", 0.0\n'
        "    if sure >= 0.5 or request.private:\n"
        "        return label\n"
        "    return big(request)[0]"
    ),
    why="A rule that stands on one of two ways is no rule. Errors take the other way, and on bad days there are many.",
    answers=Answers(
        blank=["def answer(request, small, big):\n    ..."],
        wrong=[
            Wrong("answer = 'a person'", "not a function", "a label"),
            Wrong("def answer(r, small, big):\n    return big(r)[0]", "its label stands", "the big one for everything"),
            Wrong("def answer(r, small, big):\n    other = big(r)\n    try:\n        l, s = small(r)\n    except ValueError:\n        l, s = 'a person', 0\n    return l if s >= 0.5 or r.private else other[0]", "all the same", "asks both in advance"),
            Wrong("def answer(r, small, big):\n    try:\n        return small(r)[0]\n    except ValueError:\n        return 'a person'", "unsure and not private", "never escalates"),
            Wrong("def answer(r, small, big):\n    try:\n        l, s = small(r)\n    except ValueError:\n        return 'a person'\n    return l if s >= 0.5 or r.private else big(r)[0]", "the small one failed and", "a failure never escalates"),
            Wrong("def answer(r, small, big):\n    try:\n        l, s = small(r)\n    except ValueError:\n        return 'a person' if r.private else big(r)[0]\n    if s < 0.5:\n        other = big(r)[0]\n        return l if r.private else other\n    return l", "because the small model was unsure", "asks first, looks at the mark later"),
            Wrong("def answer(r, small, big):\n    try:\n        l, s = small(r)\n    except ValueError:\n        return 'a person' if r.private else big(r)[0]\n    if s >= 0.5:\n        return l\n    return 'a person' if r.private else big(r)[0]", "all there is", "throws the small label away"),
            Wrong("def answer(request, small, big):\n    try:\n        label, sure = small(request)\n        if sure >= 0.5 or request.private:\n            return label\n    except ValueError:\n        pass\n    return big(request)[0]", "through the fallback", "the leak itself"),
            Wrong("def answer(r, small, big):\n    try:\n        l, s = small(r)\n    except ValueError:\n        l, s = None, 0\n    return l if s >= 0.5 or r.private else big(r)[0]", '"a person"', "nobody is told"),
        ],
        right=[
            "def answer(r, small, big):\n    try:\n        l, s = small(r)\n    except ValueError:\n        return 'a person' if r.private else big(r)[0]\n"
            "    return l if r.private or s >= 0.5 else big(r)[0]",
        ],
    ),
)  # fmt: skip

# -- The curve ----------------------------------------------------------------------------------------------------------


def _point(threshold: float, quality: float, share: float) -> SimpleNamespace:
    return SimpleNamespace(threshold=threshold, quality=quality, share=share)


POINTS = (
    _point(0.0, 0.60, 0.0),
    _point(1.0, 0.70, 0.2),
    _point(2.0, 0.85, 0.4),
    _point(3.0, 0.82, 0.6),
    _point(float("inf"), 0.90, 0.9),
)


def check_pick(pick):
    require(callable(pick), f"{show(pick)} is not a function.")
    found = pick(POINTS, 0.8)
    require(found is not POINTS[4], "that is the best quality; a cheaper point is good enough.")
    require(found is not POINTS[0], "that is the cheapest point; it has 0.6, and 0.8 is wanted.")
    require(
        found is not POINTS[3],
        "that point is good enough, and another escalates less: the curve need not rise all the way.",
    )
    require(
        found is POINTS[2],
        f"return the point with the smallest share of those with 0.8 or more; yours gave {show(found)}.",
    )
    require(pick(POINTS[::-1], 0.8) is POINTS[2], "the points may come in any order.")
    require(pick(POINTS, 0.85) is POINTS[2], "exactly the wanted quality is enough.")
    require(pick(POINTS, 0.95) is None, "no point is good enough: return None.")


PICK = Exercise(
    id="02.5",
    title="Where to stand on the curve",
    section="The curve",
    task=(
        "Write `pick(points, least_quality)`: each point has `threshold`, `quality` and `share` (escalated), both 0 to 1. Return the "
        "point that escalates least among those with at least that quality; None if there is none."
    ),
    expects="a function that returns one of the points, or None",
    check=check_pick,
    hints=[
        "First keep those that are good enough: `[one for one in points if …]`.",
        "`min(kept, key=lambda one: one.share, default=None)`",
    ],
    solution=(
        "def pick(points, least_quality):\n"
        "    kept = [one for one in points if one.quality >= least_quality]\n"
        "    return min(kept, key=lambda one: one.share, default=None)"
    ),
    why="The wanted quality comes from your work, the curve from measurement. The threshold follows from both.",
    answers=Answers(
        blank=["def pick(points, least_quality):\n    ..."],
        wrong=[
            Wrong("pick = 2.0", "not a function", "a threshold"),
            Wrong("def pick(points, q):\n    return max(points, key=lambda p: p.quality)", "a cheaper point", "the best at any price"),
            Wrong("def pick(points, q):\n    return min(points, key=lambda p: p.share)", "0.8 is wanted", "the cheapest"),
            Wrong("def pick(points, q):\n    return min((p for p in points if p.quality >= q), key=lambda p: p.quality)", "need not rise", "the quality that is just enough"),
            Wrong("def pick(points, q):\n    return [p.threshold for p in points if p.quality >= q][0]", "return the point", "returns the threshold"),
            Wrong("def pick(points, q):\n    return next((p for p in points if p.quality >= q), None)", "any order", "takes the first"),
            Wrong("def pick(points, q):\n    return min((p for p in points if p.quality > q), key=lambda p: p.share, default=None)", "exactly", "more than wanted"),
            Wrong("def pick(points, q):\n    return min((p for p in points if p.quality >= q), key=lambda p: p.share, default=points[-1])", "return None", "some point at any rate"),
        ],
        right=[
            "def pick(points, q):\n    best = None\n    for p in points:\n        if p.quality >= q and (best is None or p.share < best.share):\n            best = p\n    return best",
        ],
    ),
)  # fmt: skip

EXERCISES = [KV_CACHE, BREAK_EVEN, ESCALATE, ANSWER, PICK]
