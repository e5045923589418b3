"""The answer comes from the tool's result, not from the worked examples in front of it: asked of the real model."""

import pytest

from labkit import tools
from labkit.agents.desk import Desk
from labkit.tools.prompt import ANSWERED, answer_messages

WORKED = [one["content"] for one in ANSWERED if one["role"] == "assistant"]


@pytest.mark.parametrize(
    "request_text", ["Where is order 1002?", "Look up customer C-101.", "Run diagnostics on lamp-3."]
)
def test_the_answer_is_not_an_example_said_again(endpoint, request_text):
    answer = tools.answer(endpoint, request_text, Desk().tools())
    assert answer.decision.calls and answer.text not in WORKED
    said = answer.text.casefold()
    assert any(str(value).casefold() in said for value in answer.results[0].value.values() if isinstance(value, str))


def test_a_record_goes_in_as_words():
    asked = answer_messages("Where?", ['{"order_id": "1", "open": true}'])
    assert asked[-1]["content"] == "Question: Where?\nInformation: order id: 1, open: true"
    assert [one["role"] for one in asked] == ["user", "assistant"] * 3 + ["user"]
