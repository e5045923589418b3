"""The exercises of lesson 08: fair conditions, a fair rate, ratios by rounds, break-even, ignored or refused, a choice."""

from __future__ import annotations

from labkit.errors import EngineDied, Refused
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require
from labkit.exercises.message import show

# -- Fair ---------------------------------------------------------------------------------------------------------------


def _run(engine: str, tokens_per_second: float, **changes) -> dict:
    fair = {"weights": "F16", "threads": 1, "prompt_tokens": 60, "output_tokens": 12, "warm_up": True, "at_once": 4}
    return {"engine": engine, "tokens_per_second": tokens_per_second} | fair | changes


def check_differing(differing):
    require(callable(differing), f"{show(differing)} is not a function.")
    alike = differing([_run("a", 50.0), _run("b", 80.0)])
    require(alike is not None, "it returned nothing; return a set, an empty one if all is alike.")
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


DIFFERING = Exercise(
    id="08.1",
    title="Only the engine may differ",
    section="Fair",
    task=(
        "Write `differing(runs)`: each run is a dict with `engine`, `tokens_per_second` and its conditions (`weights`, `threads`, "
        "`prompt_tokens` and so on; all runs have the same keys). Return the set of conditions that are not alike in all runs."
    ),
    expects="a function of a list of dicts that returns a set of keys",
    check=check_differing,
    hints=[
        "For each key: how many different values are there among the runs?",
        "`len({run[key] for run in runs}) > 1`, and two keys are no conditions.",
    ],
    solution=(
        "def differing(runs):\n"
        "    conditions = runs[0].keys() - {'engine', 'tokens_per_second'}\n"
        "    return {key for key in conditions if len({run[key] for run in runs}) > 1}"
    ),
    why="A comparison in which two things differ says nothing about either of them.",
    answers=Answers(
        blank=["def differing(runs):\n    ..."],
        wrong=[
            Wrong("differing = {'threads'}", "not a function", "a set"),
            Wrong("def differing(runs):\n    {k for k in runs[0]}", "returned nothing", "forgets to return"),
            Wrong(
                "def differing(runs):\n    return {k for k in runs[0] if len({r[k] for r in runs}) > 1}",
                "not conditions",
                "counts the result among the conditions",
            ),
            Wrong("def differing(runs):\n    return set()", "1 thread, the other 2", "finds nothing"),
            Wrong(
                "def differing(runs):\n    return {'threads'} if len({r['threads'] for r in runs}) > 1 else set()",
                "one was warm",
                "looks at threads alone",
            ),
            Wrong(
                "def differing(runs):\n    a, b = runs[:2]\n"
                "    return {k for k in a if a[k] != b[k]} - {'engine', 'tokens_per_second'}",
                "the third run",
                "compares the first two",
            ),
            Wrong(
                "def differing(runs):\n    a, b = runs[-2:]\n"
                "    return {k for k in a if a[k] != b[k]} - {'engine', 'tokens_per_second'}",
                "the first run",
                "compares the last two",
            ),
        ],
        right=[
            "def differing(runs):\n    found = set()\n    for run in runs:\n        found |= {k for k in run if run[k] != runs[0][k]}\n"
            "    return found - {'engine', 'tokens_per_second'}",
        ],
    ),
)

LOG = {"launched": 0.0, "ready": 8.0, "first_sent": 10.0, "last_ended": 30.0, "words": 450, "output_tokens": 600}


def check_rate(rate):
    require(callable(rate), f"{show(rate)} is not a function.")
    got = rate(dict(LOG))
    require(got is not None, "it returned nothing; return a number.")
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


RATE = Exercise(
    id="08.2",
    title="The clock and the count",
    section="Fair",
    task=(
        "The recipe: `words / (last_ended - launched)`. Repair it: `rate(log)` returns output tokens a second while the engine was "
        "being asked. `log` has `launched`, `ready`, `first_sent` and `last_ended` in seconds, `words` and `output_tokens`."
    ),
    expects="a function of a dict that returns tokens a second",
    check=check_rate,
    hints=["Which two moments enclose the work?", "Tokens, not words, over `last_ended - first_sent`."],
    solution="def rate(log):\n    return log['output_tokens'] / (log['last_ended'] - log['first_sent'])",
    why="A start counted for one engine and not for another has decided many a published comparison.",
    answers=Answers(
        blank=["def rate(log):\n    ..."],
        wrong=[
            Wrong("rate = 30.0", "not a function", "a number"),
            Wrong("def rate(log):\n    log['output_tokens'] / 20", "returned nothing", "forgets to return"),
            Wrong(
                "def rate(log):\n    return log['output_tokens'] / (log['last_ended'] - log['launched'])",
                "start in it",
                "counts the cold start",
            ),
            Wrong(
                "def rate(log):\n    return log['output_tokens'] / (log['last_ended'] - log['ready'])",
                "nobody asked",
                "counts the idle time",
            ),
            Wrong(
                "def rate(log):\n    return log['words'] / (log['last_ended'] - log['launched'])",
                "words are not tokens",
                "the recipe itself",
            ),
            Wrong(
                "def rate(log):\n    return log['words'] / (log['last_ended'] - log['first_sent'])",
                "words are not tokens",
                "words with the right clock",
            ),
            Wrong("def rate(log):\n    return 30.0", "returned", "the one answer"),
        ],
        right=["rate = lambda log: log['output_tokens'] / (log['last_ended'] - log['first_sent'])"],
    ),
)

