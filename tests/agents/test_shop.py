"""The shop's data hold what the lesson says of them."""

from collections import Counter

import pytest

from labkit.agents import shop
from labkit.errors import CourseError


def test_no_message_is_in_two_parts():
    texts = [m.text for part in ("example", "practice", "test") for m in shop.messages(part)]
    assert len(texts) == len(set(texts))
    assert Counter(m.about for m in shop.messages("test")) == dict.fromkeys(shop.LABELS, 10)


def test_each_label_has_one_example():
    assert sorted(m.about for m in shop.messages("example")) == sorted(shop.LABELS)


@pytest.mark.parametrize("question", shop.questions(), ids=lambda q: q.text)
def test_the_tools_of_a_question_find_its_facts(question):
    found = [
        shop.TOOLS[tool][0](key)
        for tool in question.tools
        for key in shop.named(question.text)
        if key in shop.TOOLS[tool][1]()
    ]
    assert len(found) == len(question.tools) == len(question.facts)
    assert all(fact in " ".join(found) and fact not in question.text for fact in question.facts)


def test_the_rule_is_silent_where_no_keyword_is():
    assert shop.keyword_rule("It LEAKS") == "product"
    assert shop.keyword_rule("hello") is None


def test_unknown_things_are_refused():
    for look_up in (shop.find_order, shop.find_price):
        with pytest.raises(CourseError, match="has no 'x'"):
            look_up("x")
