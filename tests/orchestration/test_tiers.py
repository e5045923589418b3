"""The edge and the tier above it, on the real engine: what goes up, what may not, and what the graph of hops shows of it."""

import asyncio
import dataclasses

import pytest

from labkit.agents.desk import Desk
from labkit.agents.hybrid import by_margin
from labkit.errors import OrchestrationError
from labkit.orchestration import Team
from labkit.orchestration.compare import tell
from labkit.orchestration.route import by_code, specialists
from labkit.orchestration.tiers import Tiers

SURE, VAGUE = "Where is my order 1002?", "I need some advice."
ALWAYS, NEVER = float("inf"), 0.0


def nobody(request):
    raise AssertionError("it went up")


@pytest.fixture
def gone(endpoint):
    return dataclasses.replace(endpoint, base_url="http://127.0.0.1:9/v1", process=None, on_close=None)


def run(tiers, endpoint, text, **more):
    desk, team = Desk(), Team(endpoint)
    tools = {one.__name__: tell(one) for one in desk.tools()}
    members = {one.name: team.member(one.name, one.does, [tools[one.tool]], max_tokens=8) for one in specialists()}
    outcome = asyncio.run(tiers.run(team, members, text, **more))
    desk.close()
    return outcome


def links(hops):
    return [(one.source, one.agent) for one in hops]


def test_a_rule_decides_at_the_edge_and_no_model_is_asked(endpoint, gone):
    outcome = run(Tiers(gone, nobody, specialists(), ALWAYS), endpoint, SURE)
    assert links(outcome.hops) == [("user", "edge"), ("edge", "orders")]
    assert outcome.hops[0].tokens_in == 0 and outcome.calls == [("lookup_order_status", {"order_id": "1002"})]


def test_what_the_edge_is_sure_of_stays(endpoint):
    placed = Tiers(endpoint, nobody, specialists(), NEVER)(VAGUE)
    assert placed.by == "edge" and not placed.kept and links(placed.hops) == [("user", "edge")]
    assert placed.hops[0].tokens_in > 0 and placed.hops[0].text == placed.to


def test_what_it_is_not_sure_of_goes_up_and_the_graph_shows_it(endpoint):
    outcome = run(Tiers(endpoint, by_margin(endpoint), specialists(), ALWAYS), endpoint, VAGUE)
    to = outcome.hops[1].text
    assert to in [one.name for one in by_code(VAGUE, specialists())[1]]
    assert links(outcome.hops) == [("user", "edge"), ("edge", "above"), ("above", to)]
    assert all(one.tokens_in > 0 and one.tokens_out > 0 for one in outcome.hops) and not outcome.failed
    assert [one.began for one in outcome.hops] == sorted(one.began for one in outcome.hops)


def test_nothing_private_goes_up_however_unsure_the_edge_is(endpoint):
    outcome = run(Tiers(endpoint, nobody, specialists(), ALWAYS), endpoint, VAGUE, private=True)
    edge, door, last = outcome.hops
    assert (door.source, door.agent, door.tokens_in) == ("edge", "above", 0) and "may not leave" in door.error
    assert (last.source, last.agent) == ("edge", edge.text)


def test_a_tier_above_that_is_not_there_leaves_the_edges_answer(endpoint, gone):
    placed = Tiers(endpoint, by_margin(gone), specialists(), ALWAYS)(VAGUE)
    assert placed.by == "edge" and placed.to == placed.hops[0].text
    assert "big model failed" in placed.kept and placed.hops[1].error == placed.kept


def test_when_nobody_can_say_a_person_must(gone):
    with pytest.raises(OrchestrationError, match="Nobody can say") as caught:
        Tiers(gone, by_margin(gone), specialists(), ALWAYS)(VAGUE)
    assert caught.value.fix == "ask a person"
    with pytest.raises(OrchestrationError, match="Nobody can say"):  # and private changes nothing but the reason
        Tiers(gone, nobody, specialists(), ALWAYS)(VAGUE, private=True)
