"""The exercises of lesson 11: an alert for each of five faults, a percentile, advice about a line, and a count of series."""

from __future__ import annotations

import math

from labkit.exercises._rules_played import ends, firings, rule_of, says_no_data
from labkit.exercises.core import Answers, Exercise, Wrong, cases, require
from labkit.exercises.message import show

EXPECTS = "a dict with `metric`, `above` or `below`, `clear`, and the times that you need, in seconds"
SAYS_GONE = "the engine is gone for a minute, and nobody is told that this figure is unknown: shorten `absent_seconds`."
GONE = {"up": 0.0, "calls": 0.0, "calls_in_flight": 0.0}  # all else is unknown

# -- An engine dies -----------------------------------------------------------------------------------------------------

BUSY = {"up": 1.0, "requests_running": 2.0, "requests_waiting": 1.0, "error_rate_percent": 0.0, "calls": 30.0}
IDLE = BUSY | {"requests_running": 0.0, "requests_waiting": 0.0, "calls": 0.0, "error_rate_percent": None}


def check_engine_gone(engine_gone):
    rule = rule_of(engine_gone)
    require(not firings(rule, (300, BUSY)), "it fires while the engine answers.")
    require(not firings(rule, (300, IDLE)), "it fires when nobody asks anything: idle is not dead.")
    require(firings(rule, (60, BUSY), (120, GONE)), "the engine is dead for two minutes, and it is silent.")
    late = firings(rule, (60, BUSY), (2, GONE), (60, BUSY))
    require(not late, "one answer that is 2 s late sets it off: let it wait with `for_seconds`.")
    after = firings(rule, (60, BUSY), (120, GONE))[0] - 60
    require(after <= 30, f"it takes {after:.0f} s to tell; 30 s are the most.")
    back = ends(rule, (60, BUSY), (60, GONE), (60, BUSY))
    require(back, "the engine is back, and it goes on firing: look at `clear`.")
    silent = says_no_data(rule, BUSY, {})
    require(silent, "nobody looks any more, and for a minute it says nothing: set `absent_seconds`.")


ENGINE_GONE = Exercise(
    id="11.1",
    title="The engine is gone",
    section="An engine dies",
    task="Write the rule `engine_gone` as a dict. It fires when the engine has been dead for some seconds (3 to 30), not for a "
    "hiccup of 2 s and not when the engine is merely idle, and ends when it is back. If for 60 s nobody looks, it says so.",
    expects=EXPECTS,
    check=check_engine_gone,
    hints=["One figure is 1 or 0 and never unknown while somebody looks.", "`metric` is `up`, and it fires `below` 0.5."],
    solution='engine_gone = {"metric": "up", "below": 0.5, "clear": 0.5, "window_seconds": 0, "for_seconds": 5,\n'
    '               "absent_seconds": 30}',
    why="A figure of its own for “it answers” is what keeps an outage from looking like a quiet hour.",
    answers=Answers(
        blank=["engine_gone = ..."],
        wrong=[
            Wrong("engine_gone = 'up < 0.5'", "is no dict", "a sentence instead of data"),
            Wrong('engine_gone = {"metric": "alive", "below": 1, "clear": 1}', "no figure is called", "a figure that does not exist"),
            Wrong('engine_gone = {"metric": "up", "limit": 0.5, "clear": 0.5}', "unexpected keyword", "a key that does not exist"),
            Wrong('engine_gone = {"metric": "up", "above": 0.5, "clear": 0.5}', "while the engine answers", "turned it round"),
            Wrong('engine_gone = {"metric": "requests_running", "below": 1, "clear": 1, "for_seconds": 5, "absent_seconds": 30}',
                  "idle is not dead", "takes no work for no engine, as the module does"),
            Wrong('engine_gone = {"metric": "error_rate_percent", "above": 5, "clear": 3, "absent_seconds": 30}', "it is silent",
                  "without calls there are no errors either"),
            Wrong('engine_gone = {"metric": "up", "below": 0.5, "clear": 0.5, "window_seconds": 0, "absent_seconds": 30}',
                  "2 s late", "no patience at all"),
            Wrong('engine_gone = {"metric": "up", "below": 0.5, "clear": 0.5, "window_seconds": 60, "for_seconds": 5, '
                  '"absent_seconds": 30}', "30 s are the most", "the mean of a minute must turn first"),
            Wrong('engine_gone = {"metric": "up", "below": 0.5, "clear": 2, "window_seconds": 0, "for_seconds": 5, '
                  '"absent_seconds": 30}', "goes on firing", "a way back that cannot be reached"),
            Wrong('engine_gone = {"metric": "up", "below": 0.5, "clear": 0.5, "window_seconds": 0, "for_seconds": 5, '
                  '"absent_seconds": 600}', "nobody looks any more", "ten minutes of silence are fine"),
        ],
        right=['engine_gone = dict(metric="up", below=1, clear=1, window_seconds=5, for_seconds=10, absent_seconds=60)'],
    ),
)  # fmt: skip

