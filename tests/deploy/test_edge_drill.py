"""The partition drill for real, short; and that its account would see what it says did not happen."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from labkit.agents.hybrid import Request
from labkit.deploy.edge.account import account
from labkit.deploy.edge.device import Device, request_of
from labkit.deploy.edge.drill import drill
from labkit.deploy.edge.forward import Forwarder
from labkit.deploy.edge.layout import example, layout
from labkit.deploy.edge.link import Links
from labkit.deploy.edge.outbox import Outbox
from labkit.deploy.edge.peers import Peers, least_waiting
from labkit.deploy.edge.receiver import Inbox
from labkit.deploy.edge.wire import Place
from labkit.deploy.manifest import Manifest, load
from labkit.errors import ConfigError, Refused
from labkit.paths import data_dir

EDGE = data_dir() / "edge.yaml"


@pytest.fixture(scope="module")
def report(endpoint):
    return drill(load(EDGE), endpoint, seconds=2.0, per_second=1.0)


def test_an_offline_and_killed_device_loses_nothing_and_sends_nothing_private(report):
    assert report["ok"], report["problems"]
    total, cloud = report["total"], report["cloud"]
    assert total["lost"] == total["unanswered"] == total["waiting"] == total["private_sent"] == cloud["twice"] == 0
    by = ("answered_locally", "answered_by_peer", "answered_by_cloud", "nobody_sure")
    assert sum(total[name] for name in by) == total["accepted"]
    assert total["private_kept"] == total["private"] > 0 and total["stored"] == total["forwarded"] == cloud["effects"]


def test_the_drill_had_what_it_is_about(report):
    assert report["accepted_offline"] and report["stored_when_back"] and report["answers_lost"] == 2
    assert report["cloud"]["duplicates"] == report["cloud"]["received"] - report["cloud"]["effects"] > 0
    assert report["total"]["asked_a_peer"] and report["private_waited"]
    assert report["models"] == {"edge-1": ["phi-4-mini"], "edge-2": ["qwen2.5-coder-0.5b"], "cloud": ["phi-4"]}
    assert {"edge-1 to edge-2", "edge-2 to cloud"} <= report["links"].keys()


# -- the account sees what went wrong -------------------------------------------------------------------------------------


@pytest.fixture
def ended(tmp_path):
    """What a drill leaves behind: a device with one private and one forwarded request, and the cloud tier's file."""
    box, inbox = Outbox(tmp_path / "edge-1.sqlite"), Inbox(tmp_path / "cloud.sqlite")
    box.accept("secret", "body private-1", True)
    box.answer("secret", "x", "small", first="small")
    box.accept("plain", "body", False)
    box.put("plain", "call")
    for _ in range(2):
        inbox.arrived("plain")
    inbox.keep("plain", "asked", "answer")
    box.sent("plain", "x")
    box.answer("plain", "y", "small", first="edge-2")
    who = SimpleNamespace(devices=["edge-1", "edge-2"], peers={"edge-1": ["edge-2"]})
    site = SimpleNamespace(
        file=lambda name: tmp_path / f"{name}.sqlite",
        who=who,
        links=SimpleNamespace(all={"a": SimpleNamespace(seen=0)}),
    )
    client = SimpleNamespace(accepted={"secret": True, "plain": False}, asked_again=0)
    facts = {"accepted_offline": 2, "stored_when_back": 1, "answers_lost": 1, "private_waited": True}
    yield SimpleNamespace(box=box, inbox=inbox, site=site, client=client, facts=facts)
    box.close()
    inbox.close()


def problems(ended):
    return account(ended.facts, ended.site, {"edge-1": ended.client}, "private-1")["problems"]


def test_nothing_wrong_is_no_problem(ended):
    assert problems(ended) == []


def test_a_request_that_is_gone_is_lost_and_one_without_answer_is_named(ended):
    ended.client.accepted["gone"] = False
    ended.box.accept("open", "body", False)
    ended.client.accepted["open"] = False
    assert problems(ended) == ["1 accepted requests lost", "1 accepted requests have no answer"]


def test_what_waits_or_is_refused_for_ever_is_named(ended):
    for id in ("late", "bad"):
        ended.box.accept(id, "body", False)
        ended.box.put(id, "call")
        ended.box.answer(id, "x", "small")
        ended.client.accepted[id] = False
    ended.box.failed("bad", "400", dead=True)
    assert problems(ended) == ["1 stored requests were not forwarded", "the cloud refused 1 for ever"]


def test_a_private_request_on_the_wire_or_at_the_cloud_is_named(ended):
    ended.site.links.all["a"].seen = 1
    ended.inbox.arrived("secret")
    ended.inbox.keep("other", "asked", "answer to private-1")
    said = problems(ended)
    assert said[0].startswith("private requests left their device 3 times") and len(said) == 2  # and the ledgers differ


