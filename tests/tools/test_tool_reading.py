"""What models write: fenced, doubled, cut off, hostile."""

import contextlib
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.errors import BadCall
from labkit.tools.reading import read_arguments, read_call, read_json

CALL = {"name": "f", "arguments": {"a": "x", "n": [1, {"b": 2}]}}
TEXT = json.dumps(CALL)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"Sure! Here it is:\n```\n{TEXT}",
        f"I call {TEXT} now.",
        json.dumps([CALL]),
        json.dumps({"function": {"name": "f", "arguments": json.dumps(CALL["arguments"])}}),
        json.dumps({"name": "f", "parameters": json.dumps(json.dumps(CALL["arguments"]))}),
        TEXT[:-1],
        TEXT[:-3],
    ],
)
def test_one_call_in_many_dresses(text):
    assert read_call(text) == ("f", CALL["arguments"])


@pytest.mark.parametrize("end", range(len(TEXT) - 1))
def test_a_text_cut_anywhere_gives_the_whole_call_or_an_error(end):
    try:
        name, arguments = read_call(TEXT[:end])
    except BadCall:
        return
    assert name == "f" and (
        arguments == CALL["arguments"] or not arguments or arguments == {"a": "x"} or "n" in arguments
    )
    assert arguments.get("a", "x") == "x", "half a value is another value"


NO_CALLS = [
    "", "no", "null", "7", "[]", "{}", '{"name": 3}', '{"name": "f", "arguments": 3}', '{"name": "f", "arguments": [1]}',
    '{"name":"f","arguments":{"a":NaN}}', "[" * 9000, "{" * 50, None, 3, "x" * 30000, '"\\ud800"', "9" * 6000,
    '{"name": "f", "arguments": {"n": 12', '{"name": "f", "arguments": {"n": tru',
]  # fmt: skip


@pytest.mark.parametrize("text", NO_CALLS)
def test_what_is_no_call_is_a_typed_error(text):
    with pytest.raises(BadCall):
        read_call(text)


@given(st.text(max_size=200) | st.text(alphabet='{}[]":,\\ntrue1e9-`', max_size=200))
@example('{"a":' * 300)
def test_reading_raises_nothing_else(text):
    for read in (read_json, read_call, read_arguments):
        with contextlib.suppress(BadCall):
            read(text)


def test_nothing_is_ever_evaluated():
    with pytest.raises(BadCall):
        read_call("{'name': 'f', 'arguments': __import__('os').system('true')}")


def test_no_arguments_are_no_arguments():
    assert read_call('{"name": "f"}') == read_call('{"name": "f", "arguments": null}') == ("f", {})