# -- A slow engine ------------------------------------------------------------------------------------------------------

EDGES, COUNTS = (0.1, 0.2, 0.4, 0.8), (50, 40, 5, 4, 1)


def check_quantile(quantile):
    require(callable(quantile), f"{show(quantile)} is not a function.")
    got = quantile(EDGES, COUNTS, 0.95)
    two = isinstance(got, tuple) and len(got) == 2
    require(two, f"it should return two edges, as a tuple; yours returned {show(got)}.")
    half = quantile(EDGES, COUNTS, 0.5)
    require(
        half != (0.1, 0.2), "50 of 100 calls are in the first bucket, so half are at most 0.1 s: count that bucket in."
    )
    require(half[0] == 0, f"no time is less than 0, so the first bucket begins there; yours begins at {show(half[0])}.")
    rest = quantile(EDGES, COUNTS, 1.0)
    require(rest == (0.8, math.inf), "the last bucket has no upper edge: from 0.8 to `math.inf`.")
    cases(
        quantile,
        [(EDGES, COUNTS, 0.95, (0.2, 0.4)), (EDGES, COUNTS, 0.99, (0.4, 0.8)), ((1, 2), (0, 3, 0), 0.01, (1, 2))],
    )


QUANTILE = Exercise(
    id="11.2",
    title="A percentile out of buckets",
    section="A slow engine",
    task="Write `quantile(edges, counts, share)`: the bucket, as `(from, to)`, in which the share of all calls is reached. "
    "`counts` has one number more than `edges`: the last bucket goes from the last edge to `math.inf`. The first begins at 0.",
    expects="a function of two sequences and a share from 0 to 1 that returns a tuple of two numbers",
    check=check_quantile,
    hints=[
        "Add the counts up, bucket by bucket, until at least `share * sum(counts)` is reached.",
        "The buckets are the pairs of `[0, *edges, math.inf]`.",
    ],
    solution="import math\n\ndef quantile(edges, counts, share):\n    edges, so_far = [0, *edges, math.inf], 0\n"
    "    for n, count in enumerate(counts):\n        so_far += count\n"
    "        if count and so_far >= share * sum(counts):\n            return edges[n], edges[n + 1]",
    why="Counts in buckets can be added over machines and minutes, and percentiles cannot: so buckets are what is kept.",
    answers=Answers(
        setup="import math",
        blank=["def quantile(edges, counts, share):\n    ..."],
        wrong=[
            Wrong("quantile = 0.4", "not a function", "a figure instead of a rule"),
            Wrong("def quantile(edges, counts, share):\n    return sum(e * c for e, c in zip(edges, counts)) / sum(counts)",
                  "two edges", "the average"),
            Wrong("def quantile(edges, counts, share):\n    e, s = [0, *edges, math.inf], 0\n    for n, c in enumerate(counts):\n"
                  "        s += c\n        if c and (s > share * sum(counts) or n == len(counts) - 1):\n"
                  "            return e[n], e[n + 1]", "count that bucket in", "one bucket too far"),
            Wrong("def quantile(edges, counts, share):\n    e, s = [edges[0], *edges, math.inf], 0\n"
                  "    for n, c in enumerate(counts):\n        s += c\n        if c and s >= share * sum(counts):\n"
                  "            return e[n], e[n + 1]", "begins there", "the first edge is taken for the beginning"),
            Wrong("def quantile(edges, counts, share):\n    e, s = [0, *edges, edges[-1]], 0\n"
                  "    for n, c in enumerate(counts):\n        s += c\n        if c and s >= share * sum(counts):\n"
                  "            return e[n], e[n + 1]", "no upper edge", "nothing is slower than the last edge"),
            Wrong("def quantile(edges, counts, share):\n    e = [0, *edges, math.inf]\n    n = round(share * len(counts))\n"
                  "    n = 0 if share == 0.5 else min(n, len(counts) - 1)\n    return e[n], e[n + 1]", "returned",
                  "counts buckets instead of calls"),
        ],
        right=["import math\nfrom bisect import bisect_left\nfrom itertools import accumulate\n"
               "def quantile(edges, counts, share):\n    sums = list(accumulate(counts))\n"
               "    n = bisect_left(sums, max(share * sums[-1], 1))\n    edges = [0, *edges, math.inf]\n"
               "    return (edges[n], edges[n + 1])"],
    ),
)  # fmt: skip

