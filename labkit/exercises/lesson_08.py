"""The exercises of lesson 08: fair conditions, a fair rate, ratios by rounds, break-even, ignored or refused, a choice."""

from __future__ import annotations

from labkit.errors import EngineDied, Refused
from labkit.exercises import cases, raises, require, require_function, returned, show

# -- Fair ---------------------------------------------------------------------------------------------------------------


def _run(engine: str, tokens_per_second: float, **changes) -> dict:
    fair = {"weights": "F16", "threads": 1, "prompt_tokens": 60, "output_tokens": 12, "warm_up": True, "at_once": 4}
    return {"engine": engine, "tokens_per_second": tokens_per_second} | fair | changes


def check_differing(differing):
    require_function(differing)
    alike = differing([_run("a", 50.0), _run("b", 80.0)])
    returned(alike, "a set, an empty one if all is alike")
    require(
        set(alike) == set(), f"engine and speed are what is compared, not conditions; yours found {show(set(alike))}."
    )
    threads = differing([_run("a", 50.0), _run("b", 80.0, threads=2)])
    require(set(threads) == {"threads"}, f"one has 1 thread, the other 2: `threads`; yours found {show(set(threads))}.")
    cold = differing([_run("a", 50.0), _run("b", 30.0, warm_up=False)])
    require(set(cold) == {"warm_up"}, f"one was warm, the other not: `warm_up`; yours found {show(set(cold))}.")
    third = [_run("a", 50.0), _run("b", 50.0), _run("c", 90.0, prompt_tokens=20)]
    require(set(differing(third)) == {"prompt_tokens"}, "the third run had shorter prompts: look at all runs.")
    first = [_run("a", 50.0, prompt_tokens=20), _run("b", 50.0), _run("c", 90.0)]
    require(set(differing(first)) == {"prompt_tokens"}, "the first run had shorter prompts: look at all runs.")


LOG = {"launched": 0.0, "ready": 8.0, "first_sent": 10.0, "last_ended": 30.0, "words": 450, "output_tokens": 600}


def check_rate(rate):
    require_function(rate)
    got = rate(dict(LOG))
    returned(got, "a number")
    require(
        abs(got - 20) > 1e-6,
        "600 tokens over all 30 s has the engine's start in it. It is a figure of its own; here the clock begins with "
        "the first request.",
    )
    require(
        abs(got - 600 / 22) > 1e-6, "from ready to the first request nobody asked anything: begin with `first_sent`."
    )
    require(
        abs(got - 22.5) > 1e-6 and abs(got - 15) > 1e-6,
        "words are not tokens: another tokenizer, or another text, would change the figure. Take `output_tokens`.",
    )
    cases(rate, [(dict(LOG), 30.0), ({**LOG, "last_ended": 20.0, "output_tokens": 150}, 15.0)])


# -- Alone and in company -----------------------------------------------------------------------------------------------

OURS, THEIRS = [100.0, 20.0, 150.0], [50.0, 20.0, 60.0]  # in round 2 the machine was busy


def check_ratio(ratio):
    require_function(ratio)
    got = ratio(list(OURS), list(THEIRS))
    returned(got, "three numbers (median, lowest, highest)", tuple | list, parts=3)
    got = tuple(round(float(one), 6) for one in got)
    require(
        got[0] != round(270 / 130, 6),
        "that is the ratio of the means: round 2, when the machine was busy, counts by how slow it was. Divide round by round.",
    )
    require(got[0] != 0.5, "upside down: ours over theirs.")
    require(
        got != (2.0, round(20 / 60, 6), 7.5),
        "your range divides one engine's best round by the other's worst: those never met. Pair the rounds.",
    )
    require(got == (2.0, 1.0, 2.5), f"the pairs give 2, 1 and 2.5: median 2, from 1 to 2.5; yours is {show(got)}.")
    even = ratio([2.0, 6.0], [1.0, 2.0])
    require(tuple(even) == (2.5, 2.0, 3.0), f"of two rounds, 2 and 3, the median is 2.5; yours is {show(even)}.")


# -- Start or speed -----------------------------------------------------------------------------------------------------


