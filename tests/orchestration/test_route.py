"""Routing in stages; the table of models by task; the choice of who has least to do."""

import threading

import pytest

from labkit.errors import OrchestrationError
from labkit.orchestration.compare import cases, tell
from labkit.orchestration.load import Pool
from labkit.orchestration.route import Router, Specialist, by_rule, by_words, specialists
from labkit.orchestration.tasks import Category, pick


class Nobody:
    def __getattr__(self, name):
        raise AssertionError("the model was asked")


def test_every_case_of_the_table_is_routed_without_the_model():
    route = Router(Nobody(), specialists())
    assert {case.text: route(case.text).to for case in cases()} == {case.text: case.right for case in cases()}
    assert {route(case.text).by for case in cases()} == {"rule", "words"}


def test_two_rules_that_match_decide_nothing():
    both = [Specialist("a", "", rules=("order",)), Specialist("b", "", rules=("lamp",), words="lamp")]
    assert by_rule("an order of a lamp", both) == ["a", "b"]
    assert Router(Nobody(), both)("an order of a lamp").by == "words"


def test_words_know_what_is_near():
    near = by_words("When does my package arrive?", specialists())
    assert max(near, key=near.get) == "orders"
    assert by_words("1002", specialists()) == dict.fromkeys(near, 0.0)


def test_the_model_chooses_between_the_two_nearest(endpoint):
    routed = Router(endpoint, specialists(), lead=9)("How long does a refund take?")
    near = by_words("How long does a refund take?", specialists())
    assert routed.by == "model" and routed.seconds > 0
    assert routed.to in sorted(near, key=near.get)[-2:]


def test_most_whole_words_win_and_a_tie_goes_to_who_can_do_more():
    table = [
        Category("lightweight", ("simple",), "qwen2.5-0.5b"),
        Category("coding", ("code", "debug"), "codellama-7b"),
        Category("rest", (), "phi-3.5-mini"),
    ]
    assert pick("Debug this simple code", table, lambda alias: True).category == "coding"
    assert pick("simple code", table, lambda alias: True).category == "coding"
    assert pick("simplest decoder", table, lambda alias: True).category == "rest"


def test_a_model_that_is_not_here_is_replaced_by_the_nearest_smaller_one_and_said():
    here = {"smollm2-135m", "qwen2.5-0.5b", "phi-4"}
    chosen = pick("complex analysis and research", here=lambda alias: alias in here)
    assert (chosen.category, chosen.wanted, chosen.model) == ("capable", "llama3.2-3b", "qwen2.5-0.5b")
    assert "llama3.2-3b is not here" in chosen.reason


def test_the_least_busy_is_taken_and_a_lease_ends_even_in_an_error():
    pool = Pool({"a": 1, "b": 2}, most=2)
    with pool.lease("a"), pool.lease("a"), pool.lease("a") as (name, member):
        assert (name, member) == ("b", 2)
        assert pool.in_flight == {"a": 2, "b": 1}
        with pool.lease(), pytest.raises(OrchestrationError, match="No room"):
            pool.choose()
    with pytest.raises(KeyError), pool.lease("b"):
        raise KeyError
    assert pool.in_flight == {"a": 0, "b": 0} and pool.served == {"a": 2, "b": 3}


def test_many_threads_never_exceed_what_a_member_takes():
    pool, seen, gate = Pool({"a": 1, "b": 2, "c": 3}, most=4), [], threading.Barrier(12)

    def work():
        with pool.lease("a"):
            gate.wait(10)
            seen.append(max(pool.in_flight.values()))
            gate.wait(10)

    threads = [threading.Thread(target=work) for _ in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    assert seen == [4] * 12 and pool.in_flight == {"a": 0, "b": 0, "c": 0}


def test_a_tool_that_tells_keeps_its_name_its_signature_and_its_error():
    from labkit.agents.desk import Desk
    from labkit.errors import CourseError
    from labkit.tools import as_tool

    desk = Desk()
    told = tell(desk.lookup_order_status)
    assert told("1002") == "Order 1002, boots, is shipped and will arrive on Thursday."
    assert as_tool(told).parameters == as_tool(desk.lookup_order_status).parameters
    assert as_tool(told).repeatable and not as_tool(tell(desk.create_ticket)).repeatable
    with pytest.raises(CourseError):
        told("9999")
