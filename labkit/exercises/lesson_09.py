"""The exercises of lesson 09: count a team, survive a failure, route, decide for a person, hold a manager, choose a way."""

from __future__ import annotations

from labkit.exercises.core import Answers, Exercise, Wrong, cases, require
from labkit.exercises.message import show
from labkit.orchestration.compare import Score
from labkit.orchestration.hops import Hop

# -- A line -------------------------------------------------------------------------------------------------------------

HOPS = [
    Hop("user", "clerk", "", 0.0, 1.5, 100, 20),
    Hop("clerk", "writer", "", 1.5, 2.0, 150, 30),
    Hop("writer", "clerk", "", 3.5, 0.5, 60, 10),
]


def check_tokens_by_agent(tokens_by_agent):
    require(callable(tokens_by_agent), f"{show(tokens_by_agent)} is not a function.")
    got = tokens_by_agent(HOPS)
    require(isinstance(got, dict), f"it should return a dict, agent to tokens; yours returned {show(got)}.")
    require("user" not in got, "the user has no turn: count for who answered (`hop.agent`), not who was heard.")
    require(
        got.get("writer") != 30,
        "you count only what was written; an agent reads the whole talk, and that costs as well.",
    )
    require(got.get("clerk") != 70, "the clerk had two turns, and the second overwrote the first: add them up.")
    cases(tokens_by_agent, [(HOPS, {"clerk": 190, "writer": 180}), ([], {})])


TOKENS = Exercise(
    id="09.1",
    title="What each agent costs",
    section="A line",
    task="Write `tokens_by_agent(hops)`: a dict from each agent's name to all tokens it read and wrote. A hop has `agent`, "
    "`source`, `tokens_in`, `tokens_out`; an agent may have several hops.",
    expects="a function of a list of hops that returns a dict",
    check=check_tokens_by_agent,
    hints=["Go through the hops, and add to the agent's sum.", "`sums.get(hop.agent, 0)` is 0 the first time."],
    solution="def tokens_by_agent(hops):\n    sums = {}\n    for hop in hops:\n"
    "        sums[hop.agent] = sums.get(hop.agent, 0) + hop.tokens_in + hop.tokens_out\n    return sums",
    why="Every agent in a line reads what all before it said, so the price of a line grows faster than its length.",
    answers=Answers(
        blank=["def tokens_by_agent(hops):\n    ..."],
        wrong=[
            Wrong("tokens_by_agent = 370", "not a function", "a figure instead of a function"),
            Wrong("def tokens_by_agent(hops):\n    return sum(h.tokens_in + h.tokens_out for h in hops)", "should return a dict",
                  "one sum for all"),
            Wrong("from collections import Counter\ndef tokens_by_agent(hops):\n    sums = Counter()\n    for h in hops:\n"
                  "        sums[h.source] += h.tokens_in + h.tokens_out\n    return dict(sums)", "the user has no turn",
                  "charges the one who spoke before"),
            Wrong("from collections import Counter\ndef tokens_by_agent(hops):\n    sums = Counter()\n    for h in hops:\n"
                  "        sums[h.agent] += h.tokens_out\n    return dict(sums)", "only what was written", "reading is free"),
            Wrong("def tokens_by_agent(hops):\n    return {h.agent: h.tokens_in + h.tokens_out for h in hops}",
                  "overwrote the first", "a dict comprehension keeps the last turn"),
            Wrong("def tokens_by_agent(hops):\n    return {'clerk': 190, 'writer': 180}", "returned", "the example's answer"),
        ],
        right=["from collections import defaultdict\ndef tokens_by_agent(hops):\n    sums = defaultdict(int)\n    for h in hops:\n"
               "        sums[h.agent] += h.tokens_in + h.tokens_out\n    return sums"],
    ),
)  # fmt: skip

# -- Side by side -------------------------------------------------------------------------------------------------------

SAID = [
    Hop("user", "orders", "It arrives on Thursday."),
    Hop("user", "help", "help failed: late", error="no answer within 1 s"),
]


def check_combine(combine):
    require(callable(combine), f"{show(combine)} is not a function.")
    both = combine(SAID)
    require(isinstance(both, str), f"it should return a text; yours returned {show(both)}.")
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


