"""An agent whose engine is gone: what words decide is still answered; guards, roles and approval hold all the same."""

import pytest

from labkit.applications import Answered, Kit, application
from labkit.applications.agent import HAND_OVER, HELD
from labkit.backends.base import Endpoint
from labkit.errors import EngineDied
from labkit.operate.audit import AuditLog
from labkit.operate.policy import Caller

NAMES = ["customer_service", "business_process", "personal_assistant", "finance", "healthcare"]


@pytest.fixture
def gone() -> Endpoint:
    """Give an endpoint at a port where nobody listens."""
    return Endpoint(backend="external", base_url="http://127.0.0.1:9/v1", model="none", api_key="none", context=2048)


def test_a_request_that_words_decide_needs_no_engine(gone):
    answered = Kit.of("customer_service", gone).ask("Where is order 1002?")
    assert (answered.outcome, answered.by) == ("done", "rule")
    assert answered.call == ("lookup_order_status", {"order_id": "1002"})
    assert answered.text == "Order 1002, boots: shipped; it will arrive on Thursday."


def test_one_that_needs_the_model_fails_in_words(gone):
    answered = Kit.of("personal_assistant", gone).ask("Find the note on tulips.")
    assert answered.outcome == "failed" and isinstance(answered.error, EngineDied)
    assert "I could not do that" in answered.text


def test_what_no_tool_fits_goes_to_a_person(gone):
    assert Kit.of("finance", gone).ask("Tell me a joke.").text == HAND_OVER


def test_a_risky_call_waits_for_a_yes_and_is_made_with_one(gone):
    waits = Kit.of("customer_service", gone)
    assert waits.ask("Reset the password of customer C-102.").text == HELD
    assert [one.tool for one in waits.access.approvals.waiting()] == ["reset_password"]
    asked = Kit.of("customer_service", gone, ask=lambda pending: Caller("eva", "supervisor"))
    answered = asked.ask("Reset the password of customer C-102.")
    assert answered.outcome == "done" and "C-102" in answered.text


def test_a_role_reaches_its_own_data_and_no_other(gone):
    nurse = Kit.of("healthcare", gone)
    assert nurse.ask("Summarize the record of patient P-31.").outcome == "done"
    assert nurse.ask("Summarize the record of patient P-33.").outcome == "denied"
    doctor = Kit.of("healthcare", gone, caller=Caller("kim", "doctor"))
    assert "1990" in doctor.ask("Summarize the record of patient P-33.").text


@pytest.mark.parametrize("name", NAMES)
def test_attacks_are_caught_and_honest_requests_are_not(gone, name):
    kit = Kit.of(name, gone)
    attacks = application(name).attacks
    assert {place for place, _ in attacks} == {"input", "tool result"}
    for place, text in attacks:
        assert kit.guards.outcome(place, text).verdicts, text
    assert [item.text for item in kit.items if not kit.guards.outcome("input", item.text).ok] == []


def test_an_attack_is_blocked_before_any_tool(gone, tmp_path):
    kit = Kit.of("customer_service", gone, audit=AuditLog(tmp_path / "audit.jsonl"))
    (attack,) = [text for place, text in kit.application.attacks if place == "input"]
    assert kit.ask(attack).outcome == "blocked"
    assert not (tmp_path / "audit.jsonl").exists()
    kit.ask("Where is order 1002?")
    assert "lookup_order_status" in (tmp_path / "audit.jsonl").read_text()


def test_an_instruction_in_a_record_never_reaches_the_answer(gone):
    kit = Kit.of("business_process", gone)
    (attack,) = [text for place, text in kit.application.attacks if place == "tool result"]
    row = {**kit.application.row, "records": {**kit.application.row["records"]}}
    row["records"]["mail"] = [{"id": "M-1", "sender": "x", "priority": "high", "text": attack, "reply": ""}]
    answered = Kit(type(kit.application)("mine", row), gone).ask("Show me the mail with high priority.")
    assert "Ignore all previous" not in answered.text and answered.call == ("list_mail", {"priority": "high"})


def test_fewer_tools_make_fewer_items(gone):
    kit = Kit.of("finance", gone, only=["get_price"])
    assert [tool.name for tool in kit.tools] == ["get_price"]
    assert {item.call for item in kit.items} == {"get_price", ""}


def test_right_is_the_right_call_made_or_waiting_or_a_person_told():
    first, *_, last = application("finance").items
    nlt, oak = ("get_price", {"symbol": "NLT"}), ("get_price", {"symbol": "OAK"})
    answered = {(outcome, call and call[1]["symbol"]): Answered("", "", outcome, 0.0, call)
                for outcome in ("done", "held", "failed", "handed over") for call in (None, nlt, oak)}  # fmt: skip
    assert [key for key, one in answered.items() if one.right(first)] == [("done", "NLT"), ("held", "NLT")]
    assert {key[0] for key, one in answered.items() if one.right(last)} == {"handed over"}
