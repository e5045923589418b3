"""A manager on the tiny model: what fails freely holds under a schema; and the counting of its turns."""

import asyncio
import json

import jsonschema
from agent_framework_orchestrations import GroupChatBuilder, MagenticBuilder

from labkit.orchestration import Hop, Team
from labkit.orchestration.compare import Case, Score, called, score
from labkit.orchestration.manager import Held, ledger_schema, read_speaker, speaker_schema, turns
from labkit.orchestration.team import Outcome

NAMES = ["orders", "devices"]


def members(team):
    return [team.member("orders", "Says where an order is.", max_tokens=8),
            team.member("devices", "Finds out what is wrong with a lamp.", max_tokens=8)]  # fmt: skip


def test_a_held_manager_leads_a_group(endpoint):
    team = Team(endpoint, hub="chair")
    chair = team.member("chair", "You lead.", middleware=[Held(NAMES)])
    builder = GroupChatBuilder(participants=members(team), orchestrator_agent=chair, max_rounds=1)
    outcome = asyncio.run(team.run(builder.build(), "Where is my order 1002?"))
    counted = turns(outcome.hops, "chair", NAMES)
    assert counted.of == counted.parse == counted.member == 1
    jsonschema.validate(json.loads(outcome.hops[0].text), speaker_schema(NAMES))
    assert (outcome.hops[0].source, outcome.hops[0].agent) == ("user", "chair")
    assert all(one.source == "chair" for one in outcome.hops[1:])


def test_a_held_manager_fills_the_ledger_and_plans_freely(endpoint):
    team = Team(endpoint, hub="chair")
    chair = team.member("chair", "You lead.", middleware=[Held(NAMES)], max_tokens=8)
    builder = MagenticBuilder(participants=members(team), manager_agent=chair, max_round_count=1, max_reset_count=1,
                              task_ledger_facts_prompt="{task} Which facts?", task_ledger_plan_prompt="Plan. {team}",
                              task_ledger_full_prompt="{task} {plan}")  # fmt: skip
    outcome = asyncio.run(team.run(builder.build(), "Where is my order 1002?"))
    said = [one for one in outcome.hops if one.agent == "chair"]
    assert [one.source for one in said][:3] == ["user", "chair", "chair"]
    assert read_speaker(said[0].text) is None and said[0].tokens_out <= 8
    jsonschema.validate(json.loads(said[2].text), ledger_schema(NAMES))


def test_turns_are_counted_by_what_they_say():
    def chair(text):
        return Hop("user", "chair", text)

    ledger = json.dumps({"next_speaker": {"reason": "", "answer": "orders"}})
    hops = [chair('{"next_speaker": "devices"}'), chair(ledger), chair('{"next_speaker": "the lamp"}'), chair("I"),
            chair("[1]"), Hop("chair", "orders", '{"next_speaker": "orders"}')]  # fmt: skip
    counted = turns(hops, "chair", NAMES, "orders")
    assert (counted.of, counted.parse, counted.member, counted.right) == (5, 3, 2, 1)
    assert read_speaker('{"next_speaker": 3}') == ""


def test_a_score_counts_right_calls_and_facts_told():
    case = Case("Where is 1002?", "orders", "lookup", {"order_id": "1002"}, "Thursday")
    right = Outcome("On thursday.", (Hop("user", "a", calls=(("lookup", {"order_id": "1002"}),), tokens_in=3),))
    stray = Outcome("No.", (*right.hops, Hop("user", "b", calls=(("create_ticket", {}),), seconds=1.0)), seconds=4.0)
    other = Outcome("Thursday", (Hop("user", "a", calls=(("lookup", {"order_id": "1001"}),)),))
    assert [called(case, one) for one in (right, stray, other, Outcome("", ()))] == [True, False, False, False]
    assert score([(case, right), (case, stray)]) == Score(2, 1, 1, 1.5, 3.0, 2.0)