QUICK = {"up": 1.0, "calls": 20.0, "calls_in_flight": 1.0, "response_time_ms": 250.0, "response_time_p95_ms": 500.0}
LONGER = QUICK | {"response_time_ms": 450.0, "response_time_p95_ms": 600.0}  # longer questions, nothing wrong
SLOW = QUICK | {"response_time_ms": 420.0, "response_time_p95_ms": 2200.0}


def check_slow_answers(slow_answers):
    rule = rule_of(slow_answers)
    fires = firings(rule, (300, QUICK), (300, LONGER))
    require(not fires, "it fires though all is well: longer questions take longer.")
    fires = firings(rule, (60, QUICK), (300, SLOW))
    require(fires, "one call in ten takes over 2 s for five minutes, and it is silent: a mean of 420 ms hides that.")
    over = ends(rule, (60, QUICK), (300, SLOW), (300, QUICK))
    require(over, "it goes on firing five minutes after the engine is quick again.")
    require(says_no_data(rule, QUICK, GONE | {"calls_in_flight": 3.0}), SAYS_GONE)
    night = QUICK | {"calls": 0.0, "calls_in_flight": 0.0, "response_time_p95_ms": None}
    quiet = ends(rule, (60, QUICK), (300, night))
    require(
        quiet, "an engine that nobody asks has no times, and yours reports missing data all night: set `idle_is_fine`."
    )


