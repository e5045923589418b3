"""Checkpoints as JSON: every pattern is saved and resumed on the real engine; what can't be saved or read is said."""

import asyncio
import inspect
import json

import pytest
from agent_framework import CheckpointStorage, Content, Message, WorkflowCheckpoint, tool
from agent_framework_orchestrations import (
    ConcurrentBuilder,
    GroupChatBuilder,
    HandoffBuilder,
    MagenticBuilder,
    SequentialBuilder,
)

from labkit.agents.desk import Desk
from labkit.errors import CheckpointError
from labkit.orchestration import Team, checkpoints
from labkit.orchestration.checkpoint import FORMAT
from labkit.orchestration.encoding import KNOWN, decode, encode
from labkit.orchestration.manager import Held

WHERE = "Where is my order 1002?"
NAMES = ["orders", "devices"]
SHORT = {
    "task_ledger_facts_prompt": "{task} Which facts?",
    "task_ledger_plan_prompt": "Plan. {team}",
    "task_ledger_full_prompt": "{task} {plan}",
}


@pytest.fixture
def desk():
    with_desk = Desk()
    yield with_desk
    with_desk.close()


def two(team, desk):
    return [
        team.member("orders", "Says where an order is.", [desk.lookup_order_status], max_tokens=8),
        team.member("devices", "Lamps that do not work.", [desk.run_diagnostics], max_tokens=8),
    ]


def chair(team):
    return team.member("chair", "You lead.", middleware=[Held(NAMES)], max_tokens=8)


def sequential(team, desk, storage):
    return SequentialBuilder(name="run", participants=two(team, desk), checkpoint_storage=storage).build()


def concurrent(team, desk, storage):
    return ConcurrentBuilder(participants=two(team, desk), checkpoint_storage=storage).build()


def handoff(team, desk, storage):
    front, orders = team.member("front", "You pass customers on."), two(team, desk)[0]
    builder = HandoffBuilder(name="run", participants=[front, orders], checkpoint_storage=storage)
    return builder.with_start_agent(front).add_handoff(front, [orders]).build()


def group(team, desk, storage):
    return GroupChatBuilder(
        participants=two(team, desk), orchestrator_agent=chair(team), max_rounds=1, checkpoint_storage=storage
    ).build()


def magentic(team, desk, storage):
    return MagenticBuilder(
        participants=two(team, desk), manager_agent=chair(team), max_round_count=1, max_reset_count=1,
        checkpoint_storage=storage, enable_plan_review=True, **SHORT,
    ).build()  # fmt: skip


def risky(team, desk, storage):
    ticket = tool(desk.create_ticket, approval_mode="always_require")
    member = team.member("tickets", "You open tickets.", [ticket], must="create_ticket", max_tokens=8)
    return SequentialBuilder(name="run", participants=[member], checkpoint_storage=storage).build()


def new_team(endpoint, build):
    return Team(endpoint, hub="chair" if build in (group, magentic) else "")


