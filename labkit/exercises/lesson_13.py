"""The exercises of lesson 13: what is completed, which tools, what is kept, what a figure says, an outage, and a spec of one's own."""

from __future__ import annotations

from labkit.applications.capstone import missing
from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show

# -- A first agent ------------------------------------------------------------------------------------------------------


def check_completed(completed):
    require(callable(completed), f"{show(completed)} is not a function.")
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


COMPLETED = Exercise(
    id="13.1",
    title="What is completed",
    section="A first agent",
    task="Write `completed(wanted, outcome, call)`. `wanted` and `call` are (tool, arguments) or None. Return `True` if the right "
    "call was made (`done`) or waits for a yes (`held`); and if none was wanted, only for `handed over`.",
    expects="a function that returns True or False",
    check=check_completed,
    hints=["Two cases: something was wanted, or `wanted is None`.", "`call == wanted` compares the name and the arguments."],
    solution="def completed(wanted, outcome, call):\n    if wanted is None:\n        return outcome == 'handed over'\n"
    "    return call == wanted and outcome in ('done', 'held')",
    why="The completion rate is only as honest as this line. An answer that sounds well is not a completed request.",
    answers=Answers(
        blank=["def completed(wanted, outcome, call):\n    ..."],
        wrong=[
            Wrong("completed = True", "not a function", "a value for a function"),
            Wrong("def completed(wanted, outcome, call):\n    return False", "the right call was made", "nothing ever is"),
            Wrong("def completed(wanted, outcome, call):\n    return outcome in ('done', 'held')", "another share", "any call will do"),
            Wrong("def completed(wanted, outcome, call):\n    return call == wanted and outcome == 'done'", "somebody's yes",
                  "an approval is a failure"),
            Wrong("def completed(wanted, outcome, call):\n    return call == wanted", "it `failed`", "the wish for the deed"),
            Wrong("def completed(wanted, outcome, call):\n    return call == wanted and outcome in ('done', 'held')",
                  "a person was told", "handing over is a failure"),
            Wrong("def completed(wanted, outcome, call):\n    return outcome == 'handed over' or call == wanted and outcome in ('done', 'held')",
                  "a tool does fit", "handing over is always right"),
            Wrong("def completed(wanted, outcome, call):\n    if wanted is None:\n        return outcome in ('done', 'handed over')\n"
                  "    return call == wanted and outcome in ('done', 'held')", "no call was right here", "a call too many"),
        ],
        right=["def completed(wanted, outcome, call):\n    fine = ['handed over'] if wanted is None else ['done', 'held']\n"
               "    return outcome in fine and call == wanted"],
    ),
)  # fmt: skip

# -- A scope ------------------------------------------------------------------------------------------------------------

ASKED = ["price"] * 5 + ["trend"] * 3 + ["report"] * 3 + [""] * 4 + ["alert"] * 2 + ["weather"]


def check_scope(scope):
    require(callable(scope), f"{show(scope)} is not a function.")
    got = scope(list(ASKED), 3)
    require(
        isinstance(got, tuple | list) and len(got) == 2,
        f"return two things, the tools and the share; yours is {show(got)}.",
    )
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


