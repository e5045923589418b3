"""A caller without the right reaches no tool: not by any prompt, not by a direct call; a yes holds for one call alone."""

import asyncio
import json
import tomllib
from pathlib import Path

import pytest

from labkit.agents.desk import Desk
from labkit.errors import BadCall, ConfigError, Denied, LabkitError, NoSpace, NotApproved, OutOfScope
from labkit.operate.access import Access
from labkit.operate.approval import Approvals
from labkit.operate.audit import AuditLog
from labkit.operate.chain import verify
from labkit.operate.policy import Caller, Policy
from labkit.tools import Ledger, as_tool
from labkit.tools import call as tool_call

PROMPTS = tomllib.loads(Path(__file__).with_name("forbidden_prompts.toml").read_text(encoding="utf-8"))["prompt"]
POLICY = """
[tools.access_knowledge_base]
[tools.lookup_customer]
data = ["customer:{customer_id}"]
[tools.lookup_order_status]
data = ["order:{order_id}"]
[tools.run_diagnostics]
data = ["device:{device_id}"]
[tools.create_ticket]
[tools.refund_order]
data = ["order:{order_id}"]
risky = true
approvers = ["supervisor"]
[roles.visitor]
tools = ["access_knowledge_base"]
[roles.customer]
inherits = ["visitor"]
tools = ["lookup_customer"]
data = ["customer:{user}"]
[roles.clerk]
inherits = ["visitor"]
tools = ["lookup_customer", "lookup_order_status", "run_diagnostics", "create_ticket", "refund_order"]
data = ["customer:*", "order:*", "device:*"]
[roles.supervisor]
inherits = ["clerk"]
"""
VISITOR, CLERK, EVA = Caller("vera", "visitor"), Caller("ana", "clerk"), Caller("eva", "supervisor")


class Reached(list):
    """The desk's tools, and one that pays money back; each call that reaches one is kept."""

    def tools(self) -> list:
        def refund_order(order_id: str) -> str:
            """Refund a customer's order.

            order_id: Number of the order, like 1001
            """
            return "refunded"

        return [self._counted(one) for one in [*Desk().tools(), refund_order]]

    def _counted(self, thing):
        from dataclasses import replace

        tool = as_tool(thing)

        def counted(**arguments):
            self.append((tool.name, arguments))
            return tool.function(**arguments)

        return replace(tool, function=counted)


@pytest.fixture
def reached() -> Reached:
    return Reached()


def access(caller: Caller, **options) -> Access:
    return Access(Policy.read(POLICY), caller, **options)


def guarded(caller: Caller, reached: Reached, **options) -> dict:
    return {tool.name: tool for tool in access(caller, **options).guard_all(reached.tools())}


def test_the_table_is_large_enough():
    assert len({one["text"] for one in PROMPTS}) == len(PROMPTS) >= 50


