"""Rules, classifier, model: each stage answers or passes on and says why; what may not leave is asked of nobody elsewhere."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.agents.hybrid import Answer, Request, Router, by_margin
from labkit.agents.router import Cascade, Stage, by_examples, by_keywords
from labkit.agents.routing_set import items
from labkit.errors import EngineDied

LABELS = ("delivery", "payment", "product")
RULES = by_keywords({"invoice": "payment", "parcel": "delivery", "charged twice": "payment"})


def says(value, confidence=1.0):
    """An answerer that always gives this, and keeps what it was asked."""

    def answer(request):
        answer.asked.append(request.text)
        return Answer(value, confidence)

    answer.asked = []
    return answer


def test_rules_answer_only_where_they_agree():
    def value(text, options=LABELS):
        return RULES(Request(text, options)).value

    assert value("My INVOICE, please.") == "payment" and value("I was charged twice!") == "payment"
    assert value("Invoice for the parcel?") is None, "two rules that disagree"
    assert value("Something else.") is None and value("invoices") is None and value("invoice", ("yes", "no")) is None


def test_the_first_stage_that_is_sure_answers_and_no_later_one_is_asked():
    later = says("product")
    routed = Cascade([Stage("rules", RULES), Stage("later", later)])(Request("My invoice, please.", LABELS))
    assert (routed.value, routed.by, len(routed.hops)) == ("payment", "rules", 1) and not later.asked


def test_every_hop_says_why_it_passed_on():
    def broken(request):
        raise EngineDied("it is gone", "", "")

    stages = [Stage("rules", RULES), Stage("unsure", says("payment", 0.2), 0.5), Stage("wrong", says("weather")),
              Stage("broken", broken), Stage("sure", says("product", 0.9), 0.5)]  # fmt: skip
    routed = Cascade(stages)(Request("It smells odd.", LABELS))
    assert (routed.value, routed.by) == ("product", "sure")
    assert [hop.reason for hop in routed.hops] == [
        "It has nothing to say.",
        "payment: confidence 0.20 is below 0.50.",
        "It says 'weather', which is none of the options.",
        "It failed: EngineDied.",
        "product: confidence 0.90 is enough.",
    ]
    assert json.loads(json.dumps(routed.to_dict(), allow_nan=False))["hops"][0]["confidence"] is None
    assert "It smells odd" not in str(routed) + json.dumps(routed.to_dict()), "a log is a way out, too"


def test_a_stage_that_breaks_in_an_unknown_way_is_not_passed_over():
    with pytest.raises(ZeroDivisionError):
        Cascade([Stage("broken", lambda request: Answer("payment", 1 / 0))])(Request("x", LABELS))


def test_where_no_stage_answers_a_person_must():
    routed = Cascade([Stage("unsure", says("payment", 0.2), 0.5)])(Request("x", LABELS))
    assert (routed.value, routed.by) == (None, "nobody")
    assert Cascade([])(Request("x", LABELS)).by == "nobody"


@given(st.booleans(), st.sampled_from([True, False, None, 1]), st.sampled_from([True, False, 1]), st.booleans())
def test_nothing_leaves_unless_every_rule_allows_it(private, cascade_rule, router_rule, sure):
    elsewhere, big = says(None), says("product")
    router = Router(says("payment", 2.0 if sure else 0.1), big, 1.0, lambda request: router_rule)
    cascade = Cascade([Stage("elsewhere", elsewhere, leaves=True)], router, lambda request: cascade_rule)
    routed = cascade(Request("My card is 1234.", LABELS, private=private))
    assert bool(elsewhere.asked) == (cascade_rule is True)
    assert bool(big.asked) == (cascade_rule is True and router_rule is True and not sure)
    assert routed.value == ("product" if big.asked else "payment") and routed.by == "model"
    default = Cascade([Stage("elsewhere", elsewhere, leaves=True)], Router(says("payment", 0.1), big, 1.0))
    elsewhere.asked.clear(), big.asked.clear()
    hops = default(Request("My card is 1234.", LABELS, private=private)).hops
    assert bool(elsewhere.asked) == bool(big.asked) == (not private)
    assert ("may not leave" in hops[0].reason) == ("may not leave" in hops[1].reason) == private


def test_the_classifier_beats_chance_on_requests_it_never_saw_and_knows_when_it_knows_nothing():
    classify, rows = by_examples(), []
    for item in items("kept"):
        answer = classify(item.request)
        assert answer.value in item.request.options and 0 <= answer.confidence <= 2
        rows.append((answer.confidence, answer.value == item.right))
    chance = sum(1 / len(item.request.options) for item in items("kept"))
    assert sum(right for _, right in rows) > 1.2 * chance
    surest = sorted(rows, reverse=True)[: len(rows) // 8]
    assert sum(right for _, right in surest) > len(surest) / 2
    assert classify(Request("xyzzy qwrt", ("qqq", "www"))).value is None
    assert (
        classify(Request("Where is my parcel?", LABELS, examples=(("My parcel is lost", "delivery"),))).value
        == "delivery"
    )


def test_on_the_real_model_doubt_goes_on_to_it_and_private_doubt_stays(endpoint):
    big = says("product", math.inf)
    cascade = Cascade(
        [Stage("rules", RULES), Stage("words", by_examples(), 9.0)], Router(by_margin(endpoint), big, math.inf)
    )
    examples = (("Where is my parcel?", "delivery"), ("You charged me twice.", "payment"), ("It leaks.", "product"))
    private = cascade(Request("The lamp I bought is broken.", LABELS, "Sort the message.", examples, private=True))
    assert private.value in LABELS and not big.asked and "The request may not leave." in private.hops[-1].reason
    free = cascade(Request("The lamp I bought is broken.", LABELS, "Sort the message.", examples))
    assert (free.value, free.hops[-1].by) == ("product", "big") and big.asked == ["The lamp I bought is broken."]
    assert [hop.stage for hop in free.hops] == ["rules", "words", "model"]