# -- Alone and in company -----------------------------------------------------------------------------------------------

OURS, THEIRS = [100.0, 20.0, 150.0], [50.0, 20.0, 60.0]  # in round 2 the machine was busy


def check_ratio(ratio):
    require(callable(ratio), f"{show(ratio)} is not a function.")
    got = ratio(list(OURS), list(THEIRS))
    require(
        isinstance(got, tuple | list) and len(got) == 3,
        f"return three numbers (median, lowest, highest); yours is {show(got)}.",
    )
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


RATIO = Exercise(
    id="08.3",
    title="Round by round",
    section="Alone and in company",
    task=(
        "Two engines took turns; `ours` and `theirs` hold tokens a second, one figure a round. Write `ratio(ours, theirs)`: return "
        "the median, the lowest and the highest of ours over theirs, round by round."
    ),
    expects="a function that returns three numbers",
    check=check_ratio,
    hints=["`zip(ours, theirs)` makes the pairs.", "`statistics.median`, `min`, `max`."],
    solution=(
        "import statistics\n\n"
        "def ratio(ours, theirs):\n"
        "    pairs = [a / b for a, b in zip(ours, theirs)]\n"
        "    return statistics.median(pairs), min(pairs), max(pairs)"
    ),
    why="What slows the machine for a while slows both engines of a round, and falls out of their ratio.",
    answers=Answers(
        blank=["def ratio(ours, theirs):\n    ..."],
        wrong=[
            Wrong("ratio = 2.0", "not a function", "a number"),
            Wrong(
                "def ratio(ours, theirs):\n    return ours[0] / theirs[0]",
                "return three numbers",
                "the first round alone",
            ),
            Wrong(
                "def ratio(ours, theirs):\n    p = [a / b for a, b in zip(ours, theirs)]\n"
                "    return sum(ours) / sum(theirs), min(p), max(p)",
                "ratio of the means",
                "ratio of means",
            ),
            Wrong(
                "def ratio(ours, theirs):\n    p = sorted(b / a for a, b in zip(ours, theirs))\n    return p[1], p[0], p[-1]",
                "upside down",
                "theirs over ours",
            ),
            Wrong(
                "def ratio(ours, theirs):\n    p = sorted(a / b for a, b in zip(ours, theirs))\n"
                "    return p[len(p) // 2], min(ours) / max(theirs), max(ours) / min(theirs)",
                "never met",
                "best of one over worst of the other",
            ),
            Wrong(
                "def ratio(ours, theirs):\n    p = [a / b for a, b in zip(sorted(ours), sorted(theirs))]\n"
                "    return sum(p) / len(p), min(p), max(p)",
                "the pairs give",
                "the mean of the ratios",
            ),
            Wrong(
                "def ratio(ours, theirs):\n    p = sorted(a / b for a, b in zip(ours, theirs))\n"
                "    return p[len(p) // 2], p[0], p[-1]",
                "of two rounds",
                "the upper one of two for the median",
            ),
        ],
        right=[
            "import statistics\ndef ratio(ours, theirs):\n    p = sorted(ours[i] / theirs[i] for i in range(len(ours)))\n"
            "    return [statistics.median(p), p[0], p[-1]]",
        ],
    ),
)

# -- Start or speed -----------------------------------------------------------------------------------------------------


def check_break_even(break_even):
    require(callable(break_even), f"{show(break_even)} is not a function.")
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