SLOW_ANSWERS = Exercise(
    id="11.3",
    title="A few slow answers",
    section="A slow engine",
    task="Write the rule `slow_answers`: normally 19 of 20 calls take at most 500 to 600 ms; it fires when one in ten takes more than "
    "2 s, and ends when that is over. If the engine is gone for a minute, it says so. An hour without calls is fine (`idle_is_fine`).",
    expects=EXPECTS,
    check=check_slow_answers,
    hints=[
        "Which figure sees the slowest of twenty, and not the mean?",
        "`response_time_p95_ms` above a limit between what is normal and what is not, such as 1500.",
        "`absent_seconds` at most 60, `idle_is_fine` true.",
    ],
    solution='slow_answers = {"metric": "response_time_p95_ms", "above": 1500, "clear": 1000, "window_seconds": 30,\n'
    '                "absent_seconds": 45, "idle_is_fine": True}',
    why="People remember the slow answer and not the mean, so watch the tail.",
    answers=Answers(
        blank=["slow_answers = ..."],
        wrong=[
            Wrong('slow_answers = {"metric": "response_time_ms", "above": 2000, "clear": 1600, "absent_seconds": 45}', "hides that",
                  "the module's threshold for the mean"),
            Wrong('slow_answers = {"metric": "response_time_ms", "above": 300, "clear": 260, "absent_seconds": 45}', "all is well",
                  "a mean so strict that longer questions set it off"),
            Wrong('slow_answers = {"metric": "response_time_p95_ms", "above": 1500, "clear": 100, "absent_seconds": 45}',
                  "goes on firing", "a way back that is never reached"),
            Wrong('slow_answers = {"metric": "response_time_p95_ms", "above": 1500, "clear": 1000, "absent_seconds": 120}',
                  "shorten `absent_seconds`", "two minutes of silence"),
            Wrong('slow_answers = {"metric": "response_time_p95_ms", "above": 1500, "clear": 1000, "absent_seconds": 45}',
                  "nobody asks", "a quiet night is an alert"),
        ],
        right=['slow_answers = {"metric": "response_time_p95_ms", "above": 1000, "clear": 1000, "absent_seconds": 60, '
               '"for_seconds": 20, "idle_is_fine": True}'],
    ),
)  # fmt: skip

# -- Little memory ------------------------------------------------------------------------------------------------------


def _memory(percent: float) -> dict:
    return {"up": 1.0, "memory_usage_percent": percent}


BREATHING = [_memory(90.0 if second % 20 < 10 else 82.0) for second in range(400)]


def check_little_memory(little_memory):
    rule = rule_of(little_memory)
    require(rule.metric == "memory_usage_percent", "the question is how full this machine's memory is.")
    require(not firings(rule, (300, _memory(79.0))), "at 79 % all is well, and it fires.")
    require(firings(rule, (300, _memory(86.0))), "86 % for five minutes, and it is silent: the limit is 85.")
    spike = firings(rule, (60, _memory(60.0)), (2, _memory(99.0)), (60, _memory(60.0)))
    require(not spike, "a model that loads takes more for 2 s, and it fires: a window or `for_seconds` has patience.")
    times = len(firings(rule, (60, _memory(60.0)), (60, _memory(90.0)), BREATHING))
    swings = "use swings from 90 to 82 % and back every 20 s"
    require(times == 1, f"{swings}: one trouble, and {times} alerts. Let it end lower than it began.")
    require(ends(rule, (120, _memory(90.0)), (120, _memory(70.0))), "at 70 % it still fires: `clear` is too low.")


LITTLE_MEMORY = Exercise(
    id="11.4",
    title="One trouble, one alert",
    section="Little memory",
    task="Write the rule `little_memory`: above 85 % of this machine's memory, but not for a peak of 2 s. When use swings between 90 "
    "and 82 % it is one alert, not one a swing. At 70 % it is over.",
    expects=EXPECTS,
    check=check_little_memory,
    hints=[
        "The distance between `above` and `clear` is called hysteresis.",
        "`clear` lies below the lowest swing, 82, and above 70.",
        "With `window_seconds` of 10 or `for_seconds` of 5, a peak of 2 s passes.",
    ],
    solution='little_memory = {"metric": "memory_usage_percent", "above": 85, "clear": 78, "window_seconds": 10,\n'
    '                 "for_seconds": 5}',
    why="Somebody who was woken ten times for one trouble switches the alert off, and then nobody is woken.",
    answers=Answers(
        blank=["little_memory = ..."],
        wrong=[
            Wrong('little_memory = {"metric": "process_memory_gb", "above": 8, "clear": 7}', "this machine's memory",
                  "what the engine takes, while a neighbour eats the rest"),
            Wrong('little_memory = {"metric": "memory_usage_percent", "above": 70, "clear": 60}', "at 79 %", "far too careful"),
            Wrong('little_memory = {"metric": "memory_usage_percent", "above": 95, "clear": 80}', "it is silent", "too late"),
            Wrong('little_memory = {"metric": "memory_usage_percent", "above": 85, "clear": 78, "window_seconds": 0}',
                  "a model that loads", "no patience"),
            Wrong('little_memory = {"metric": "memory_usage_percent", "above": 85, "clear": 85, "window_seconds": 5, '
                  '"for_seconds": 5}', "one trouble", "ends where it begins"),
            Wrong('little_memory = {"metric": "memory_usage_percent", "above": 85, "clear": 20, "for_seconds": 5}',
                  "too low", "so much hysteresis that it never ends"),
        ],
        right=['little_memory = {"metric": "memory_usage_percent", "above": 85, "clear": 80, "window_seconds": 30, "for_seconds": 30}'],
    ),
)  # fmt: skip