def check_break_even(break_even):
    require_function(break_even)
    got = break_even((2.0, 1.0), (60.0, 0.5))
    require(
        got != 116,
        "at 116 requests both are done after 118 s: the second is not ahead yet. One more.",
    )
    require(got != 58, "58 s is what it starts later; each request makes up half a second of that, not a whole one.")
    require(got == 117, f"from request 117 on the second is done first; yours is {show(got)}.")
    never = break_even((2.0, 0.5), (60.0, 1.0))
    require(never is None, f"later to start and slower a request: never, so None; yours is {show(never)}.")
    require(
        break_even((2.0, 1.0), (3.0, 1.0)) is None, "equally fast and later to start: it never gets ahead, so None."
    )
    require(break_even((5.0, 1.0), (2.0, 0.5)) == 1, "it starts sooner and is faster: ahead from the first request on.")
    require(break_even((2.0, 1.0), (2.25, 0.5)) == 1, "it is ahead after one request: 2.75 s against 3 s.")
    require(
        break_even((5.0, 0.5), (2.0, 1.0)) == 1,
        "it starts 3 s sooner and is half a second slower a request: after the first one it is ahead.",
    )


# -- The same answers, the same features --------------------------------------------------------------------------------


class _Asked:
    """An engine that keeps to max_completion_tokens ("works"), passes over it ("ignored"), refuses it, or is gone."""

    def __init__(self, manner: str):
        self.manner, self.limits = manner, []

    def __call__(self, max_completion_tokens: int) -> int:
        self.limits.append(max_completion_tokens)
        if self.manner == "refused":
            raise Refused("the engine refused the request (400)", "it does not know the parameter", "labkit backends")
        if self.manner == "died":
            raise EngineDied("the engine is gone", "it was killed", "labkit doctor")
        return min(max_completion_tokens, 24) if self.manner == "works" else 24


def check_manner(manner):
    require_function(manner)
    works = _Asked("works")
    require(manner(works) == "works", "it kept to the limit: `works`.")
    require(
        works.limits and works.limits[0] < 24,
        "your limit is longer than the answer, so an engine that ignores it looks obedient: ask for 3.",
    )
    got = manner(_Asked("ignored"))
    require(got == "ignored", f"it answered without an error, and 24 tokens long: `ignored`; yours said {show(got)}.")
    got = manner(_Asked("refused"))
    require(got == "refused", f"it raised `Refused`: an honest no, `refused`; yours said {show(got)}.")
    because = "an engine that has died said nothing about the parameter: let `EngineDied` through, not {}."
    raises(EngineDied, lambda: manner(_Asked("died")), because)


# -- Choose -------------------------------------------------------------------------------------------------------------

ROWS = [
    {"engine": "a", "memory_mb": 600, "rate": 80.0, "can": {"streaming", "json_schema"}},
    {"engine": "b", "memory_mb": 900, "rate": 200.0, "can": {"streaming", "json_schema", "logprobs"}},
    {"engine": "c", "memory_mb": 400, "rate": 120.0, "can": {"streaming"}},
    {"engine": "d", "memory_mb": None, "rate": 300.0, "can": {"streaming", "json_schema", "logprobs"}},
    {"engine": "e", "memory_mb": 500, "rate": None, "can": {"streaming", "json_schema", "logprobs"}},
]


def check_pick(pick):
    require_function(pick)
    got = pick(list(ROWS), 900, {"json_schema"})
    returned(got, "a list of names", list)
    require(
        "c" not in got, "`c` has no JSON schema, however fast it is: a requirement is not weighed, it is met or not."
    )
    require("d" not in got, "the memory of `d` is None: not measured is not small.")
    require("e" not in got, "the rate of `e` is None: it cannot be put in order, so leave it out.")
    require("b" in got, "`b` takes 900 MB, and 900 are allowed.")
    require(got == ["b", "a"], f"fastest first: `b`, then `a`; yours is {show(got)}.")
    require(pick(list(ROWS), 800, {"json_schema"}) == ["a"], "with 800 MB, `b` with its 900 is out.")
    require(pick(list(ROWS), 800, {"logprobs"}) == [], "nobody meets it: an empty list, not the next best.")
    require(pick(list(ROWS), 900, set()) == ["b", "c", "a"], "no requirement but memory: three engines, fastest first.")
