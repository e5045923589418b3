"""The exercises of lesson 09: count a team, survive a failure, route, decide for a person, hold a manager, choose a way."""

from __future__ import annotations

from labkit.exercises import cases, require, require_function, returned, show
from labkit.orchestration.compare import Score
from labkit.orchestration.hops import Hop

# -- A line -------------------------------------------------------------------------------------------------------------

HOPS = [
    Hop("user", "clerk", "", 0.0, 1.5, 100, 20),
    Hop("clerk", "writer", "", 1.5, 2.0, 150, 30),
    Hop("writer", "clerk", "", 3.5, 0.5, 60, 10),
]


def check_tokens_by_agent(tokens_by_agent):
    require_function(tokens_by_agent)
    got = tokens_by_agent(HOPS)
    returned(got, "a dict, agent to tokens", dict)
    require("user" not in got, "the user has no turn: count for who answered (`hop.agent`), not who was heard.")
    require(
        got.get("writer") != 30,
        "you count only what was written; an agent reads the whole talk, and that costs as well.",
    )
    require(got.get("clerk") != 70, "the clerk had two turns, and the second overwrote the first: add them up.")
    cases(tokens_by_agent, [(HOPS, {"clerk": 190, "writer": 180}), ([], {})])


# -- Side by side -------------------------------------------------------------------------------------------------------

SAID = [
    Hop("user", "orders", "It arrives on Thursday."),
    Hop("user", "help", "help failed: late", error="no answer within 1 s"),
]


def check_combine(combine):
    require_function(combine)
    both = combine(SAID)
    returned(both, "a text", str)
    require("It arrives on Thursday." in both, "the answer of the one who did not fail is lost.")
    require("help" in both, "it does not say who failed, so the customer takes half an answer for a whole one.")
    require(
        "help failed: late" not in both,
        "the failure's own text stands there as if it were an answer; skip hops with an `error`.",
    )
    fine = combine(SAID[:1])
    require("No answer" not in fine, "nobody failed, and it still says that somebody did.")
    none = combine(SAID[1:])
    require(isinstance(none, str) and "help" in none, "when all have failed it should still say who.")


# -- Routing ------------------------------------------------------------------------------------------------------------

RULES = {"orders": r"\border\b", "devices": r"\b(lamp|kettle)-\d+\b"}


def check_by_one_rule(by_one_rule):
    require_function(by_one_rule)
    require(by_one_rule("Where is my order?", RULES) == "orders", "one rule matches, so its name should come back.")
    require(
        by_one_rule("WHERE IS MY ORDER?", RULES) == "orders", "people shout: the case of letters should not matter."
    )
    require(
        by_one_rule("Hello!", RULES) is None,
        "no rule matches, and it still decides; return `None`, so that others can.",
    )
    require(
        by_one_rule("It is disorderly.", RULES) is None,
        "`\\b` means a word's edge: match with `re.search`, not with `in`.",
    )
    both = by_one_rule("I want to order a plug for lamp-3.", RULES)
    require(
        both is None,
        f"two rules match, and you took {show(both)} because of the table's order. That is chance: return `None`.",
    )


# -- Edge and above -----------------------------------------------------------------------------------------------------

EDGE = Hop("user", "edge", "help")
UP, SHUT = Hop("edge", "above", "orders"), Hop("edge", "above", error="The request may not leave.")
AFTER, HOME = Hop("above", "orders", "Thursday."), Hop("edge", "help", "Five days.")
RUNS = [
    (False, [EDGE, UP, AFTER]),
    (True, [EDGE, SHUT, HOME]),
    (True, [EDGE, UP, AFTER]),
    (True, [Hop("user", "edge", "tell above"), HOME]),
    (True, [EDGE, UP]),
]