SCOPE = Exercise(
    id="13.2",
    title="Which tools to build",
    section="A scope",
    task="`asked` has a name for each request of last week: the tool that it would have needed, or `\"\"` if none ever will. Write "
    "`scope(asked, most)`: the names of the at most `most` tools to build first, and the share of all requests that they cover.",
    expects="a function that returns a list of names and a number from 0 to 1",
    check=check_scope,
    hints=["`collections.Counter` counts.", "`Counter(…).most_common(most)` gives pairs of name and count."],
    solution="from collections import Counter\n\n\ndef scope(asked, most):\n    best = Counter(one for one in asked if one).most_common(most)\n"
    "    return [name for name, _ in best], sum(count for _, count in best) / len(asked)",
    why="Three to five tools are enough when they are the right ones, and the share says in advance what the agent can reach.",
    answers=Answers(
        blank=["def scope(asked, most):\n    ..."],
        wrong=[
            Wrong("scope = ['price']", "not a function", "a list for a function"),
            Wrong("def scope(asked, most):\n    return ['price', 'trend', 'report']", "return two things", "no share"),
            Wrong("from collections import Counter\ndef scope(asked, most):\n    best = Counter(asked).most_common(most)\n"
                  "    return [n for n, _ in best], sum(c for _, c in best) / len(asked)", "no tool to build", "a tool for nothing"),
            Wrong("def scope(asked, most):\n    return sorted(set(asked) - {''}), 1.0", "at most 3", "a tool for everything"),
            Wrong("def scope(asked, most):\n    return sorted(set(asked) - {''})[:most], 0.5", "asked for most", "the first by name"),
            Wrong("from collections import Counter\ndef scope(asked, most):\n    asked = [one for one in asked if one]\n"
                  "    best = Counter(asked).most_common(most)\n    return [n for n, _ in best], sum(c for _, c in best) / len(asked)",
                  "leaves out", "only what can be done is counted"),
            Wrong("from collections import Counter\ndef scope(asked, most):\n    best = Counter(one for one in asked if one).most_common(most)\n"
                  "    return [n for n, _ in best], most / len(set(asked))", "11 of the 18", "tools counted for requests"),
        ],
        right=["def scope(asked, most):\n    names = sorted(set(asked) - {''}, key=asked.count, reverse=True)[:most]\n"
               "    return names, sum(one in names for one in asked) / len(asked)"],
    ),
)  # fmt: skip

# -- A small window -----------------------------------------------------------------------------------------------------


def check_fit(fit):
    require(callable(fit), f"{show(fit)} is not a function.")
    got = fit(10, [5, 5, 5], 100)
    require(isinstance(got, list), f"return the list of turns that stay; yours is {show(got)}.")
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
    try:
        kept = fit(10, [5, 60], 50)
    except ValueError:
        return
    require(
        False,
        f"the last turn alone does not fit, and must not be cut: raise `ValueError`; yours returned {show(kept)}.",
    )


FIT = Exercise(
    id="13.3",
    title="What is kept",
    section="A small window",
    task="Write `fit(system, turns, room)`: `turns` has the tokens of each turn, oldest first, `system` those of the system prompt. "
    "Return the longest end of `turns` that fits `room` together with the system prompt. Raise `ValueError` if not even the last one does.",
    expects="a function that returns a list of numbers",
    check=check_fit,
    hints=["Try the whole list, then the list without its first, and so on.", "`for first in range(len(turns))`: `turns[first:]`"],
    solution="def fit(system, turns, room):\n    for first in range(len(turns)):\n        if system + sum(turns[first:]) <= room:\n"
    "            return turns[first:]\n    raise ValueError('the last turn does not fit')",
    why="An engine that is sent too much refuses, or cuts where it likes: often the system prompt, which stands first.",
    answers=Answers(
        blank=["def fit(system, turns, room):\n    ..."],
        wrong=[
            Wrong("fit = []", "not a function", "a list for a function"),
            Wrong("def fit(system, turns, room):\n    return room - system", "list of turns", "a number of tokens"),
            Wrong("def fit(system, turns, room):\n    return turns[-1:]", "all of it fits", "only ever the last"),
            Wrong("def fit(system, turns, room):\n    return list(turns)", "more than 50", "nothing is cut"),
            Wrong("def fit(system, turns, room):\n    kept = list(turns)\n    while system + sum(kept) > room:\n        kept.pop()\n    return kept",
                  "said first", "the newest go"),
            Wrong("def fit(system, turns, room):\n    for first in range(len(turns)):\n        if sum(turns[first:]) <= room:\n"
                  "            return turns[first:]\n    raise ValueError", "takes its share", "the system prompt is free"),
            Wrong("def fit(system, turns, room):\n    kept, left = [], room - system\n    for one in reversed(turns):\n        if one <= left:\n"
                  "            kept.insert(0, one)\n            left -= one\n    return kept", "hole in it", "small ones are kept across a gap"),
            Wrong("def fit(system, turns, room):\n    for first in range(len(turns)):\n        if system + sum(turns[first:]) < room:\n"
                  "            return turns[first:]\n    raise ValueError", "exactly full", "one token too strict"),
            Wrong("def fit(system, turns, room):\n    kept = list(turns)\n    while kept and system + sum(kept) > room:\n        kept.pop(0)\n"
                  "    return kept", "must not be cut", "sends nothing, without a word"),
        ],
        right=["def fit(system, turns, room):\n    kept = list(turns)\n    while system + sum(kept) > room:\n        if len(kept) == 1:\n"
               "            raise ValueError(room)\n        kept = kept[1:]\n    return kept"],
    ),
)  # fmt: skip

