"""The exercises of lesson 11: an alert for each of five faults, a percentile, advice about a line, and a count of series."""

from __future__ import annotations

import math

from labkit.exercises import cases, require, require_function, returned, show
from labkit.exercises._rules_played import ends, firings, rule_of, says_no_data

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


# -- A slow engine ------------------------------------------------------------------------------------------------------

EDGES, COUNTS = (0.1, 0.2, 0.4, 0.8), (50, 40, 5, 4, 1)


def check_quantile(quantile):
    require_function(quantile)
    got = quantile(EDGES, COUNTS, 0.95)
    returned(got, "two edges, as a tuple", tuple, parts=2)
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


QUIET = {"up": 1.0, "requests_waiting": 0.0, "requests_per_second": 0.1}
FULL = {"up": 1.0, "requests_waiting": 8.0, "requests_per_second": 3.0}
EVEN = {"up": 1.0, "requests_waiting": 0.0, "requests_per_second": 3.0}
DEAD = {"up": 0.0, "requests_waiting": None, "requests_per_second": None}
MUTE = {"up": 1.0, "requests_waiting": None, "requests_per_second": 0.1}  # an engine that does not tell about its line


def check_advise(advise):
    require_function(advise)
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


# -- Out of this program ------------------------------------------------------------------------------------------------


def check_series(series):
    require_function(series)
    got = series({"model": 3, "operation": 2}, 14)
    require(got != 5 * 17, "3 models and 2 operations make 6 combinations, not 5: multiply.")
    require(got != 6, "each combination has a series for each bucket, and three more.")
    require(got != 6 * 14, "beside the 14 buckets there are the last one, `+Inf`, the sum and the count: 17 for each.")
    cases(series, [({"model": 3, "operation": 2}, 14, 102), ({}, 14, 17), ({"user": 10_000, "model": 2}, 14, 340_000)])