COMBINE = Exercise(
    id="09.2",
    title="Half an answer, and honest",
    section="Side by side",
    task="Write `combine(hops)`: the texts of all hops without an `error`, one a line; and if there were failures, a last line "
    "`No answer from: ` with their agents' names, joined by `, `.",
    expects="a function of a list of hops that returns a str",
    check=check_combine,
    hints=["`hop.error` is an empty text when all went well.", "Build a list of lines, then `\"\\n\".join(lines)`."],
    solution="def combine(hops):\n    lines = [hop.text for hop in hops if not hop.error]\n"
    "    failed = [hop.agent for hop in hops if hop.error]\n"
    "    if failed:\n        lines.append('No answer from: ' + ', '.join(failed))\n    return '\\n'.join(lines)",
    why="The others go on, and the reader knows what is missing: both halves of surviving a failure.",
    answers=Answers(
        blank=["def combine(hops):\n    ..."],
        wrong=[
            Wrong("combine = 'It arrives on Thursday.'", "not a function", "an answer instead of a function"),
            Wrong("def combine(hops):\n    return [h.text for h in hops]", "should return a text", "a list of lines"),
            Wrong("def combine(hops):\n    bad = [h.agent for h in hops if h.error]\n    return 'No answer from: ' + ', '.join(bad)",
                  "is lost", "one failure spoils all"),
            Wrong("def combine(hops):\n    return '\\n'.join(h.text for h in hops if not h.error)", "who failed",
                  "leaves failures out in silence"),
            Wrong("def combine(hops):\n    bad = [h.agent for h in hops if h.error]\n"
                  "    return '\\n'.join(h.text for h in hops) + ('\\nNo answer from: ' + ', '.join(bad) if bad else '')",
                  "as if it were an answer", "shows the error as an answer"),
            Wrong("def combine(hops):\n    bad = [h.agent for h in hops if h.error]\n"
                  "    return '\\n'.join([h.text for h in hops if not h.error] + ['No answer from: ' + ', '.join(bad)])",
                  "nobody failed", "an empty list of failures is announced"),
            Wrong("def combine(hops):\n    good = [h.text for h in hops if not h.error]\n    if not good:\n        return ''\n"
                  "    bad = [h.agent for h in hops if h.error]\n"
                  "    return '\\n'.join(good + (['No answer from: ' + ', '.join(bad)] if bad else []))",
                  "all have failed", "silent when nothing worked"),
        ],
        right=["def combine(hops):\n    text = ''.join(h.text + '\\n' for h in hops if not h.error)\n"
               "    bad = ', '.join(h.agent for h in hops if h.error)\n    return text + (f'No answer from: {bad}' if bad else '')"],
    ),
)  # fmt: skip

# -- Routing ------------------------------------------------------------------------------------------------------------

RULES = {"orders": r"\border\b", "devices": r"\b(lamp|kettle)-\d+\b"}


def check_by_one_rule(by_one_rule):
    require(callable(by_one_rule), f"{show(by_one_rule)} is not a function.")
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


ROUTE = Exercise(
    id="09.3",
    title="A rule that knows when it is sure",
    section="Routing",
    task="Write `by_one_rule(text, rules)`. `rules` is a dict, name to regular expression. Return the name if exactly one matches "
    "somewhere in the text (in any case of letters), else `None`.",
    expects="a function of a text and a dict that returns a key or None",
    check=check_by_one_rule,
    hints=["`re.search(rule, text, re.I)` looks everywhere, in any case.", "Collect all names that match, then look how many they are."],
    solution="import re\n\ndef by_one_rule(text, rules):\n"
    "    names = [name for name, rule in rules.items() if re.search(rule, text, re.I)]\n"
    "    return names[0] if len(names) == 1 else None",
    why="A stage that says when it does not know is what makes a chain of stages possible.",
    answers=Answers(
        setup="import re",
        blank=["def by_one_rule(text, rules):\n    ..."],
        wrong=[
            Wrong("by_one_rule = 'orders'", "not a function", "a name instead of a function"),
            Wrong("def by_one_rule(text, rules):\n    names = [n for n, r in rules.items() if re.match(r, text, re.I)]\n"
                  "    return names[0] if len(names) == 1 else None", "one rule matches", "looks at the beginning only"),
            Wrong("def by_one_rule(text, rules):\n    names = [n for n, r in rules.items() if re.search(r, text)]\n"
                  "    return names[0] if len(names) == 1 else None", "people shout", "minds capitals"),
            Wrong("def by_one_rule(text, rules):\n    names = [n for n, r in rules.items() if re.search(r, text, re.I)]\n"
                  "    return names[0] if len(names) == 1 else 'orders'", "no rule matches",
                  "a default, as in the recipe that sends all else to the technician"),
            Wrong("def by_one_rule(text, rules):\n    low = text.lower()\n    names = [n for n in rules if n.removesuffix('s') in low]\n"
                  "    return names[0] if len(names) == 1 else None", "a word's edge", "looks for letters inside words"),
            Wrong("def by_one_rule(text, rules):\n    return next((n for n, r in rules.items() if re.search(r, text, re.I)), None)",
                  "That is chance", "first match wins"),
        ],
        right=["import re\ndef by_one_rule(text, rules):\n    found = set()\n    for name, rule in rules.items():\n"
               "        if re.compile(rule, re.IGNORECASE).search(text):\n            found.add(name)\n"
               "    return found.pop() if len(found) == 1 else None"],
    ),
)  # fmt: skip

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
    require(callable(leaks), f"{show(leaks)} is not a function.")
    got = leaks(RUNS)
    require(isinstance(got, list), f"it should return a list of places; yours returned {show(got)}.")
    require(0 not in got, "the first run went up, and it may: it is not private.")
    require(1 not in got, "the second run found the door shut: that hop has an `error`, and nothing arrived.")
    require(3 not in got, "the fourth run only says the word; look at who heard it, `hop.agent`.")
    require(
        4 in got, "the last run went up and nobody came after: it leaked all the same. Look at `agent`, not `source`."
    )
    cases(leaks, [(RUNS, [2, 4]), (RUNS[:2], []), ([], [])])