# -- Five measures ------------------------------------------------------------------------------------------------------


def check_reached(reached):
    require(callable(reached), f"{show(reached)} is not a function.")
    require(reached(85.0, 97.0, 80.0) == "yes", "the whole interval lies above the goal of 80: that is a `yes`.")
    require(reached(40.0, 75.0, 80.0) == "no", "the whole interval lies below the goal: `no`.")
    require(
        reached(55.0, 95.0, 80.0) == "not known",
        "from 55 to 95, the goal of 80 lies in between: 10 right ones of 12 look like 83 %, and say neither yes nor no.",
    )
    require(reached(80.0, 95.0, 80.0) == "yes", "the goal is at least 80, and the lowest likely value is 80: a `yes`.")


REACHED = Exercise(
    id="13.4",
    title="Is the goal reached",
    section="Five measures",
    task="Write `reached(low, high, goal)`: `yes` if the whole interval from `low` to `high` is at or above the goal, `no` if all of it "
    "is below, else `not known`.",
    expects="a function that returns one of three texts",
    check=check_reached,
    hints=["The lower end decides on `yes`, the upper end on `no`."],
    solution="def reached(low, high, goal):\n    return 'yes' if low >= goal else 'no' if high < goal else 'not known'",
    why="A dozen requests seldom settle it. Then the honest answer is: measure more.",
    answers=Answers(
        blank=["def reached(low, high, goal):\n    ..."],
        wrong=[
            Wrong("reached = 'yes'", "not a function", "a value for a function"),
            Wrong("def reached(low, high, goal):\n    return 'not known'", "`yes`", "nothing can be known"),
            Wrong("def reached(low, high, goal):\n    return 'yes' if low >= goal else 'not known'", "`no`", "never says no"),
            Wrong("def reached(low, high, goal):\n    return 'yes' if (low + high) / 2 >= goal else 'no'", "in between",
                  "the middle decides"),
            Wrong("def reached(low, high, goal):\n    return 'yes' if low > goal else 'no' if high < goal else 'not known'",
                  "at least 80", "the goal itself is not enough"),
        ],
        right=["def reached(low, high, goal):\n    if high < goal:\n        return 'no'\n    return 'not known' if low < goal else 'yes'"],
    ),
)  # fmt: skip

# -- An outage ----------------------------------------------------------------------------------------------------------

SENT = [(0.0, True), (1.0, True), (2.0, True), (3.0, True), (4.0, False), (5.0, True), (6.0, False)]


def check_survived(survived):
    require(callable(survived), f"{show(survived)} is not a function.")
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


SURVIVED = Exercise(
    id="13.5",
    title="Reliable, while it is broken",
    section="An outage",
    task="`sent` has pairs: the second at which a request was sent, and whether it was answered. Write `survived(sent, killed, back)`: the "
    "share answered of those sent from `killed` on and before `back`; `None` if there were none.",
    expects="a function that returns a number from 0 to 1, or None",
    check=check_survived,
    hints=["`killed <= at < back`", "Look for an empty list before you divide."],
    solution="def survived(sent, killed, back):\n    during = [answered for at, answered in sent if killed <= at < back]\n"
    "    return sum(during) / len(during) if during else None",
    why="Availability over a month hides an outage; the share during it is what the people saw who asked then.",
    answers=Answers(
        blank=["def survived(sent, killed, back):\n    ..."],
        wrong=[
            Wrong("survived = 0.5", "not a function", "a value for a function"),
            Wrong("def survived(sent, killed, back):\n    return sum(ok for _, ok in sent) / len(sent)", "before the outage",
                  "all requests are counted"),
            Wrong("def survived(sent, killed, back):\n    d = [ok for at, ok in sent if killed < at < back]\n    return sum(d) / len(d)",
                  "very moment", "the first one is lost"),
            Wrong("def survived(sent, killed, back):\n    return sum(ok for at, ok in sent if killed <= at < back)", "1 of 3", "a count"),
            Wrong("def survived(sent, killed, back):\n    d = [ok for at, ok in sent if killed <= at <= back]\n    return sum(d) / len(d)",
                  "belongs to it no more", "one too many"),
            Wrong("def survived(sent, killed, back):\n    d = [ok for at, ok in sent if killed <= at < back]\n"
                  "    return sum(d) / len(d) if d else 1.0", "no data", "silence is success"),
        ],
        right=["def survived(sent, killed, back):\n    during = [one for one in sent if killed <= one[0] < back]\n    if not during:\n"
               "        return None\n    return len([one for one in during if one[1]]) / len(during)"],
    ),
)  # fmt: skip

