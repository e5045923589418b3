"""Teams on a real engine: each pattern of the framework once, with what can go wrong in one."""

import asyncio
import dataclasses

import pytest
from agent_framework import tool
from agent_framework_orchestrations import ConcurrentBuilder, HandoffBuilder, SequentialBuilder

from labkit.agents.desk import Desk
from labkit.errors import OrchestrationError, UnsupportedParameter
from labkit.orchestration import Team, checkpoints
from labkit.orchestration.compare import tell

WHERE = "Where is my order 1002?"
ENTRY = "Dear diary, a grey and rainy day, and I feel hopeful about the garden all the same."


@pytest.fixture
def desk():
    with_desk = Desk()
    yield with_desk
    with_desk.close()


@pytest.fixture
def team(endpoint):
    return Team(endpoint)


def clerk(team, desk, name="clerk", **more):
    return team.member(name, "Orders, parcels and delivery.", [tell(desk.lookup_order_status)], **more)


def links(hops):
    return [(one.source, one.agent) for one in hops]


def test_one_after_the_other_each_hears_the_one_before(team, desk):
    writer = team.member("writer", "Write a friendly answer.", max_tokens=12)
    outcome = asyncio.run(team.run(SequentialBuilder(participants=[clerk(team, desk), writer]).build(), WHERE))
    assert links(outcome.hops) == [("user", "clerk"), ("clerk", "writer")]
    assert outcome.calls == [("lookup_order_status", {"order_id": "1002"})]
    assert "Thursday" in outcome.hops[0].text
    first, second = outcome.hops
    assert outcome.text == second.text and not outcome.failed
    assert all(one.tokens_in > 0 and 0 < one.tokens_out <= 40 and one.seconds > 0 for one in outcome.hops)
    assert second.tokens_out <= 12 and second.began >= first.began + first.seconds
    assert outcome.tokens == sum(one.tokens_in + one.tokens_out for one in outcome.hops)


def test_the_tool_layers_own_tokens_are_counted(team):
    def write_diary(mood: str, weather: str) -> str:
        """Write today's entry in the diary."""
        return "Written."

    member = team.member("writer", "You keep a diary.", [write_diary], must="write_diary", max_tokens=8)
    outcome = asyncio.run(team.run(SequentialBuilder(participants=[member]).build(), ENTRY))
    used = next(one for one in member.middleware).layer.usage
    answered = outcome.hops[0]
    assert used.asks > 0 and used.prompt_tokens > 0, "this request no longer needs the model: take another one"
    assert answered.tokens_in > used.prompt_tokens and answered.tokens_out > used.completion_tokens


def test_those_who_fail_do_not_stop_the_others_and_are_named(endpoint, team, desk):
    dead = dataclasses.replace(endpoint, base_url="http://127.0.0.1:9/v1", process=None, on_close=None)
    away = team.member("away", "Knows everything.", endpoint=dead, goes_on=True)
    late = team.member("late", "Knows everything.", seconds=0.02, goes_on=True)
    workflow = ConcurrentBuilder(participants=[clerk(team, desk), away, late]).build()
    outcome = asyncio.run(team.run(workflow, WHERE))
    assert set(outcome.failed) == {"away", "late"}
    assert "0.02 s" in outcome.failed["late"] and "Connection" in outcome.failed["away"]
    assert "clerk: " in outcome.text and "Thursday" in outcome.text
    assert "away failed: " in outcome.text and "late failed: " in outcome.text


def test_one_whose_failure_counts_ends_the_run_with_its_name(team):
    late = team.member("late", "Knows everything.", seconds=0.02)
    with pytest.raises(OrchestrationError) as caught:
        asyncio.run(team.run(SequentialBuilder(participants=[late]).build(), WHERE))
    assert "late: no answer within 0.02 s" in str(caught.value)
    assert [one.error for one in team.trace.hops] == ["no answer within 0.02 s"]


def test_a_run_has_a_time_limit_of_its_own(team):
    slow = team.member("slow", "Tell a long story.", max_tokens=200)
    with pytest.raises(OrchestrationError, match="no answer"):
        asyncio.run(team.run(SequentialBuilder(participants=[slow]).build(), "Once upon a time", seconds=0.1))
    assert team.trace.hops[-1].error == "cancelled"