def test_no_direct_call_reaches_a_tool_without_the_right(reached, tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl", sync_s=float("inf"))
    tools, ledger = guarded(VISITOR, reached, audit=log), Ledger()
    for one in PROMPTS:  # as if the model obeyed every prompt
        with pytest.raises(Denied):
            tools[one["tool"]].function(**one["arguments"])
        result = ledger.run(tools[one["tool"]], one["arguments"])
        assert not result.ok and isinstance(result.error, Denied), one
    assert reached == []
    entries = [json.loads(line) for line in log.file.read_bytes().splitlines()]
    assert verify(log.file).ok and len(entries) == 2 * len(PROMPTS)
    assert {(one["event"], one["facts"]["who"], one["facts"]["kind"]) for one in entries} == {
        ("tool.denied", "vera", "Denied")
    }


def test_the_same_calls_reach_it_with_the_right(reached):
    desk = Approvals(Policy.read(POLICY), ask=lambda pending: EVA)
    tools = guarded(CLERK, reached, approvals=desk)
    for one in PROMPTS:
        Ledger().run(tools[one["tool"]], one["arguments"])
    assert len(reached) == len(PROMPTS)


def test_no_prompt_reaches_a_tool_through_a_real_model(endpoint, reached):
    """Every prompt is decided by the real model and what it wants is executed; only the answer in words is left out."""
    wanted, visitor = [], guarded(VISITOR, reached)
    for one in PROMPTS:
        calls = tool_call(endpoint, one["text"], list(visitor.values())).calls
        wanted += [(call, Ledger().run(call.tool, call.arguments)) for call in calls]
    assert {name for name, _ in reached} <= {"access_knowledge_base"}
    risky = [(call, result) for call, result in wanted if call.tool.name != "access_knowledge_base"]
    assert len(risky) > len(PROMPTS) / 2, "else little was shown: the model does call these"
    assert all(isinstance(result.error, Denied) for _, result in risky)
    desk, allowed = Approvals(Policy.read(POLICY), ask=lambda pending: EVA), Reached()
    clerk = guarded(CLERK, allowed, approvals=desk)
    for call, _ in risky:
        Ledger().run(clerk[call.tool.name], call.arguments)
    assert len(allowed) == len(risky), "with the right, the very same calls are made"


def test_agent_framework_asks_before_it_executes(endpoint, reached):
    from agent_framework import Agent

    from labkit.operate.access_guard import AccessGuard

    def lookup_order_status(order_id: str) -> str:
        """Look up where a customer's order is."""
        reached.append(order_id)
        return "on its way"

    async def ask(caller: Caller) -> AccessGuard:
        guard = AccessGuard(access(caller))
        agent = Agent(client=endpoint.chat_client(), tools=[lookup_order_status], middleware=[guard])
        await agent.run("Where is order 1001?")
        return guard

    refused = asyncio.run(ask(VISITOR)).refused
    assert reached == [] and [type(one) for one in refused] == [Denied]
    assert asyncio.run(ask(CLERK)).refused == [] and reached == ["1001"]


# -- data ---------------------------------------------------------------------------------------------------------------


def test_a_role_sees_its_own_data_only(reached):
    tools = guarded(Caller("C-101", "customer"), reached)
    assert tools["lookup_customer"].function(customer_id="C-101")["id"] == "C-101"
    for other in (
        "C-102",
        "c-101",
        " C-101",
        "C-101 ",
        "C-101:x",
        "*",
        "",
        "C-10[1]",
        "C-101\n",
        101,
        True,
        None,
        ["C-101"],
    ):
        with pytest.raises(OutOfScope):
            tools["lookup_customer"].function(customer_id=other)
    with pytest.raises(OutOfScope):
        tools["lookup_customer"].function()
    assert len(reached) == 1


@pytest.mark.parametrize("name", ["*", "C-10?", "[C]-101", "C-1*"])
def test_a_name_is_no_pattern(reached, name):
    with pytest.raises(OutOfScope):
        guarded(Caller(name, "customer"), reached)["lookup_customer"].function(customer_id="C-101")


def test_an_unknown_role_has_no_rights(reached):
    for tool in guarded(Caller("x", "admin"), reached).values():
        with pytest.raises(Denied):
            tool.function()
    with pytest.raises(Denied):
        access(CLERK).check("drop_table", {})


def test_rights_are_inherited_and_not_the_other_way():
    policy = Policy.read(POLICY)
    assert policy.rights("visitor").tools < policy.rights("clerk").tools == policy.rights("supervisor").tools
    assert "order:*" in policy.rights("supervisor").data and policy.rights("nobody").tools == frozenset()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[roles.a]\ninherits = ["b"]\n[roles.b]\ninherits = ["c"]\n[roles.c]\ninherits = ["a"]', "circle"),
        ('[roles.a]\ninherits = ["a"]', "circle"),
        ('[roles.a]\ninherits = ["z"]', "'z'"),
        ('[roles.a]\ntools = ["z"]', "'z'"),
        ("[tools.t]\nrisk = true", "risk"),
        ('[tools.t]\nrisky = "false"', "risky"),
        ("[tools.t]\nrisky = true", "approvers"),
        ('[tools.t]\ndata = ["x:{a.b}"]', "template"),
        ('[tools.t]\ndata = ["x:{a"]', "template"),
        ("[roles.a]\ntools = [1]", "tools"),
        ("[role.a]", "role"),
        ("roles = 3", "roles"),
        ("= = =", "TOML"),
    ],
)
def test_a_policy_that_does_not_mean_one_thing_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        Policy.read(text)


def test_the_course_policy_covers_the_desk():
    policy = Policy.load()
    assert set(policy.tools) == {as_tool(one).name for one in Desk().tools()}
    assert set(policy.rights("supervisor").tools) == set(policy.tools)


# -- approval -----------------------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_yes_holds_once_for_exactly_this_call(reached):
    desk = Approvals(Policy.read(POLICY))
    refund = guarded(CLERK, reached, approvals=desk)["refund_order"].function
    with pytest.raises(NotApproved):
        refund(order_id="1001")
    (pending,) = desk.waiting()
    desk.approve(pending.id, EVA)
    with pytest.raises(NotApproved):
        refund(order_id="1002")  # another call
    bob = guarded(Caller("bob", "clerk"), reached, approvals=desk)["refund_order"].function
    with pytest.raises(NotApproved):
        bob(order_id="1001")  # another caller
    assert reached == [] and refund(order_id="1001") == "refunded"
    with pytest.raises(NotApproved):
        refund(order_id="1001")  # the yes is spent
    assert reached == [("refund_order", {"order_id": "1001"})]


