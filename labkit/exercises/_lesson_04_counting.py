"""The last two exercises of lesson 04: count what an agent does, and read it off a run."""

from __future__ import annotations

from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show
from labkit.tools.rates import Outcome

__all__ = ["CALLED", "TWO_RATES"]

# -- Five rates ---------------------------------------------------------------------------------------------------------


def _outcome(wanted: bool, right: bool = False, abstained: bool = False) -> Outcome:
    return Outcome("one", "", wanted, True, True, right, right, abstained, "", 0.0)


SAMPLE = [_outcome(True, True)] * 3 + [_outcome(True)] * 5 + [_outcome(False, abstained=True)] + [_outcome(False)]


def check_two_rates(two_rates):
    require(callable(two_rates), f"{show(two_rates)} is not a function.")
    got = two_rates(SAMPLE)
    require(isinstance(got, tuple) and len(got) == 2, f"it should return two shares; yours returned {show(got)}.")
    calls, abstentions = got
    require(calls != 0.3, "you divided the right calls by all ten outcomes; only in eight of them was a call wanted.")
    require(abs(calls - 3 / 8) < 1e-9, f"3 of the 8 wanted calls are right, that is 0.375, not {show(calls)}.")
    require(abs(abstentions - 1 / 2) < 1e-9, f"1 of the 2 others was rightly left alone: 0.5, not {show(abstentions)}.")


TWO_RATES = Exercise(
    id="04.6",
    title="Two rates that pull apart",
    section="Five rates",
    task=(
        "Write `two_rates(outcomes)`. Each outcome has `call_wanted`, `right_call` and `abstained`, true or false. Return two "
        "shares: right calls among those where a call was wanted, and right abstentions among the rest."
    ),
    expects="a function of a list that returns a tuple of two numbers from 0 to 1",
    check=check_two_rates,
    hints=[
        "Make two lists: those with `one.call_wanted`, and those without.",
        "`sum(one.right_call for one in wanted)` counts the true ones.",
        "Divide each sum by the length of its own list.",
    ],
    solution=(
        "def two_rates(outcomes):\n"
        "    wanted = [one for one in outcomes if one.call_wanted]\n"
        "    others = [one for one in outcomes if not one.call_wanted]\n"
        "    right = sum(one.right_call for one in wanted) / len(wanted)\n"
        "    return right, sum(one.abstained for one in others) / len(others)"
    ),
    why="An agent that always calls wins the first rate and loses the second; one mean of both would hide which.",
    answers=Answers(
        blank=["def two_rates(outcomes):\n    ..."],
        wrong=[
            Wrong("two_rates = (0.375, 0.5)", "not a function", "figures instead of a rule"),
            Wrong(
                "def two_rates(outcomes):\n    return sum(o.right_call or o.abstained for o in outcomes) / len(outcomes)",
                "two shares",
                "one figure for everything",
            ),
            Wrong(
                "def two_rates(outcomes):\n    n = len(outcomes)\n"
                "    return sum(o.right_call for o in outcomes) / n, sum(o.abstained for o in outcomes) / n",
                "divided the right calls by all ten",
                "one denominator for both",
            ),
            Wrong(
                "def two_rates(outcomes):\n    return sum(o.right_call for o in outcomes), sum(o.abstained for o in outcomes)",
                "that is 0.375",
                "counts instead of shares",
            ),
            Wrong(
                "def two_rates(outcomes):\n    n = sum(o.call_wanted for o in outcomes)\n"
                "    return sum(o.right_call for o in outcomes) / n, sum(o.abstained for o in outcomes) / len(outcomes)",
                "rightly left alone",
                "mends one denominator only",
            ),
        ],
        right=[
            "def two_rates(outcomes):\n    share = lambda values: sum(values) / len(values)\n"
            "    return (share([o.right_call for o in outcomes if o.call_wanted]),\n"
            "            share([o.abstained for o in outcomes if not o.call_wanted]))",
        ],
    ),
)

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
    require(callable(called), f"{show(called)} is not a function.")
    busy, quiet, talk = _responses()
    names = called(busy)
    require(isinstance(names, list), f"it should return a list of names; yours returned {show(names)}.")
    require(called(talk) == [], "the model only wrote about a call. That is a text; nothing was called.")
    require(called(quiet) == [], f"nothing was called there; you returned {show(called(quiet))}.")
    require(names != ["find"], "you stopped at the first call; the run went on and made another.")
    require(names == ["find", "book"], f"it called `find`, then `book`; you returned {show(names)}.")


CALLED = Exercise(
    id="04.7",
    title="Judge what it did",
    section="Agent Framework",
    task=(
        "Write `called(response)`: the names of the functions that a run called, in order. `response.messages` is a list; each "
        "message has `contents`, and each content a `type`. A call's type is `function_call`, and it has a `name`."
    ),
    expects="a function of a response that returns a list of str",
    check=check_called,
    hints=[
        "Two loops: over the messages, and over each message's contents.",
        'Keep a content if `content.type == "function_call"`.',
        "A list comprehension may have two `for`, the outer one first.",
    ],
    solution=(
        "def called(response):\n"
        "    return [\n"
        "        content.name\n"
        "        for message in response.messages\n"
        "        for content in message.contents\n"
        '        if content.type == "function_call"\n'
        "    ]"
    ),
    why="What an agent says is one thing, what it did another. Tests, logs and limits look at the second.",
    answers=Answers(
        setup="import agent_framework",
        blank=["def called(response):\n    ..."],
        wrong=[
            Wrong('called = ["find"]', "not a function", "an answer for one run"),
            Wrong("def called(response):\n    return 'find' in response.text", "list of names", "returns a yes"),
            Wrong(
                "def called(response):\n    return [n for n in ('find', 'book') if n in str(response.to_dict())]",
                "only wrote about a call",
                "believes the text",
            ),
            Wrong(
                "def called(response):\n    return [m.role for m in response.messages if '{' not in m.text]",
                "nothing was called there",
                "counts messages",
            ),
            Wrong(
                "def called(response):\n    for m in response.messages:\n        for c in m.contents:\n"
                "            if c.type == 'function_call':\n                return [c.name]\n    return []",
                "stopped at the first",
                "returns inside the loop",
            ),
            Wrong(
                "def called(response):\n    return sorted({c.name for m in response.messages for c in m.contents "
                "if c.type == 'function_call'})",
                "then `book`",
                "loses the order",
            ),
        ],
        right=[
            "def called(response):\n    names = []\n    for message in response.messages:\n"
            "        names += [c.name for c in message.contents if c.type == 'function_call']\n    return names",
        ],
    ),
)