def same(one, other):
    """Whether two values have the same attributes all the way down, but for what the server literally answered."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) not in KNOWN.values():
        return one == other
    names = getattr(one, "__dict__", None) or one.__dataclass_fields__
    return all(same(getattr(one, name), getattr(other, name)) for name in names if name != "raw_representation")


class Seen:
    """What goes into a storage, beside what it gives back."""

    def __init__(self, storage):
        self.storage, self.pairs, self.saved = storage, [], 0
        self.load = storage.load

    async def save(self, checkpoint):
        self.saved += 1
        await self.storage.save(checkpoint)
        self.pairs.append((checkpoint, await self.storage.load(checkpoint.checkpoint_id)))
        assert same(*self.pairs[-1])
        return checkpoint.checkpoint_id


def test_it_has_every_method_of_the_frameworks_storage(tmp_path):
    storage = checkpoints(tmp_path)
    for name, method in inspect.getmembers(CheckpointStorage, inspect.iscoroutinefunction):
        ours = inspect.signature(getattr(storage, name)).parameters
        assert list(ours) == list(inspect.signature(method).parameters)[1:], name


@pytest.mark.parametrize("build", [sequential, concurrent, handoff, group, risky])
def test_what_is_read_is_what_was_written_and_any_step_can_be_resumed(endpoint, desk, tmp_path, build):
    storage = Seen(checkpoints(tmp_path))

    async def run_and_resume():
        team = new_team(endpoint, build)
        first = await team.run(build(team, desk, storage), "Open a ticket: my lamp broke." if build is risky else WHERE)
        pairs, middle = list(storage.pairs), storage.pairs[1][0]
        assert len(pairs) == storage.saved >= 3  # the framework only logs it when one can't be saved
        fresh = new_team(endpoint, build)
        again = await fresh.run(build(fresh, desk, storage), checkpoint_id=middle.checkpoint_id)
        return first, again, len(pairs)

    first, again, steps = asyncio.run(run_and_resume())
    assert (again.text, len(again.waiting)) == (first.text, len(first.waiting))
    assert len(again.hops) <= len(first.hops)
    files = list(tmp_path.glob("*.json"))
    assert len(files) >= steps and not any("pickle" in one.read_text("ascii") for one in files)
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_an_approval_that_waits_survives_and_the_ticket_is_opened_once(endpoint, desk, tmp_path):
    storage, before = checkpoints(tmp_path), len(desk.tickets())

    async def ask_then_answer_elsewhere():
        team = Team(endpoint)
        await team.run(risky(team, desk, storage), "Open a ticket: my lamp is broken.")
        saved = await checkpoints(tmp_path).get_latest(workflow_name="run")
        fresh = Team(endpoint)
        workflow = risky(fresh, desk, storage)
        paused = await fresh.run(workflow, checkpoint_id=saved.checkpoint_id)
        assert not paused.hops and len(desk.tickets()) == before
        yes = {number: request.to_function_approval_response(True) for number, request in paused.waiting.items()}
        return await fresh.run(workflow, responses=yes)

    assert not asyncio.run(ask_then_answer_elsewhere()).waiting
    assert len(desk.tickets()) == before + 1


def test_magentics_plan_that_waits_for_a_person_is_approved_elsewhere(endpoint, desk, tmp_path):
    storage = Seen(checkpoints(tmp_path))

    async def plan_then_approve_elsewhere():
        team = new_team(endpoint, magentic)
        await team.run(magentic(team, desk, storage), WHERE)
        saved = storage.pairs[-1][1]
        fresh = new_team(endpoint, magentic)
        workflow = magentic(fresh, desk, storage)
        paused = await fresh.run(workflow, checkpoint_id=saved.checkpoint_id)
        ((number, request),) = paused.waiting.items()
        assert not paused.hops and request.plan.text
        return saved, request, await fresh.run(workflow, responses={number: request.approve()})

    saved, request, outcome = asyncio.run(plan_then_approve_elsewhere())
    (event,) = saved.pending_request_info_events.values()
    assert event.request_type is type(request)
    assert not outcome.waiting and "chair" in {one.agent for one in outcome.hops}
    assert len(storage.pairs) == storage.saved >= 3


@pytest.mark.parametrize("where", ["another process", "the same storage"])
def test_a_call_of_a_step_that_was_cut_short_is_not_made_again(endpoint, desk, tmp_path, where):
    before, storage = len(desk.tickets()), checkpoints(tmp_path)

    def build(team, held, most):
        member = team.member(
            "tickets", "You open tickets.", [desk.create_ticket], must="create_ticket", max_tokens=most
        )
        return SequentialBuilder(name="run", participants=[member], checkpoint_storage=held).build()

    async def cut_then_resume():
        team = Team(endpoint, calls=storage.calls)
        going = asyncio.create_task(team.run(build(team, storage, 300), "Open a ticket: my lamp is broken."))
        while len(desk.tickets()) == before:
            await asyncio.sleep(0.01)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        again = checkpoints(tmp_path) if where == "another process" else storage
        latest = await again.get_latest(workflow_name="run")
        fresh = Team(endpoint, calls=again.calls)
        first = await fresh.run(build(fresh, again, 8), checkpoint_id=latest.checkpoint_id)
        new = Team(endpoint, calls=again.calls)
        return first, await new.run(build(new, again, 8), "Open a ticket: my kettle leaks.")

    resumed, later = asyncio.run(cut_then_resume())
    assert [name for name, _ in resumed.calls] == ["create_ticket"] and [name for name, _ in later.calls] == [
        "create_ticket"
    ]
    assert len(desk.tickets()) == before + 2, (
        "once for the first request, although it ran twice, and once for the second"
    )
    assert "lamp" in " ".join(storage.calls.begun), "what may have happened stays in doubt"


def test_a_damaged_list_of_calls_is_no_empty_one(tmp_path):
    (tmp_path / "calls.list").write_text('["create_ticket(')
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints(tmp_path)


@pytest.fixture
def saved(tmp_path):
    """A storage with one checkpoint, and its file."""
    storage = checkpoints(tmp_path)
    kept = WorkflowCheckpoint(
        "run", "hash", state={"said": [Message("user", ["\U0001f4a1 and \ud800"])], "$": {"n": 1.5}}
    )
    asyncio.run(storage.save(kept))
    (file,) = tmp_path.glob("*.json")
    return storage, kept, file


def test_odd_text_and_a_key_of_ours_come_back(saved):
    storage, kept, _ = saved
    assert same(kept, asyncio.run(storage.load(kept.checkpoint_id)))
    assert asyncio.run(storage.list_checkpoint_ids(workflow_name="run")) == [kept.checkpoint_id]
    assert asyncio.run(storage.list_checkpoints(workflow_name="other")) == []
    assert asyncio.run(storage.delete(kept.checkpoint_id)) and not asyncio.run(storage.delete(kept.checkpoint_id))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        asyncio.run(storage.load(kept.checkpoint_id))


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda text: text[: len(text) // 2], "only the first part"),
        (lambda text: "", "no JSON"),
        (lambda text: "[" * 100_000, "no JSON"),
        (lambda text: text.replace('"n":1.5', '"n":2.5'), "checksum"),
        (lambda text: text.replace(FORMAT, "labkit checkpoint 9"), "something else wrote it"),
        (lambda text: '{"workflow_name": "run", "state": {"__pickled__": "gASVAA=="}}', "something else wrote it"),
        (lambda text: "[]", "something else wrote it"),
    ],
)
def test_a_damaged_or_foreign_file_is_named_and_never_skipped(saved, damage, why):
    storage, _, file = saved
    file.write_text(damage(file.read_text("ascii")), "ascii")
    with pytest.raises(CheckpointError, match=why) as caught:
        asyncio.run(storage.get_latest(workflow_name="run"))
    assert str(file) in caught.value.what and str(file) in caught.value.fix


@pytest.mark.parametrize("held", [{"$": "Popen", "args": ["true"]}, {"$": "Message", "rôle": "x"}, {"$": "type", "name": "os"},
                                  {"$": []}, {"$": "dict"}])  # fmt: skip
def test_a_well_formed_file_of_other_classes_is_refused(saved, held):
    """Somebody who knows the format can write the checksum, too; then still only what is on the list is built."""
    from labkit.orchestration.checkpoint import _digest, _text

    storage, kept, file = saved
    inner = encode(kept) | {"state": {"x": held}}
    file.write_text(json.dumps({"format": FORMAT, "sha256": _digest(_text(inner)), "checkpoint": inner}))
    with pytest.raises(CheckpointError, match="does not know"):
        asyncio.run(storage.load(kept.checkpoint_id))


def circle():
    found = []
    found.append(found)
    return found


@pytest.mark.parametrize("value", [object(), {1: "one"}, (1, 2), b"x", float("nan"), {1}, OSError(), OSError, circle()])
def test_a_state_that_is_no_json_is_refused_and_no_older_step_is_given_instead(saved, value):
    storage, _, file = saved
    worse = WorkflowCheckpoint("run", "hash", state={"notes": {"mine": value}})
    with pytest.warns(UserWarning, match="cannot be saved"), pytest.raises(CheckpointError) as caught:
        asyncio.run(storage.save(worse))
    assert "checkpoint.state.notes.mine" in caught.value.why or "holds itself" in caught.value.why
    with pytest.raises(CheckpointError, match="cannot be saved"):
        asyncio.run(storage.get_latest(workflow_name="run"))
    assert set(file.parent.glob("*.json")) == {file}
    asyncio.run(storage.save(WorkflowCheckpoint("run", "hash")))
    assert asyncio.run(storage.get_latest(workflow_name="run")).state == {}


@pytest.mark.parametrize("name", ["../run", "a/b", "", ".", "x" * 81])
def test_an_id_leads_nowhere_else(tmp_path, name):
    with pytest.raises(CheckpointError, match="no checkpoint's id"):
        asyncio.run(checkpoints(tmp_path).load(name))


def test_a_run_says_what_is_wrong_with_its_checkpoint(endpoint, desk, saved):
    storage, kept, file = saved
    file.write_text("{")
    team = Team(endpoint)
    with pytest.raises(CheckpointError, match="can be read"):
        asyncio.run(team.run(sequential(team, desk, storage), checkpoint_id=kept.checkpoint_id))


def test_every_argument_of_a_known_class_is_an_attribute_of_its_objects():
    call = Content.from_function_call("1", "look", arguments={"a": 1}, additional_properties={"b": [None]})
    back = decode(encode(Message("assistant", [call], author_name="me", message_id="7")))
    assert same(back, Message("assistant", [call], author_name="me", message_id="7"))