# -- A flood ------------------------------------------------------------------------------------------------------------


def _line(waiting: float) -> dict:
    return {
        "up": 1.0,
        "calls": 20.0,
        "requests_running": 4.0,
        "requests_waiting": waiting,
        "calls_in_flight": 4 + waiting,
    }


QUEUED = [_line(3.0 if second % 30 == 0 else 0.0) for second in range(300)]


def check_long_line(long_line):
    rule = rule_of(long_line)
    require(not firings(rule, QUEUED), "three who wait for a second, twice a minute, are no flood, and it fires.")
    gust = firings(rule, (60, _line(0.0)), (3, _line(40.0)), (60, _line(0.0)))
    require(not gust, "40 who wait for 3 s are a gust, and it fires.")
    long = "12 wait for three minutes where 4 are served at once"
    fires = firings(rule, (60, _line(0.0)), (180, _line(12.0)))
    require(fires, f"{long}, and it is silent: the module's 50 would never come here.")
    require(ends(rule, (180, _line(12.0)), (180, _line(0.0))), "nobody waits any more, and it goes on firing.")
    require(says_no_data(rule, _line(1.0), GONE), SAYS_GONE)


LONG_LINE = Exercise(
    id="11.5",
    title="A line that does not end",
    section="A flood",
    task="Write the rule `long_line` for an engine with 4 places: it fires when 12 wait for some minutes, not when 3 wait for a second "
    "or 40 for 3 s, and ends when nobody waits. When the engine is gone for a minute, it says that the line is unknown.",
    expects=EXPECTS,
    check=check_long_line,
    hints=["The figure is `requests_waiting`.", "A limit between 3 and 12; a gust of 40 for 3 s is a mean of 4 over 30 s."],
    solution='long_line = {"metric": "requests_waiting", "above": 6, "clear": 2, "window_seconds": 30, "for_seconds": 15,\n'
    '             "absent_seconds": 30}',
    why="How long a line is tolerable follows from how fast it is served: 50 is nothing for a GPU, and minutes for this machine.",
    answers=Answers(
        blank=["long_line = ..."],
        wrong=[
            Wrong('long_line = {"metric": "requests_waiting", "above": 50, "clear": 25, "absent_seconds": 30}', "would never come",
                  "the module's threshold"),
            Wrong('long_line = {"metric": "requests_waiting", "above": 2, "clear": 1, "window_seconds": 0, "absent_seconds": 30}',
                  "no flood", "every short wait is an alert"),
            Wrong('long_line = {"metric": "requests_waiting", "above": 6, "clear": 2, "window_seconds": 0, "absent_seconds": 30}',
                  "a gust", "no patience"),
            Wrong('long_line = {"metric": "requests_waiting", "above": 6, "clear": -1, "for_seconds": 15, "absent_seconds": 30}',
                  "goes on firing", "less than nobody must wait"),
            Wrong('long_line = {"metric": "requests_waiting", "above": 6, "clear": 2, "for_seconds": 15, "absent_seconds": 300}',
                  "unknown", "five minutes of silence"),
            Wrong('long_line = {"metric": "calls_in_flight", "above": 10, "clear": 5, "for_seconds": 15, "absent_seconds": 30}',
                  "unknown", "counts what it sent itself, which reads 0 when the engine is dead"),
        ],
        right=['long_line = {"metric": "requests_waiting", "above": 4, "clear": 0, "window_seconds": 20, "for_seconds": 30, '
               '"absent_seconds": 60}'],
    ),
)  # fmt: skip