LEAKS = Exercise(
    id="09.4",
    title="Audit the graph",
    section="Edge and above",
    task="Write `leaks(runs)`. `runs` is a list of pairs (private, hops). Return the places (0, 1, …) of those runs that were "
    "private and had a hop whose `agent` is `'above'` and whose `error` is empty.",
    expects="a function of a list of pairs that returns a list of ints",
    check=check_leaks,
    hints=["`enumerate(runs)` gives places.", "`any(hop.agent == 'above' and not hop.error for hop in hops)`."],
    solution="def leaks(runs):\n    return [n for n, (private, hops) in enumerate(runs)\n"
    "            if private and any(hop.agent == 'above' and not hop.error for hop in hops)]",
    why="A rule that nobody checks afterwards is a hope. Every run leaves its hops, so this check costs a line.",
    answers=Answers(
        blank=["def leaks(runs):\n    ..."],
        wrong=[
            Wrong("leaks = []", "not a function", "an answer instead of a function"),
            Wrong("def leaks(runs):\n    return [2, 4]", "returned", "the example's answer"),
            Wrong("def leaks(runs):\n    return sum(p and any(h.agent == 'above' and not h.error for h in hops) for p, hops in runs)",
                  "a list of places", "counts instead of naming"),
            Wrong("def leaks(runs):\n    return [n for n, (p, hops) in enumerate(runs) if any(h.agent == 'above' and not h.error for h in hops)]",
                  "it is not private", "forgets the mark"),
            Wrong("def leaks(runs):\n    return [n for n, (p, hops) in enumerate(runs) if p and any(h.agent == 'above' for h in hops)]",
                  "found the door shut", "takes a refusal for a leak"),
            Wrong("def leaks(runs):\n    return [n for n, (p, hops) in enumerate(runs)\n"
                  "            if p and any('above' in h.agent + h.text and not h.error for h in hops)]", "only says the word",
                  "searches the text"),
            Wrong("def leaks(runs):\n    return [n for n, (p, hops) in enumerate(runs) if p and any(h.source == 'above' for h in hops)]",
                  "leaked all the same", "looks at who spoke, not who heard"),
        ],
        right=["def leaks(runs):\n    found = []\n    for place, (private, hops) in enumerate(runs):\n        arrived = {h.agent for h in hops if not h.error}\n"
               "        if private and 'above' in arrived:\n            found.append(place)\n    return found"],
    ),
)  # fmt: skip

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
    require(callable(decide), f"{show(decide)} is not a function.")
    asked = waiting(
        ("create_ticket", {"issue": "The lamp is broken"}),
        ("delete_customer", {"id": "C-101"}),
        ("create_ticket", {"issue": " "}),
    )
    answers = decide(asked)
    require(isinstance(answers, dict), f"it should return a dict, id to response; yours returned {show(answers)}.")
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


