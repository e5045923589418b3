"""The exercises of lesson 04: define a tool, hold its call, choose or abstain, check values, repair a tool, count, read a run."""

from __future__ import annotations

import jsonschema  # noqa: F401 - its first import takes seconds on a busy machine, and a check has five
import pydantic  # noqa: F401

from labkit.errors import BadTool
from labkit.exercises import cases, require, require_function, returned, show, wrong
from labkit.tools import as_tool
from labkit.tools.rates import Outcome
from labkit.tools.schema import check as problems


def _tool(function):
    require_function(function)
    try:
        return as_tool(function)
    except BadTool as error:
        wrong(f"no tool can be made of it: {error.what} {error.why}")


# -- Six steps ----------------------------------------------------------------------------------------------------------


def check_book_visit(book_visit):
    tool = _tool(book_visit)
    require(
        tool.description, "it has no docstring: its first paragraph is all that a model reads of what the tool does."
    )
    fits = {"day": "Monday", "hour": 9}
    require(
        not problems(fits, tool.parameters), f"a visit on Monday at 9 should fit: {problems(fits, tool.parameters)}"
    )
    require(
        problems({**fits, "day": "Someday"}, tool.parameters), "`day` takes any text; name the five days in its type."
    )
    require(problems({**fits, "hour": "nine"}, tool.parameters), "`hour` takes a text; it should be a whole number.")
    require(problems({**fits, "hour": 23}, tool.parameters), "`hour` takes 23; visits are from 8 to 16.")
    said = tool.function(**fits)
    require(isinstance(said, str) and "Monday" in said, f"it should say what was booked; yours returned {show(said)}.")


# -- Token masks --------------------------------------------------------------------------------------------------------

GOOD = {"city": "Koper", "kilos": 3}


def check_parcel(parcel):
    require(isinstance(parcel, dict), f"a schema is a dict; yours is {show(parcel)}.")
    fits = problems(GOOD, parcel)
    require(not fits, f"{show(GOOD)} should fit, and does not: {fits}")
    full = {**GOOD, "note": "ring twice"}
    require(not problems(full, parcel), f"{show(full)} should fit: a note is allowed.")
    refused = [
        ({"kilos": 3}, "a parcel without a city fits; `required` is a list beside `properties`."),
        ({**GOOD, "city": "Paris"}, "Paris fits, though nobody delivers there: name the cities in an `enum`."),
        ({**GOOD, "kilos": 2.5}, "2.5 kilos fit; a whole number is an `integer`."),
        ({**GOOD, "kilos": 500}, "500 kilos fit: the range is missing."),
        ({**GOOD, "note": "x" * 61}, "a note of 61 characters fits: without `maxLength` a small model may never stop."),
        ({**GOOD, "gift": True}, "a key that nobody asked for fits; say `additionalProperties: false`."),
    ]
    for value, because in refused:
        require(problems(value, parcel), because)


# -- Two stages ---------------------------------------------------------------------------------------------------------


def check_choose_tool(choose_tool):
    require_function(choose_tool)
    nothing = choose_tool({"refund": -1.5, "delivery": -2.0})
    require(nothing == "none", f"both odds are below 0, so no tool fits; you returned {show(nothing)}.")
    require(choose_tool({}) == "none", "without any tool the answer is `none` as well.")
    close = choose_tool({"refund": 1.1, "delivery": 1.0})
    require(close == "ask", f"1.1 and 1.0 are nearer than 0.35; you returned {show(close)} on a coin's edge.")
    clear = choose_tool({"delivery": 0.4, "refund": 2.0})
    require(clear == "refund", f"2.0 stands out; you returned {show(clear)}.")
    only = choose_tool({"refund": 0.2})
    require(only == "refund", f"there is one tool, and it fits; you returned {show(only)}.")


# -- Checks after -------------------------------------------------------------------------------------------------------