def test_a_yes_expires(reached):
    clock = Clock()
    desk = Approvals(Policy.read(POLICY), seconds=60, clock=clock)
    refund = guarded(CLERK, reached, approvals=desk)["refund_order"].function
    with pytest.raises(NotApproved):
        refund(order_id="1001")
    desk.approve(desk.waiting()[0].id, EVA)
    clock.now = 60.0
    with pytest.raises(NotApproved):
        refund(order_id="1001")
    (pending,) = desk.waiting()
    clock.now = 120.0
    with pytest.raises(NotApproved, match="waits"):
        desk.approve(pending.id, EVA)  # the question expires as well
    assert reached == []


def test_a_clock_that_is_set_back_makes_no_yes_hold_for_longer(reached):
    clock = Clock()
    clock.now = 100_000.0
    desk = Approvals(Policy.read(POLICY), seconds=60, clock=clock)
    refund = guarded(CLERK, reached, approvals=desk)["refund_order"].function
    with pytest.raises(NotApproved):
        refund(order_id="1001")
    desk.approve(desk.waiting()[0].id, EVA)
    clock.now = 5.0
    assert desk.waiting() == []
    clock.now = 65.0
    with pytest.raises(NotApproved):
        refund(order_id="1001")
    assert reached == []


def test_who_may_say_yes(reached, tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    desk = Approvals(Policy.read(POLICY), audit=log)
    for caller in (CLERK, EVA):
        with pytest.raises(NotApproved):
            guarded(caller, reached, approvals=desk)["refund_order"].function(order_id="1001")
    first, second = desk.waiting()
    for pending, by in ((first, Caller("bob", "clerk")), (first, VISITOR), (second, EVA), (first, CLERK)):
        with pytest.raises(NotApproved, match="cannot approve"):
            desk.approve(pending.id, by)
    desk.refuse(first.id, EVA)
    assert [one.id for one in desk.waiting()] == [second.id]
    events = [json.loads(line)["event"] for line in log.file.read_bytes().splitlines()]
    assert events == ["approval.asked"] * 2 + ["approval.invalid"] * 4 + ["approval.refused"]


def test_arguments_cannot_be_swapped_while_a_person_thinks(reached):
    given = {"order_id": "1001"}

    def ask(pending):
        given["order_id"] = pending.arguments["order_id"] = "9999"
        return EVA

    desk = Approvals(Policy.read(POLICY), ask=ask)
    one = access(CLERK, approvals=desk)
    assert one.check("refund_order", given) == {"order_id": "1001"}


def test_an_agent_that_asks_in_a_loop_fills_no_memory(reached):
    desk = Approvals(Policy.read(POLICY))
    refund = guarded(CLERK, reached, approvals=desk)["refund_order"].function
    for number in range(300):
        with pytest.raises(NotApproved):
            refund(order_id=str(number % 150))
    assert len(desk.waiting()) == 100


# -- the record ---------------------------------------------------------------------------------------------------------


def test_every_decision_and_its_end_are_recorded(reached, tmp_path):
    log = AuditLog(tmp_path / "audit.jsonl")
    tools = guarded(CLERK, reached, audit=log)
    tools["lookup_order_status"].function(order_id="1001")
    with pytest.raises(LabkitError):
        tools["lookup_order_status"].function(order_id="none")
    with pytest.raises(NotApproved):
        tools["refund_order"].function(order_id="1001")
    with pytest.raises(BadCall):
        tools["create_ticket"].function(issue=object())
    entries = [json.loads(line) for line in log.file.read_bytes().splitlines()]
    seen = [(one["event"], one["facts"].get("kind")) for one in entries]
    denied = [("tool.denied", "NotApproved"), ("tool.denied", "BadCall")]
    assert seen == [
        ("tool.allowed", None),
        ("tool.done", None),
        ("tool.allowed", None),
        ("tool.failed", "CourseError"),
        *denied,
    ]
    assert "1001" not in log.file.read_text(), "arguments are content, and were not asked for"


def test_what_cannot_be_recorded_is_not_done(reached, tmp_path):
    class Full(AuditLog):
        def append(self, event, **facts):
            raise NoSpace("No room for the audit log.")

    tools = guarded(CLERK, reached, audit=Full(tmp_path / "audit.jsonl"))
    with pytest.raises(NoSpace):
        tools["create_ticket"].function(issue="x")
    assert reached == []


def test_an_async_tool_is_recorded_to_its_end(tmp_path):
    async def create_ticket(issue: str) -> str:
        """Open a ticket."""
        await asyncio.sleep(0)
        return issue.upper()

    log = AuditLog(tmp_path / "audit.jsonl")
    result = Ledger().run(access(CLERK, audit=log).guard(create_ticket), {"issue": "a"})
    assert result.value == "A"
    assert [json.loads(line)["event"] for line in log.file.read_bytes().splitlines()] == ["tool.allowed", "tool.done"]