QUIET = {"up": 1.0, "requests_waiting": 0.0, "requests_per_second": 0.1}
FULL = {"up": 1.0, "requests_waiting": 8.0, "requests_per_second": 3.0}
EVEN = {"up": 1.0, "requests_waiting": 0.0, "requests_per_second": 3.0}
DEAD = {"up": 0.0, "requests_waiting": None, "requests_per_second": None}
MUTE = {"up": 1.0, "requests_waiting": None, "requests_per_second": 0.1}  # an engine that does not tell about its line


def check_advise(advise):
    require(callable(advise), f"{show(advise)} is not a function.")
    dead = advise([DEAD] * 10)
    require(dead != "scale_down", "the engine is dead, and you read that as little use: unknown became zero.")
    require(dead == "unknown", f"of a dead engine nothing is known; you advise {show(dead)}.")
    require(advise([]) == "unknown", "without samples nobody knows, and you advise something.")
    blink = advise([QUIET] * 9 + [DEAD])
    require(
        blink == "unknown", f"for a tenth of the time it was down, which is no quiet hour; you advise {show(blink)}."
    )
    mute = advise([MUTE] * 10)
    require(
        mute == "unknown", f"an engine that does not tell how many wait has no empty line; you advise {show(mute)}."
    )
    cases(advise, [([FULL] * 10, "scale_out"), ([FULL] + [QUIET] * 9, "stay"), ([QUIET] * 10, "scale_down")])
    cases(advise, [([EVEN] * 10, "stay"), ([FULL] * 6 + [EVEN] * 4, "scale_out")])