def test_an_effect_that_happened_twice_is_named(ended):
    ended.inbox._database.execute("INSERT INTO ledger VALUES ('plain')")
    assert problems(ended)[0] == "1 requests had their effect twice"


@pytest.mark.parametrize("name", ["accepted_offline", "stored_when_back", "answers_lost", "private_waited"])
def test_a_drill_in_which_it_did_not_happen_is_not_well(ended, name):
    ended.facts[name] = 0
    assert len(problems(ended)) == 1


# -- the parts ------------------------------------------------------------------------------------------------------------


def test_least_waiting_is_asked_first_and_of_equals_the_device_itself():
    assert least_waiting({"b": 1, "a": 0, "me": 0}, "me") == ["me", "a", "b"]
    assert least_waiting({"b": 1, "a": 0, "me": 2}, "me") == ["a", "b", "me"]


def test_a_request_says_whether_it_is_private_or_is_none():
    good = {"text": "Where?", "options": ["a", "b"], "private": True}
    assert request_of(good) == Request("Where?", ("a", "b"), private=True)
    changes = ({"private": "no"}, {"private": None}, {"text": 1}, {"options": ["a"]}, {"options": [1, 2]}, {"more": 1})
    for change in changes:
        with pytest.raises(Refused):
            request_of({**good, **change})
    for bad in ({"text": "Where?", "options": ["a", "b"]}, [], None, "text"):
        with pytest.raises(Refused):
            request_of(bad)


def test_the_modules_example_says_who_is_where_and_who_steps_in():
    found = layout(load(EDGE))
    assert found.agents["edge-2"] == ["technical-support", "documentation"]
    assert found.peers == {"edge-1": ["edge-2"], "edge-2": ["edge-1"]}
    assert layout(example(3)).peers["edge-2"] == ["edge-3", "edge-1"]


@pytest.mark.parametrize("devices", [1, 9])
def test_an_edge_of_one_device_or_of_too_many_is_refused(devices):
    with pytest.raises(ConfigError, match=f"{devices} devices"):
        layout(example(devices))


def test_a_device_without_an_agent_and_one_with_a_reserved_name_are_refused():
    plain = example(2).model_dump()
    plain["agents"].pop()
    with pytest.raises(ConfigError, match="No agent can be on edge-2"):
        layout(Manifest.model_validate(plain))
    named = json.loads(json.dumps(example(2).model_dump()).replace('"edge-2"', '"big"'))
    with pytest.raises(ConfigError, match="No agent can be on big"):
        layout(Manifest.model_validate(named))


@pytest.fixture
def device(endpoint, tmp_path):
    """A device whose engine is down: nobody listens at its address. Its peer is a link that leads nowhere, and counts who comes."""
    _ = endpoint.capabilities
    box = Outbox(tmp_path / "edge-1.sqlite")
    with Links() as links:
        link = links.open("edge-1 to edge-2", 9)
        engine = replace(endpoint, base_url="http://127.0.0.1:9/v1", process=None, on_close=None)
        peers = Peers([Place("edge-2", link.address, "key")])
        forwarder = Forwarder(box, Place("cloud", "http://127.0.0.1:9", "key"), endpoint.model)
        made = Device("edge-1", engine, box, peers, forwarder, 4.0, ["service"])
        made.link = link
        yield made
    box.close()


ASKED = {"text": "Where?", "options": ["a", "b"]}


def test_a_device_takes_requests_for_its_own_agents_and_for_none_by_name(device):
    good = {**ASKED, "private": True}
    assert device.accept("1", {**good, "agent": "service"}) and device.accept("2", dict(good))
    assert not device.accept("1", {**good, "agent": "service"}), "the same again"
    with pytest.raises(Refused, match="documentation is not on edge-1"):
        device.accept("3", {**good, "agent": "documentation"})
    assert [one.private for one in device.box.all()] == [True, True]


def test_a_private_request_waits_for_its_own_engine_while_another_asks_the_peer_and_the_cloud(device):
    for id, private in (("secret", True), ("plain", False)):
        device.accept(id, {**ASKED, "private": private})
    assert device.answer("secret", request_of({**ASKED, "private": True})) is False
    assert device.link.connections == 0 and device.box.next() is None and not device.engine_up
    device.forwarder.reachable = False
    assert device.answer("plain", request_of({**ASKED, "private": False})) is True
    assert device.link.connections > 0 and device.box.next().id == "plain"
    assert device.box.find("secret").by is None and device.box.find("plain").by == "nobody"


def test_a_private_request_from_a_peer_is_refused(device):
    with pytest.raises(Refused, match="private request came from a peer"):
        device.answer_guest(request_of({**ASKED, "private": True}))


def test_the_command_refuses_a_manifest_that_is_no_edge():
    one = Path(__file__).with_name("manifests") / "one_device.yaml"
    command = [sys.executable, "-m", "labkit.cli", "deploy", "edge-drill", str(one)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "2 to 8" in done.stderr and "Traceback" not in done.stderr