def check_made_up(made_up):
    require_function(made_up)
    said = "Where is order A-1002? I am Ana."
    require(list(made_up({"order_id": "A-1002"}, said)) == [], "`A-1002` stands in the text, and you call it made up.")
    require(
        list(made_up({"order_id": "B-77", "name": "Ana"}, said)) == ["order_id"],
        f"`B-77` is nowhere in the text; you returned {show(made_up({'order_id': 'B-77', 'name': 'Ana'}, said))}.",
    )
    require(
        list(made_up({"order_id": "100"}, said)) == ["order_id"],
        "`100` is only a piece of A-1002: an id must stand there whole.",
    )
    require(list(made_up({"order_id": "a-1002"}, said)) == [], "`a-1002` is A-1002 in small letters.")
    require(
        list(made_up({"days": 3}, "In 3 days, please.")) == [], "3 is a number in the call and a text in the request."
    )


# -- When a tool fails --------------------------------------------------------------------------------------------------


def check_calculate(calculate):
    tool = _tool(calculate)
    call = {"a": 6, "operation": "times", "b": 7}
    require(not problems(call, tool.parameters), f"{show(call)} should fit: {problems(call, tool.parameters)}")
    require(
        problems({**call, "operation": "__import__('os')"}, tool.parameters),
        "`operation` takes any text: whatever the model writes would reach your code.",
    )
    cases(calculate, [(6, "times", 7, 42), (6, "plus", 7, 13), (6, "minus", 7, -1), (6, "divided by", 3, 2.0)])
    try:
        said = calculate(6, "divided by", 0)
    except ZeroDivisionError:
        wrong(
            "6 divided by 0 raises Python's ZeroDivisionError; the agent should read words that help: raise ValueError."
        )
    except ValueError:
        return
    wrong(f"6 divided by 0 gave {show(said)}: a made-up result is worse than an error.")


# -- Five rates ---------------------------------------------------------------------------------------------------------


def _outcome(wanted: bool, right: bool = False, abstained: bool = False) -> Outcome:
    return Outcome("one", "", wanted, True, True, right, right, abstained, "", 0.0)


SAMPLE = [_outcome(True, True)] * 3 + [_outcome(True)] * 5 + [_outcome(False, abstained=True)] + [_outcome(False)]


def check_two_rates(two_rates):
    require_function(two_rates)
    got = two_rates(SAMPLE)
    returned(got, "two shares", tuple, parts=2)
    calls, abstentions = got
    require(calls != 0.3, "you divided the right calls by all ten outcomes; only in eight of them was a call wanted.")
    require(abs(calls - 3 / 8) < 1e-9, f"3 of the 8 wanted calls are right, that is 0.375, not {show(calls)}.")
    require(abs(abstentions - 1 / 2) < 1e-9, f"1 of the 2 others was rightly left alone: 0.5, not {show(abstentions)}.")


# -- Agent Framework ----------------------------------------------------------------------------------------------------


def _responses():
    """Return three real responses: one with two calls, one with an answer alone, one whose text only talks of a call."""
    from agent_framework import AgentResponse, Content, Message

    calls = [
        Content.from_function_call(call_id=str(i), name=name, arguments={}) for i, name in enumerate(("find", "book"))
    ]
    results = [Content.from_function_result(call_id=str(i), result="done") for i in range(2)]
    texts = [[Content.from_text(text)] for text in ("Done.", 'I would do {"name": "find"}.')]
    busy = [Message("assistant", [calls[0]]), Message("tool", [results[0]]), Message("assistant", [calls[1]])]
    busy += [Message("tool", [results[1]]), Message("assistant", texts[0])]
    return [
        AgentResponse(messages=one)
        for one in (busy, [Message("assistant", texts[0])], [Message("assistant", texts[1])])
    ]


def check_called(called):
    require_function(called)
    busy, quiet, talk = _responses()
    names = called(busy)
    returned(names, "a list of names", list)
    require(called(talk) == [], "the model only wrote about a call. That is a text; nothing was called.")
    require(called(quiet) == [], f"nothing was called there; you returned {show(called(quiet))}.")
    require(names != ["find"], "you stopped at the first call; the run went on and made another.")
    require(names == ["find", "book"], f"it called `find`, then `book`; you returned {show(names)}.")
