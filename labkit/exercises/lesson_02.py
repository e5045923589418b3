"""The exercises of lesson 02: a KV cache, a break-even, a doubt worth escalating, a leak in a fallback, a threshold."""

from __future__ import annotations

from types import SimpleNamespace

from labkit.exercises import require, require_function, returned, show

# -- Memory -------------------------------------------------------------------------------------------------------------


def check_kv_cache_bytes(kv_cache_bytes):
    require_function(kv_cache_bytes)
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


# -- What a task costs --------------------------------------------------------------------------------------------------


def check_break_even(break_even):
    require_function(break_even)
    found = break_even(900, 0.0001, 0.0004)
    returned(found, "the number of tasks")
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


# -- Confidence ---------------------------------------------------------------------------------------------------------


def check_escalate(escalate):
    require_function(escalate)
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
    require_function(answer)
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
    require_function(pick)
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