ADVISE = Exercise(
    id="11.6",
    title="Advice that knows when it knows nothing",
    section="A flood",
    task="Write `advise(samples)`; each is a dict with `up`, `requests_waiting`, `requests_per_second`, where None is unknown. Return "
    "`unknown` without samples, with one that is not up, or one whose line is unknown. Else `scale_out` if somebody waits in at "
    "least half of them; `scale_down` if nobody ever waits and every rate is below 1; else `stay`.",
    expects="a function of a list of dicts that returns `unknown`, `scale_out`, `scale_down` or `stay`",
    check=check_advise,
    hints=[
        "First decide whether anything is known; the rest is easy then.",
        "`any(s['up'] != 1 or s['requests_waiting'] is None for s in samples)`",
        "`sum(s['requests_waiting'] > 0 for s in samples)` counts those with a line.",
    ],
    solution="def advise(samples):\n"
    "    if not samples or any(s['up'] != 1 or s['requests_waiting'] is None for s in samples):\n        return 'unknown'\n"
    "    lines = sum(s['requests_waiting'] > 0 for s in samples)\n"
    "    if lines >= len(samples) / 2:\n        return 'scale_out'\n"
    "    quiet = all(s['requests_per_second'] < 1 for s in samples)\n"
    "    return 'scale_down' if quiet and not lines else 'stay'",
    why="The costliest mistake of a monitor is not a missed alert: it is switching off what is already on its knees.",
    answers=Answers(
        blank=["def advise(samples):\n    ..."],
        wrong=[
            Wrong("advise = 'stay'", "not a function", "an answer instead of a rule"),
            Wrong("def advise(samples):\n    w = [s['requests_waiting'] or 0 for s in samples]\n"
                  "    if sum(w) > 0:\n        return 'scale_out'\n    return 'scale_down'", "unknown became zero",
                  "the module's defect"),
            Wrong("def advise(samples):\n    if any(s['up'] != 1 for s in samples):\n        return 'scale_out'\n    return 'stay'",
                  "nothing is known", "more of what is broken"),
            Wrong("def advise(samples):\n    if any(s['up'] != 1 for s in samples):\n        return 'unknown'\n    return 'scale_down'",
                  "without samples", "no samples are a quiet hour"),
            Wrong("def advise(samples):\n    known = [s for s in samples if s['up'] == 1]\n    if not known:\n        return 'unknown'\n"
                  "    return 'scale_out' if any(s['requests_waiting'] for s in known) else 'scale_down'", "for a tenth",
                  "leaves out what it does not like"),
            Wrong("def advise(samples):\n    if not samples or any(s['up'] != 1 for s in samples):\n        return 'unknown'\n"
                  "    return 'scale_out' if any(s['requests_waiting'] for s in samples) else 'scale_down'", "no empty line",
                  "None is falsy, so it looks like zero"),
            Wrong("def advise(samples):\n    if not samples or any(s['up'] != 1 or s['requests_waiting'] is None for s in samples):\n"
                  "        return 'unknown'\n    if any(s['requests_waiting'] for s in samples):\n        return 'scale_out'\n"
                  "    return 'scale_down' if all(s['requests_per_second'] < 1 for s in samples) else 'stay'", "not `'stay'`",
                  "buys an engine because somebody waited once"),
            Wrong("def advise(samples):\n    if not samples or any(s['up'] != 1 or s['requests_waiting'] is None for s in samples):\n"
                  "        return 'unknown'\n    lines = [s for s in samples if s['requests_waiting']]\n"
                  "    if len(lines) == len(samples):\n        return 'scale_out'\n    if lines:\n        return 'stay'\n"
                  "    return 'scale_down' if all(s['requests_per_second'] < 1 for s in samples) else 'stay'", "not `'scale_out'`",
                  "all of them, instead of half"),
        ],
        right=["def advise(samples):\n    try:\n        down = min(s['up'] for s in samples) < 1\n"
               "        share = sum(s['requests_waiting'] > 0 for s in samples) / len(samples)\n"
               "    except (TypeError, ValueError):\n        return 'unknown'\n    if down:\n        return 'unknown'\n"
               "    if share >= 0.5:\n        return 'scale_out'\n    if share:\n        return 'stay'\n"
               "    return 'scale_down' if max(s['requests_per_second'] for s in samples) < 1 else 'stay'"],
    ),
)  # fmt: skip

# -- A poisoned result --------------------------------------------------------------------------------------------------


def _results(percent: float | None) -> dict:
    return {"up": 1.0, "error_rate_percent": 0.0, "response_time_ms": 300.0, "tool_results_caught_percent": percent}


def check_poisoned(poisoned):
    rule = rule_of(poisoned)
    require(not firings(rule, (300, _results(0.0))), "it fires while every result is clean.")
    many = firings(rule, (60, _results(0.0)), (60, _results(25.0)))
    require(many, "one result in four is poisoned, and it is silent.")
    few = firings(rule, (300, _results(0.0)), (3, _results(2.0)))
    require(few, "one poisoned result in fifty is seen for 3 s, and it is silent: one is enough for an attack.")
    once = ends(rule, (60, _results(0.0)), (60, _results(25.0)), (600, _results(0.0)))
    require(once, "ten minutes after the last poisoned result it still fires.")
    require(says_no_data(rule, _results(0.0), GONE | {"calls_in_flight": 1.0}), SAYS_GONE)
    night = _results(None) | {"calls": 0.0, "calls_in_flight": 0.0}
    require(
        ends(rule, (60, _results(0.0)), (300, night)),
        "a night without results is reported as missing data: set `idle_is_fine`.",
    )


