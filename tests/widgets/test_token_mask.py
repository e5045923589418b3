"""A mask allows just what can still become valid: on the bundled model's vocabulary, and on one small enough to think through."""

import json

import pytest

from labkit import catalog, weights
from labkit.errors import BadTool
from labkit.widgets.token_mask import Vocabulary, mask_scene, masks, token_mask, vocabulary

TRIP = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Ljubljana", "London", "Paris"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
DONE = '{"city": "London", "days": 7}'


@pytest.fixture(scope="module")
def real():
    return vocabulary(weights.ensure(catalog.default_model()))


@pytest.fixture(scope="module")
def bytewise():
    """A vocabulary of single bytes, and one control token."""
    return Vocabulary((*(bytes([n]) for n in range(256)), b"<end>"), frozenset({256}), 256)


def test_the_vocabulary_is_the_model_s_own(real):
    assert len(real.tokens) == 49152 and real.tokens[real.end] == b"<|im_end|>" and real.end in real.control
    assert b" London" in real.numbers and "Ġ".encode() not in real.tokens
    assert b"".join(real.tokens[one] for one in real.cut("čaj, 3 €")) == "čaj, 3 €".encode()


def test_only_beginnings_of_what_is_allowed_stay(real):
    found = set(token_mask(real, TRIP, '{"city": "').allowed)
    assert {"L", "P", "London", "Paris"} <= found
    assert all(any(city.startswith(one) for city in TRIP["properties"]["city"]["enum"]) for one in found)
    assert set(token_mask(real, TRIP, '{"city": "London", "days": ').allowed) == set("1234567")


def test_one_byte_at_a_time_the_masks_can_be_thought_through(bytewise):
    assert token_mask(bytewise, TRIP).allowed == ("{",)
    assert token_mask(bytewise, TRIP, '{"city": "').allowed == ("L", "P")
    assert token_mask(bytewise, TRIP, '{"city": "L').allowed == ("j", "o")


@pytest.mark.parametrize("words", ["real", "bytewise"])
def test_it_may_end_where_the_json_is_whole_and_nowhere_before(words, request):
    words = request.getfixturevalue(words)
    whole = token_mask(words, TRIP, DONE)
    assert whole.may_end and whole.allowed == ()
    assert json.loads(whole.before) and not any(one.may_end for one in masks(words, TRIP, list(DONE[:-1])))


def test_a_text_ends_at_its_cap(bytewise):
    free = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 3}}, "required": ["a"]}
    assert len(token_mask(bytewise, free, '{"a": "xx').allowed) > 90
    assert token_mask(bytewise, free, '{"a": "xxx').allowed == ('"',)


def test_what_breaks_the_schema_is_refused(real):
    with pytest.raises(BadTool, match="breaks the schema"):
        token_mask(real, TRIP, '{"city": "Rome')
    with pytest.raises(BadTool, match="No engine"):
        token_mask(real, {"type": "strin"})


def test_the_figure_and_its_twin(real):
    scene = mask_scene(real, TRIP, DONE)
    (bars,) = scene.figure.data
    assert len(bars.y) == len(real.cut(DONE)) == len(scene.figure.layout.xaxis.ticktext)
    assert bars.y[0] == 1 and 7 in bars.y and scene.figure.layout.yaxis.type == "log"
    assert "'7'" in scene.text and scene.text.count("\n") == len(bars.y)


def test_a_mask_says_itself_in_words(bytewise):
    assert str(token_mask(bytewise, TRIP, '{"city": "')) == 'after {"city": "\n    may follow: "L", "P" (2)'
    assert str(token_mask(bytewise, TRIP, DONE)).endswith("may follow: no text; or the end")
