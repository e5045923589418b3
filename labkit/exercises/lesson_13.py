"""The exercises of lesson 13: what is completed, which tools, what is kept, what a figure says, an outage, a spec of one's own."""

from __future__ import annotations

from labkit.applications.capstone import missing
from labkit.exercises import raises, require, require_function, returned, show

# -- A first agent ------------------------------------------------------------------------------------------------------


def check_completed(completed):
    require_function(completed)
    wanted, other = ("get_price", {"symbol": "NLT"}), ("get_price", {"symbol": "OAK"})
    require(completed(wanted, "done", wanted) is True, "the right call was made: that is completed, so return `True`.")
    require(
        completed(wanted, "done", other) is False,
        "the price of another share is no help: compare the arguments as well as the name.",
    )
    require(
        completed(wanted, "held", wanted) is True,
        "the right call waits for somebody's yes, as the rules want it: the agent has done its part.",
    )
    require(
        completed(wanted, "failed", wanted) is False, "it `failed`: that the call would have been right helps nobody."
    )
    require(
        completed(None, "handed over", None) is True,
        "no tool fits, and a person was told: that is exactly what was promised.",
    )
    require(
        completed(wanted, "handed over", None) is False,
        "here a tool does fit, and the request went to a person all the same. Count it, and handing over everything is perfect.",
    )
    require(completed(None, "done", other) is False, "no call was right here, and one was made.")


# -- A scope ------------------------------------------------------------------------------------------------------------

ASKED = ["price"] * 5 + ["trend"] * 3 + ["report"] * 3 + [""] * 4 + ["alert"] * 2 + ["weather"]


def check_scope(scope):
    require_function(scope)
    got = scope(list(ASKED), 3)
    returned(got, "two things, the tools and the share", tuple | list, parts=2)
    tools, share = got
    require("" not in list(tools), "an empty name is a request that no tool fits: it is no tool to build.")
    require(
        len(list(tools)) == 3, f"at most 3 tools were allowed, and no fewer are needed; yours has {len(list(tools))}."
    )
    require(
        set(tools) == {"price", "trend", "report"},
        f"those asked for most are price, trend and report, not {show(tools)}.",
    )
    require(
        share != 11 / 14,
        "11 of 14 leaves out the requests that no tool fits. They come all the same, and somebody has to answer them.",
    )
    require(abs(share - 11 / 18) < 1e-9, f"11 of the 18 requests are covered, {11 / 18:.2f}; yours is {show(share)}.")


# -- A small window -----------------------------------------------------------------------------------------------------


def check_fit(fit):
    require_function(fit)
    got = fit(10, [5, 5, 5], 100)
    returned(got, "the list of turns that stay", list)
    require(got == [5, 5, 5], f"all of it fits 100 tokens, so all of it stays; yours is {show(got)}.")
    require(
        fit(10, [30, 20, 15], 50) != [30, 20, 15], "30, 20 and 15 with the system prompt's 10 are more than 50 tokens."
    )
    require(
        fit(10, [30, 20, 15], 50) != [30],
        "you kept what was said first. The user goes on from what was said last: the oldest turns go.",
    )
    require(
        fit(10, [30, 20, 15], 36) == [15],
        "the system prompt takes its share of the room: 20 and 15 are 35, and 10 are there.",
    )
    require(
        fit(0, [5, 40, 5], 20) == [5],
        "once a turn is left out, all before it go as well: a conversation with a hole in it is another conversation.",
    )
    require(fit(10, [30, 20, 15], 45) == [20, 15], "exactly full is not too full.")
    because = "the last turn alone does not fit, and must not be cut: raise `ValueError`; yours returned {}."
    raises(ValueError, lambda: fit(10, [5, 60], 50), because)


# -- Five measures ------------------------------------------------------------------------------------------------------


def check_reached(reached):
    require_function(reached)
    require(reached(85.0, 97.0, 80.0) == "yes", "the whole interval lies above the goal of 80: that is a `yes`.")
    require(reached(40.0, 75.0, 80.0) == "no", "the whole interval lies below the goal: `no`.")
    require(
        reached(55.0, 95.0, 80.0) == "not known",
        "from 55 to 95, the goal of 80 lies in between: 10 right ones of 12 look like 83 %, and say neither yes nor no.",
    )
    require(reached(80.0, 95.0, 80.0) == "yes", "the goal is at least 80, and the lowest likely value is 80: a `yes`.")


# -- An outage ----------------------------------------------------------------------------------------------------------

SENT = [(0.0, True), (1.0, True), (2.0, True), (3.0, True), (4.0, False), (5.0, True), (6.0, False)]


def check_survived(survived):
    require_function(survived)
    got = survived(list(SENT), 4.0, 7.0)
    require(
        got != 5 / 7,
        "5 of 7 counts the hours before the outage. The longer one waits with the kill, the better it looks.",
    )
    require(got != 1 / 2, "a request that was sent at the very moment of the kill is the first of the outage.")
    require(
        isinstance(got, int | float) and abs(got - 1 / 3) < 1e-9, f"1 of 3 was answered, 0.33; yours is {show(got)}."
    )
    require(
        survived(list(SENT), 2.0, 4.0) == 1.0, "at `back` the outage is over: what was sent then belongs to it no more."
    )
    require(
        survived(list(SENT), 8.0, 9.0) is None, "nobody asked in that time: that is no data (`None`), and not 100 %."
    )


# -- Yours --------------------------------------------------------------------------------------------------------------


def check_spec(spec):
    lacking = [one for one in missing(spec) if not one.ok]
    require(not lacking, "; ".join(f"`{one.name}`: {one.words}" for one in lacking))