# -- Yours --------------------------------------------------------------------------------------------------------------

BLANK = """spec = {
    "application": "finance",
    "task": ...,
    "tools": [],
    "guards": {"input": [], "tool result": [], "output": []},
    "monitor": [],
    "load": {"requests": 0, "callers": 0},
    "report": [],
}"""
WHOLE = {
    "application": "finance",
    "task": "It tells prices, trends and risks from data on this machine; it never trades.",
    "tools": ["get_price", "price_trend", "portfolio_risk", "write_report"],
    "guards": {"input": ["size", "injection"], "tool result": ["injection"], "output": ["credentials", "pii"]},
    "monitor": ["engine-down", "response-time"],
    "load": {"requests": 24, "callers": 2},
    "report": ["completion", "response time", "memory", "cost", "reliability"],
}


def check_spec(spec):
    lacking = [one for one in missing(spec) if not one.ok]
    require(not lacking, "; ".join(f"`{one.name}`: {one.words}" for one in lacking))


def _with(**changes) -> str:
    return f"spec = { ({**WHOLE, **changes})!r}"


SPEC = Exercise(
    id="13.6",
    title="A spec of your own",
    section="Yours",
    task="Fill in `spec` for an application of your choice, or for a TOML file of your own in the form of data/applications.toml: a task "
    "in a sentence, at most five tools, guards at all three places, an alert for an engine that is gone, a load of a dozen requests or "
    "more, and the five measures to report.",
    expects="a dict with application, task, tools, guards, monitor, load and report",
    check=check_spec,
    hints=["`applications()['finance'].row['tools']` names the tools; `labkit.applications.capstone.GUARDS` the guards.",
           "`labkit.operate.rules.rules()` names the alerts; `engine-down` watches `up`.", "`labkit.applications.measures.FIVE` are the measures."],
    solution=f"spec = {WHOLE!r}",
    why="The paper is whole. Whether the agent is, only the run will tell.",
    answers=Answers(
        blank=[BLANK],
        wrong=[
            Wrong("spec = 'finance'", "a dict is wanted", "only a name"),
            Wrong(_with(application="finances"), "did you mean finance", "a name that is not there"),
            Wrong(_with(task="a bot"), "in a sentence", "no scope"),
            Wrong(_with(tools=["get_price", "buy"]), "buy: not there", "a tool that nobody wrote"),
            Wrong(_with(tools=[]), "at least one tool", "an agent that only talks"),
            Wrong(_with(tools=["get_price"] * 6), "more than 5", "a tool for everything"),
            Wrong(_with(guards={"input": ["injection"]}), "tool result, output", "guards at the front door only"),
            Wrong(_with(guards={**WHOLE["guards"], "output": ["magic"]}), "magic: unknown", "a guard that does not exist"),
            Wrong(_with(monitor=["response-time"]), "the engine is gone", "an outage that looks like idleness"),
            Wrong(_with(monitor=["engine-down", "slow"]), "no such alert", "an alert that does not exist"),
            Wrong(_with(load={"requests": 3, "callers": 1}), "next to nothing", "three requests as proof"),
            Wrong(_with(load={"requests": 24, "callers": 100}), "from 1 to 8", "a load for another machine"),
            Wrong(_with(report=["response time"]), "without completion", "only the speed"),
        ],
        right=[_with(application="healthcare", task="It finds appointments and records; what is medical, a person decides.",
                     tools=["summarize_record", "book_appointment"])],
    ),
)  # fmt: skip

EXERCISES = [COMPLETED, SCOPE, FIT, REACHED, SURVIVED, SPEC]
