"""Several calls for one request."""

import json

import pytest

from labkit.tools import as_tool
from labkit.tools.parallel import decide_all, parts


def weather(city: str, days: int = 1) -> str:
    """Get the weather forecast for a city."""


def set_timer(minutes: int) -> str:
    """Start a countdown timer."""


TOOLS = [as_tool(weather), as_tool(set_timer)]


def calls(text, choice="auto"):
    """Decide with a model that takes the first value that it is offered, and writes nothing of its own."""
    steps, said = decide_all(text, TOOLS, choice), None
    while True:
        try:
            ask = steps.send(said)
        except StopIteration as end:
            return [(one.tool.name, *one.arguments.values()) for one in end.value.calls]
        said = json.dumps({name: one.get("enum", [""])[0] for name, one in ask.schema["properties"].items()})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("What's the weather in Oslo?", [("weather", "Oslo")]),
        (
            "What is the weather in Oslo, Rome and Lima?",
            [("weather", "Oslo"), ("weather", "Rome"), ("weather", "Lima")],
        ),
        ("Get the weather in Oslo. Start a timer of 5 minutes.", [("weather", "Oslo"), ("set_timer", 5)]),
        ("Start a timer of 5 minutes, then get the weather in Oslo.", [("set_timer", 5), ("weather", "Oslo")]),
        ("Hello there! Get the weather in Oslo. Thank you very much.", [("weather", "Oslo")]),
        ("Get the weather in Oslo. Get the weather in Oslo.", [("weather", "Oslo")]),
        ("Tell me a joke. Then tell me another one.", []),
    ],
)
def test_one_request_many_calls(text, wanted):
    assert calls(text) == wanted


def test_a_sentence_that_lacks_something_keeps_no_other_from_its_call():
    assert calls("Start a timer. Get the weather in Oslo.") == [("weather", "Oslo")]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        ("none", []),
        ("weather", [("weather", "Oslo")]),
        ("set_timer", [("set_timer", 5)]),
        ("required", [("weather", "Oslo"), ("set_timer", 5)]),
    ],
)
def test_a_choice_holds_for_every_sentence(choice, wanted):
    assert calls("Get the weather in Oslo. Start a timer of 5 minutes.", choice) == wanted


def test_parts_are_sentences():
    assert (
        parts("A b. C d; e f and then g h") == ["A b.", "C d;", "e f", "g h"]
        and parts("Oslo") == ["Oslo"]
        and parts("") == [""]
    )


def test_there_is_an_end_to_it():
    cities = ", ".join(f"Town{chr(65 + i)}" for i in range(20))
    assert len(calls(f"What is the weather in {cities} and Rome?")) <= 8


def test_a_long_text_is_asked_about_once_and_not_sentence_by_sentence():
    asks, steps = 0, decide_all("Get the weather in Oslo. " * 500, TOOLS)
    ask = next(steps)
    while ask:
        asks += 1
        try:
            ask = steps.send("{}")
        except StopIteration:
            break
    assert asks <= 2