def test_nothing_private_reaches_a_remote_member(team, desk):
    far = team.member("far", "Knows everything.", remote=True, goes_on=True, max_tokens=4)
    workflow = ConcurrentBuilder(participants=[clerk(team, desk), far]).build()
    kept = asyncio.run(team.run(workflow, WHERE, private=True))
    assert "may not leave" in kept.failed["far"] and kept.hops[0].tokens_in == 0
    again = ConcurrentBuilder(participants=[clerk(team, desk, "other"), far]).build()
    assert not asyncio.run(team.run(again, WHERE)).failed


def test_a_cancelled_run_notes_whose_turn_was_cut(team):
    slow = team.member("slow", "Tell a long story.", max_tokens=200)

    async def cut():
        going = asyncio.create_task(team.run(SequentialBuilder(participants=[slow]).build(), "Once upon a time"))
        await asyncio.sleep(0.2)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        return going.cancelled()

    assert asyncio.run(cut())
    assert [(one.agent, one.error) for one in team.trace.hops] == [("slow", "cancelled")]


def test_the_front_hands_over_and_the_handover_is_no_failed_call(team, desk):
    front = team.member("front", "You pass customers on.")
    devices = team.member("devices", "Lamps and devices that do not work.", [tell(desk.run_diagnostics)])
    orders = clerk(team, desk)
    builder = HandoffBuilder(participants=[front, orders, devices], termination_condition=_answered)
    workflow = builder.with_start_agent(front).add_handoff(front, [orders, devices]).build()
    outcome = asyncio.run(team.run(workflow, WHERE))
    assert links(outcome.hops) == [("user", "front"), ("front", "clerk")]
    assert outcome.hops[0].to == "clerk" and "Thursday" in outcome.text
    assert outcome.calls == [("lookup_order_status", {"order_id": "1002"})]  # handing over is none


def _answered(said):
    return said[-1].role == "assistant" and bool(said[-1].text)


@pytest.mark.parametrize("yes", [True, False])
def test_a_risky_tool_waits_for_a_person(team, desk, yes):
    risky = tool(desk.create_ticket, approval_mode="always_require")
    member = team.member("tickets", "You open tickets.", [risky], must="create_ticket", max_tokens=12)
    workflow, before = SequentialBuilder(participants=[member]).build(), desk.tickets()

    async def ask_first():
        paused = await team.run(workflow, "Open a ticket: my lamp is broken.")
        assert desk.tickets() == before
        ((number, request),) = paused.waiting.items()
        assert request.function_call.name == "create_ticket"
        answer = {number: request.to_function_approval_response(yes)}
        return await team.run(workflow, responses=answer)

    outcome = asyncio.run(ask_first())
    assert not outcome.waiting and len(outcome.hops) == 2
    assert len(desk.tickets()) - len(before) == int(yes)


def test_a_run_that_broke_is_resumed_without_repeating_what_was_done(endpoint, desk, tmp_path):
    storage = checkpoints(tmp_path / "runs")

    def build(team, **last):
        writer = team.member("writer", "Write a friendly answer.", max_tokens=8, **last)
        return SequentialBuilder(
            name="two", participants=[clerk(team, desk), writer], checkpoint_storage=storage
        ).build()

    async def crash_and_resume():
        with pytest.raises(OrchestrationError):
            await (team := Team(endpoint)).run(build(team, seconds=0.001), WHERE)
        assert [one.agent for one in team.trace.hops] == ["clerk", "writer"]
        saved = await storage.get_latest(workflow_name="two")
        fresh = Team(endpoint)
        return await fresh.run(build(fresh), checkpoint_id=saved.checkpoint_id)

    outcome = asyncio.run(crash_and_resume())
    assert links(outcome.hops) == [("clerk", "writer")] and outcome.text
    assert (tmp_path / "runs").stat().st_mode & 0o077 == 0


def test_a_streamed_run_is_refused_rather_than_counted_wrong(team):
    member = team.member("clerk", "Orders.")

    async def stream():
        async for _ in member.run(WHERE, stream=True):
            pass

    with pytest.raises(UnsupportedParameter, match="does not stream"):
        asyncio.run(stream())