def check_leaks(leaks):
    require_function(leaks)
    got = leaks(RUNS)
    returned(got, "a list of places", list)
    require(0 not in got, "the first run went up, and it may: it is not private.")
    require(1 not in got, "the second run found the door shut: that hop has an `error`, and nothing arrived.")
    require(3 not in got, "the fourth run only says the word; look at who heard it, `hop.agent`.")
    require(
        4 in got, "the last run went up and nobody came after: it leaked all the same. Look at `agent`, not `source`."
    )
    cases(leaks, [(RUNS, [2, 4]), (RUNS[:2], []), ([], [])])


# -- Handing over -------------------------------------------------------------------------------------------------------


def waiting(*calls: tuple[str, dict]) -> dict:
    """Return what a paused run waits for: the framework's own requests for approval, by id."""
    from agent_framework import Content

    made = [
        Content.from_function_call(call_id=f"c{n}", name=name, arguments=args) for n, (name, args) in enumerate(calls)
    ]
    return {
        f"r{n}": Content.from_function_approval_request(id=f"r{n}", function_call=one) for n, one in enumerate(made)
    }


def check_decide(decide):
    require_function(decide)
    asked = waiting(
        ("create_ticket", {"issue": "The lamp is broken"}),
        ("delete_customer", {"id": "C-101"}),
        ("create_ticket", {"issue": " "}),
    )
    answers = decide(asked)
    returned(answers, "a dict, id to response", dict)
    require(set(answers) == set(asked), "every request needs an answer, a no as well: the run waits for all of them.")
    kinds = {getattr(one, "type", None) for one in answers.values()}
    require(
        kinds == {"function_approval_response"},
        "the framework wants its own response: `request.to_function_approval_response(…)`.",
    )
    said = {number: one.approved for number, one in answers.items()}
    require(said["r0"], "a ticket with an issue is harmless, and you refused it.")
    require(not said["r1"], "you let `delete_customer` through: say yes to what you know, not no to what you fear.")
    require(not said["r2"], "a ticket with an empty issue helps nobody; look at the arguments, too.")


# -- A manager ----------------------------------------------------------------------------------------------------------


def fits(answer: dict, schema: dict) -> bool:
    """Whether `answer` fits `schema`."""
    import jsonschema

    return jsonschema.Draft202012Validator(schema).is_valid(answer)


def check_next_schema(next_schema):
    require_function(next_schema)
    schema = next_schema(["orders", "devices"])
    returned(schema, "a JSON schema as a dict", dict)
    require(fits({"next_speaker": "orders"}, schema), "it refuses `orders`, who is a member.")
    require(
        not fits({"next_speaker": "the user's device"}, schema),
        "it lets `the user's device` speak, who is no member: an `enum` ends that.",
    )
    require(not fits({}, schema), "it accepts an answer that names nobody: `next_speaker` belongs in `required`.")
    require(
        not fits({"next_speaker": "orders", "poem": "…"}, schema),
        "it leaves room for more than was asked, and a tiny model fills it: `additionalProperties` is False.",
    )
    require(
        fits({"next_speaker": "ada"}, next_schema(["ada"])),
        "it does not use its argument: with the member `ada` alone, `ada` is refused.",
    )


# -- One or five --------------------------------------------------------------------------------------------------------


def check_choose_way(choose_way):
    def ways(**rows):
        return {
            name: Score(8, called, told, 1.0, tokens, seconds) for name, (called, told, tokens, seconds) in rows.items()
        }

    require_function(choose_way)
    got = choose_way(ways(one=(8, 4, 150.0, 0.6), five=(3, 5, 430.0, 3.0)))
    require(got in ("one", "five"), f"it should return a way's name; yours returned {show(got)}.")
    require(
        got == "one", "`five` calls the wrong tools; a fact told by luck does not undo a ticket that nobody wanted."
    )
    require(
        choose_way(ways(cheap=(2, 2, 10.0, 0.1), good=(7, 4, 90.0, 0.5))) == "good",
        "you took the cheap one that is mostly wrong.",
    )
    equal = ways(five=(8, 4, 200.0, 0.5), one=(8, 4, 150.0, 0.6))
    require(
        choose_way(equal) == "one",
        "both call right equally often: then fewer tokens win, on any machine; seconds depend on it.",
    )