DECIDE = Exercise(
    id="09.5",
    title="A person's policy",
    section="Handing over",
    task="Write `decide(waiting)`: a dict from each id to `request.to_function_approval_response(yes)`. Say yes only to "
    "`create_ticket`, and only if its `issue` is not blank. `request.function_call` has `name` and `parse_arguments()`.",
    expects="a function of a dict of requests that returns a dict of responses",
    check=check_decide,
    seconds=30.0,
    hints=["`waiting.items()` gives (id, request).", "`(call.parse_arguments() or {}).get('issue', '').strip()` is empty when blank."],
    solution="def decide(waiting):\n    answers = {}\n    for number, request in waiting.items():\n"
    "        call = request.function_call\n        issue = (call.parse_arguments() or {}).get('issue', '')\n"
    "        yes = call.name == 'create_ticket' and bool(issue.strip())\n"
    "        answers[number] = request.to_function_approval_response(yes)\n    return answers",
    why="What is not on the list is refused: the next risky tool that somebody adds is safe from its first day.",
    answers=Answers(
        blank=["def decide(waiting):\n    ..."],
        wrong=[
            Wrong("decide = True", "not a function", "one yes for everything"),
            Wrong("def decide(waiting):\n    return [r.to_function_approval_response(True) for r in waiting.values()]",
                  "should return a dict", "answers without their ids"),
            Wrong("def decide(waiting):\n    return {n: r.to_function_approval_response(True) for n, r in waiting.items()\n"
                  "            if r.function_call.name == 'create_ticket'}", "every request needs an answer", "silence for a no"),
            Wrong("def decide(waiting):\n    return {n: r.function_call.name == 'create_ticket' for n, r in waiting.items()}",
                  "its own response", "bare booleans"),
            Wrong("def decide(waiting):\n    return {n: r.to_function_approval_response(False) for n, r in waiting.items()}",
                  "you refused it", "no to everything"),
            Wrong("def decide(waiting):\n    return {n: r.to_function_approval_response(bool(str(r.function_call.parse_arguments().get('issue', 'x')).strip()))\n"
                  "            for n, r in waiting.items()}", "not no to what you fear", "looks at arguments alone"),
            Wrong("def decide(waiting):\n    return {n: r.to_function_approval_response(r.function_call.name == 'create_ticket')\n"
                  "            for n, r in waiting.items()}", "empty issue", "looks at the name alone"),
        ],
        right=["def decide(waiting):\n    def fine(call):\n        return call.name == 'create_ticket' and call.parse_arguments()['issue'].strip() != ''\n"
               "    return {n: r.to_function_approval_response(fine(r.function_call)) for n, r in waiting.items()}"],
    ),
)  # fmt: skip

# -- A manager ----------------------------------------------------------------------------------------------------------


def fits(answer: dict, schema: dict) -> bool:
    """Whether `answer` fits `schema`."""
    import jsonschema

    return jsonschema.Draft202012Validator(schema).is_valid(answer)


def check_next_schema(next_schema):
    require(callable(next_schema), f"{show(next_schema)} is not a function.")
    schema = next_schema(["orders", "devices"])
    require(isinstance(schema, dict), f"it should return a JSON schema as a dict; yours returned {show(schema)}.")
    require(fits({"next_speaker": "orders"}, schema), "it refuses `orders`, who is a member.")
    require(
        not fits({"next_speaker": "the user's device"}, schema),
        "it lets `the user's device` speak, who is no member: an `enum` ends that.",
    )
    require(not fits({}, schema), "it accepts an answer that names nobody: `next_speaker` belongs into `required`.")
    require(
        not fits({"next_speaker": "orders", "poem": "…"}, schema),
        "it leaves room for more than was asked, and a tiny model fills it: `additionalProperties` is False.",
    )
    require(
        fits({"next_speaker": "ada"}, next_schema(["ada"])),
        "it does not use its argument: with the member `ada` alone, `ada` is refused.",
    )