BREAK_EVEN = Exercise(
    id="08.4",
    title="When the wait pays",
    section="Start or speed",
    task=(
        "Each engine is a pair (seconds to start, seconds a request), requests come one after the other. Write "
        "`break_even(first, second)`: the least number of requests, at least 1, at which `second` is done before `first`, or None."
    ),
    expects="a function of two pairs that returns a whole number or None",
    check=check_break_even,
    hints=[
        "After n requests: start + n × each.",
        "Look at n = 1 first. If second is not ahead then, it has to be faster a request, else None.",
        "It starts later by d and gains g a request: the first whole n above d / g.",
    ],
    solution=(
        "def break_even(first, second):\n"
        "    if sum(second) < sum(first):\n"
        "        return 1\n"
        "    gain = first[1] - second[1]\n"
        "    if gain <= 0:\n"
        "        return None\n"
        "    return int((second[0] - first[0]) / gain) + 1"
    ),
    why="A script that asks ten questions and ends wants another engine than a service that runs all day.",
    answers=Answers(
        blank=["def break_even(first, second):\n    ..."],
        wrong=[
            Wrong("break_even = 117", "not a function", "a number"),
            Wrong(
                "def break_even(a, b):\n    return (b[0] - a[0]) / (a[1] - b[1])",
                "not ahead yet",
                "takes even for ahead",
            ),
            Wrong("def break_even(a, b):\n    return int(b[0] - a[0])", "half a second", "forgets the gain a request"),
            Wrong(
                "def break_even(a, b):\n    return int((b[0] - a[0]) / a[1]) + 1",
                "from request 117",
                "ignores the second's work",
            ),
            Wrong(
                "def break_even(a, b):\n    return int((b[0] - a[0]) / abs(a[1] - b[1])) + 1 if a[1] != b[1] else None",
                "never, so None",
                "the sign does not matter",
            ),
            Wrong(
                "def break_even(a, b):\n    if a[1] < b[1]:\n        return None\n"
                "    return int((b[0] - a[0]) / (a[1] - b[1] or 1)) + 1",
                "equally fast",
                "equal is faster",
            ),
            Wrong(
                "def break_even(a, b):\n    return int((b[0] - a[0]) / (a[1] - b[1])) + 1 if a[1] > b[1] else None",
                "from the first request on",
                "a negative number of requests",
            ),
            Wrong(
                "def break_even(a, b):\n    if b[0] < a[0]:\n        return 1\n    if a[1] <= b[1]:\n        return None\n"
                "    return max(2, int((b[0] - a[0]) / (a[1] - b[1])) + 1)",
                "2.75 s against 3 s",
                "the later start needs two",
            ),
            Wrong(
                "def break_even(a, b):\n    if a[1] <= b[1]:\n        return None\n"
                "    return max(1, int((b[0] - a[0]) / (a[1] - b[1])) + 1)",
                "3 s sooner",
                "a slower engine never wins",
            ),
        ],
        right=[
            "def break_even(a, b):\n    for n in range(1, 100_000):\n        if b[0] + n * b[1] < a[0] + n * a[1]:\n            return n",
        ],
    ),
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
    require(callable(manner), f"{show(manner)} is not a function.")
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
    try:
        got = manner(_Asked("died"))
    except EngineDied:
        return
    require(
        False, f"an engine that has died said nothing about the parameter: let `EngineDied` through, not {show(got)}."
    )


MANNER = Exercise(
    id="08.5",
    title="Obeyed, ignored, refused",
    section="The same answers, the same features",
    task=(
        "`ask(max_completion_tokens)` asks for a long answer with that limit, and returns how many tokens came, or raises `Refused`. "
        "Write `manner(ask)`: return `works`, `ignored` or `refused`. (`from labkit.errors import Refused`)"
    ),
    expects="a function that returns one of three words",
    check=check_manner,
    hints=[
        "Ask for 3 tokens. How many came?",
        "`try:` … `except Refused:`; no other error.",
    ],
    solution=(
        "from labkit.errors import Refused\n\n"
        "def manner(ask):\n"
        "    try:\n"
        "        tokens = ask(3)\n"
        "    except Refused:\n"
        '        return "refused"\n'
        '    return "works" if tokens <= 3 else "ignored"'
    ),
    why="A refusal costs a minute. A parameter that is taken and ignored costs an afternoon, and nobody sees it.",
    answers=Answers(
        blank=["def manner(ask):\n    ..."],
        wrong=[
            Wrong("manner = 'works'", "not a function", "a word"),
            Wrong(
                "def manner(ask):\n    return 'ignored' if ask(3) else 'works'",
                "kept to the limit",
                "any answer is disobedience",
            ),
            Wrong(
                "from labkit.errors import Refused\ndef manner(ask):\n    try:\n        return 'works' if ask(100) <= 100 else 'ignored'\n"
                "    except Refused:\n        return 'refused'",
                "looks obedient",
                "a limit that nothing reaches",
            ),
            Wrong(
                "from labkit.errors import Refused\ndef manner(ask):\n    try:\n        ask(3)\n        return 'works'\n"
                "    except Refused:\n        return 'refused'",
                "without an error",
                "no error means that it works",
            ),
            Wrong(
                "from labkit.errors import Refused\ndef manner(ask):\n    try:\n        return 'works' if ask(3) <= 3 else 'ignored'\n"
                "    except Refused:\n        return 'ignored'",
                "an honest no",
                "a refusal is as good as nothing",
            ),
            Wrong(
                "from labkit.errors import LabkitError\ndef manner(ask):\n    try:\n        return 'works' if ask(3) <= 3 else 'ignored'\n"
                "    except LabkitError:\n        return 'refused'",
                "let `EngineDied` through",
                "every error is a refusal",
            ),
        ],
        right=[
            "from labkit.errors import Refused\ndef manner(ask):\n    try:\n        return 'ignored' if ask(5) > 5 else 'works'\n"
            "    except Refused:\n        return 'refused'",
        ],
    ),
)

# -- Choose -------------------------------------------------------------------------------------------------------------

ROWS = [
    {"engine": "a", "memory_mb": 600, "rate": 80.0, "can": {"streaming", "json_schema"}},
    {"engine": "b", "memory_mb": 900, "rate": 200.0, "can": {"streaming", "json_schema", "logprobs"}},
    {"engine": "c", "memory_mb": 400, "rate": 120.0, "can": {"streaming"}},
    {"engine": "d", "memory_mb": None, "rate": 300.0, "can": {"streaming", "json_schema", "logprobs"}},
    {"engine": "e", "memory_mb": 500, "rate": None, "can": {"streaming", "json_schema", "logprobs"}},
]


def check_pick(pick):
    require(callable(pick), f"{show(pick)} is not a function.")
    got = pick(list(ROWS), 900, {"json_schema"})
    require(isinstance(got, list), f"return a list of names; yours is {show(got)}.")
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


PICK = Exercise(
    id="08.6",
    title="Must, then may",
    section="Choose",
    task=(
        "Write `pick(rows, memory_mb, needs)`: each row has `engine`, `memory_mb`, `rate` (tokens a second) and `can` (a set). Return "
        "the names of those within the memory that can all that is needed, fastest first. What was not measured is None: leave it out."
    ),
    expects="a function that returns a list of names",
    check=check_pick,
    hints=[
        "First throw out, then sort.",
        "`needs <= row['can']` is true if every need is met.",
        "`None not in (row['memory_mb'], row['rate'])`",
    ],
    solution=(
        "def pick(rows, memory_mb, needs):\n"
        "    known = [row for row in rows if None not in (row['memory_mb'], row['rate'])]\n"
        "    fit = [row for row in known if row['memory_mb'] <= memory_mb and needs <= row['can']]\n"
        "    return [row['engine'] for row in sorted(fit, key=lambda row: -row['rate'])]"
    ),
    why="Points add up, and a high sum can hide a hole. What you cannot do without is a filter, not a point.",
    answers=Answers(
        blank=["def pick(rows, memory_mb, needs):\n    ..."],
        wrong=[
            Wrong("pick = ['b']", "not a function", "a list"),
            Wrong("def pick(rows, m, needs):\n    return rows[1]['engine']", "return a list of names", "one name"),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] <= m]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "met or not",
                "forgets the needs",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if (r['memory_mb'] or 0) <= m and needs <= r['can'] and r['rate']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "not measured is not small",
                "None is zero",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['memory_mb'] <= m and needs <= r['can']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -(r['rate'] or 0))]",
                "put in order",
                "an unknown rate is the lowest",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] < m and needs <= r['can']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "900 are allowed",
                "the limit itself is too much",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] <= m and needs <= r['can']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: r['rate'])]",
                "then `a`",
                "slowest first",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] <= 900 and needs <= r['can']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "with 800 MB",
                "900 written into the code",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    known = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] <= m]\n"
                "    fit = [r for r in known if needs <= r['can']] or known\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "not the next best",
                "gives the next best",
            ),
            Wrong(
                "def pick(rows, m, needs):\n    fit = [r for r in rows if r['memory_mb'] and r['rate'] and r['memory_mb'] <= m and needs and needs <= r['can']]\n"
                "    return [r['engine'] for r in sorted(fit, key=lambda r: -r['rate'])]",
                "no requirement",
                "no needs, no engine",
            ),
        ],
        right=[
            "def pick(rows, memory_mb, needs):\n    found = []\n    for row in rows:\n"
            "        if row['memory_mb'] is None or row['rate'] is None or row['memory_mb'] > memory_mb:\n            continue\n"
            "        if not needs - row['can']:\n            found.append((row['rate'], row['engine']))\n"
            "    return [name for _, name in sorted(found, reverse=True)]",
        ],
    ),
)

EXERCISES = [DIFFERING, RATE, RATIO, BREAK_EVEN, MANNER, PICK]