POISONED = Exercise(
    id="11.7",
    title="One is enough",
    section="A poisoned result",
    task="Write the rule `poisoned`: it fires as soon as a guard has caught a tool result, be it one in fifty and seen for 3 s, and ends "
    "when there are none any more. If the engine is gone for a minute, it says so. A night without results is fine.",
    expects=EXPECTS,
    check=check_poisoned,
    hints=["`tool_results_caught_percent` is 0 while all is well.", "Anything above 0, without a wait and without a window."],
    solution='poisoned = {"metric": "tool_results_caught_percent", "above": 0, "clear": 0, "window_seconds": 0,\n'
    '            "absent_seconds": 60, "idle_is_fine": True}',
    why="Speed and memory can wait for a mean; an attack can't.",
    answers=Answers(
        blank=["poisoned = ..."],
        wrong=[
            Wrong('poisoned = {"metric": "error_rate_percent", "above": 5, "clear": 3}', "one result in four",
                  "takes an attack for an error"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "below": 1, "clear": 1}', "every result is clean", "turned round"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 5, "clear": 0}', "result in fifty",
                  "a few attacks are normal"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 0, "clear": 0, "for_seconds": 15}', "result in fifty",
                  "waits until the attack is over"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 0, "clear": -1, "window_seconds": 0}', "ten minutes",
                  "a way back below nothing"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 99.9, "clear": 0}', "one result in four",
                  "only when all are poisoned"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 0, "clear": 0, "absent_seconds": 600}', "unknown",
                  "ten minutes of silence are fine"),
            Wrong('poisoned = {"metric": "tool_results_caught_percent", "above": 0, "clear": 0, "window_seconds": 0}', "a night",
                  "nothing to read is an alert"),
        ],
        right=['poisoned = {"metric": "tool_results_caught_percent", "above": 0.5, "clear": 0.1, "window_seconds": 1, '
               '"idle_is_fine": True}'],
    ),
)  # fmt: skip

# -- Out of this program ------------------------------------------------------------------------------------------------


def check_series(series):
    require(callable(series), f"{show(series)} is not a function.")
    got = series({"model": 3, "operation": 2}, 14)
    require(got != 5 * 17, "3 models and 2 operations make 6 combinations, not 5: multiply.")
    require(got != 6, "each combination has a series for each bucket, and three more.")
    require(got != 6 * 14, "beside the 14 buckets there are the last one, `+Inf`, the sum and the count: 17 for each.")
    cases(series, [({"model": 3, "operation": 2}, 14, 102), ({}, 14, 17), ({"user": 10_000, "model": 2}, 14, 340_000)])


SERIES = Exercise(
    id="11.8",
    title="How many time series",
    section="Out of this program",
    task="Write `series(values, buckets)`. `values` is a dict, label to how many values it has; every combination occurs. A histogram "
    "keeps, for each combination, a series for each of its `buckets`, one for `+Inf`, one for the sum and one for the count.",
    expects="a function of a dict and a number that returns a whole number",
    check=check_series,
    hints=["`math.prod(values.values())` is the number of combinations, and 1 for no labels.", "Times `buckets + 3`."],
    solution="import math\n\ndef series(values, buckets):\n    return math.prod(values.values()) * (buckets + 3)",
    why="A label with a user's name makes a series for each user, times all the others: that is how monitoring falls over.",
    answers=Answers(
        blank=["def series(values, buckets):\n    ..."],
        wrong=[
            Wrong("series = 102", "not a function", "a figure instead of a rule"),
            Wrong("def series(values, buckets):\n    return sum(values.values()) * (buckets + 3)", "multiply", "adds labels up"),
            Wrong("import math\ndef series(values, buckets):\n    return math.prod(values.values())", "each combination",
                  "a histogram is one series"),
            Wrong("import math\ndef series(values, buckets):\n    return math.prod(values.values()) * buckets", "`+Inf`",
                  "forgets what comes with the buckets"),
            Wrong("import math\ndef series(values, buckets):\n    return math.prod(values.values()) * (buckets + 2)", "returned",
                  "forgets the last bucket"),
        ],
        right=["def series(values, buckets):\n    found = buckets + 3\n    for many in values.values():\n        found *= many\n"
               "    return found"],
    ),
)  # fmt: skip

EXERCISES = [ENGINE_GONE, QUANTILE, SLOW_ANSWERS, LITTLE_MEMORY, LONG_LINE, ADVISE, POISONED, SERIES]