SCHEMA = Exercise(
    id="09.6",
    title="Only members speak",
    section="A manager",
    task="Write `next_schema(members)`: a JSON schema for an object with one field, `next_speaker`, that can only be a member's "
    "name. The field is required, and there may be no other.",
    expects="a function of a list of names that returns a dict",
    check=check_next_schema,
    seconds=30.0,
    hints=['An enum: `{"type": "string", "enum": [...]}`.', '`"required"` is a list, `"additionalProperties"` a boolean.'],
    solution="def next_schema(members):\n    return {\n        'type': 'object',\n"
    "        'properties': {'next_speaker': {'type': 'string', 'enum': list(members)}},\n"
    "        'required': ['next_speaker'],\n        'additionalProperties': False,\n    }",
    why="Held to this, a manager of any size names a member in every turn. Whether it is the right one stays open.",
    answers=Answers(
        blank=["def next_schema(members):\n    ..."],
        wrong=[
            Wrong("next_schema = {'type': 'object'}", "not a function", "a schema instead of a function"),
            Wrong("def next_schema(members):\n    return list(members)", "as a dict", "the names alone"),
            Wrong("def next_schema(members):\n    return {'type': 'string', 'enum': list(members)}", "it refuses `orders`",
                  "the name without its object"),
            Wrong("def next_schema(members):\n    return {'type': 'object', 'properties': {'next_speaker': {'type': 'string'}},\n"
                  "            'required': ['next_speaker'], 'additionalProperties': False}", "an `enum` ends that",
                  "any text, as the framework's own schema has it"),
            Wrong("def next_schema(members):\n    return {'type': 'object', 'properties': {'next_speaker': {'enum': list(members)}},\n"
                  "            'additionalProperties': False}", "names nobody", "nothing is required"),
            Wrong("def next_schema(members):\n    return {'type': 'object', 'properties': {'next_speaker': {'enum': list(members)}},\n"
                  "            'required': ['next_speaker']}", "room for more", "other fields allowed"),
            Wrong("def next_schema(members):\n    return {'type': 'object', 'properties': {'next_speaker': {'enum': ['orders', 'devices']}},\n"
                  "            'required': ['next_speaker'], 'additionalProperties': False}", "does not use its argument",
                  "the names written into the code"),
        ],
        right=["def next_schema(members):\n    return {'type': 'object', 'properties': {'next_speaker': {'anyOf': [{'const': m} for m in members]}},\n"
               "            'required': ['next_speaker'], 'additionalProperties': False}"],
    ),
)  # fmt: skip

# -- One or five --------------------------------------------------------------------------------------------------------


def check_choose_way(choose_way):
    def ways(**rows):
        return {
            name: Score(8, called, told, 1.0, tokens, seconds) for name, (called, told, tokens, seconds) in rows.items()
        }

    require(callable(choose_way), f"{show(choose_way)} is not a function.")
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


WAY = Exercise(
    id="09.7",
    title="Choose by figures",
    section="One or five",
    task="Write `choose_way(scores)`. `scores` is a dict, name to a Score with `called` (right calls), `told`, `tokens` and "
    "`seconds` a request. Return the name of the way with most right calls; among equals, of the one with fewest tokens.",
    expects="a function of a dict that returns one of its keys",
    check=check_choose_way,
    hints=["`max(scores, key=…)` goes over the names.", "A key may be a pair: `(scores[name].called, -scores[name].tokens)`."],
    solution="def choose_way(scores):\n    return max(scores, key=lambda name: (scores[name].called, -scores[name].tokens))",
    why="The order of the two matters: what is wrong is never cheap.",
    answers=Answers(
        blank=["def choose_way(scores):\n    ..."],
        wrong=[
            Wrong("choose_way = 'one'", "not a function", "an opinion instead of a rule"),
            Wrong("def choose_way(scores):\n    return max(scores.values(), key=lambda s: s.called)", "a way's name", "the score instead of the name"),
            Wrong("def choose_way(scores):\n    return max(scores, key=lambda n: (scores[n].told, -scores[n].tokens))", "by luck",
                  "judges the sentence, not the call"),
            Wrong("def choose_way(scores):\n    return min(scores, key=lambda n: scores[n].tokens)", "mostly wrong", "cheapest wins"),
            Wrong("def choose_way(scores):\n    return max(scores, key=lambda n: scores[n].called)", "fewer tokens win", "first of equals"),
            Wrong("def choose_way(scores):\n    return max(scores, key=lambda n: (scores[n].called, -scores[n].seconds))", "fewer tokens win",
                  "seconds of a machine that does other things too"),
        ],
        right=["def choose_way(scores):\n    most = max(s.called for s in scores.values())\n"
               "    equal = [n for n in scores if scores[n].called == most]\n    return min(equal, key=lambda n: scores[n].tokens)"],
    ),
)  # fmt: skip

EXERCISES = [TOKENS, COMBINE, ROUTE, LEAKS, DECIDE, SCHEMA, WAY]
