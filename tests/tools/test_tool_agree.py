"""What the model wrote counts where the request says it, as the request spells it; otherwise the words decide."""

import pytest

from labkit.tools import as_tool
from labkit.tools.agree import agreed, doubtful, in_the_request_s_words, surely_missing
from labkit.tools.dates import in_the_format
from labkit.tools.fill import fill
from labkit.tools.plan import Request, own_words, slots_of


def declared(name, description, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return as_tool({"name": name, "description": description, "parameters": schema})


def settle(tool, text, written):
    """Return the value of the tool's only parameter, given what the model wrote."""
    request, (slot,) = Request(text), slots_of(tool)
    return agreed(slot, fill(tool, request), written, request, own_words(tool.name, tool.description))


PLACE = declared("forecast", "Get the weather forecast.", location={"type": "string", "description": "City and state"})
TOPIC = declared("news", "Get the news.", topic={"type": "string"})
COUNT = declared("roll", "Roll dice.", sides={"type": "integer"})


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("Will it rain in Oslo tomorrow?", "oslo", "Oslo"),
        ("Will it rain in Oslo tomorrow?", "Oslo, NO, (NO), (NO)", "Oslo"),
        ("Will it rain in Oslo tomorrow?", "Rome", "Oslo"),
        ("Will it rain in Boston, MA, tomorrow?", "Boston", "Boston, MA"),
    ],
)
def test_a_place(text, written, value):
    assert settle(PLACE, text, written) == value


@pytest.mark.parametrize(
    ("text", "written", "value"),
    [
        ("Read data/2026/AL2562 to me.", "AL2562", "data/2026/AL2562"),
        ("Something on C# and on C.", "C#", "C#"),
        ("Who plays in The Weeknd?", "the weeknd", "The Weeknd"),
        ("Draw a horse.", "A horse", "horse"),
        ("Results of the 2019-2020 season", "2019-2020", "2019-2020"),
        ("Draw a horse.", "a cow", None),
        ("Draw a horse.", " ...", None),
    ],
)
def test_the_words_of_the_request(text, written, value):
    assert in_the_request_s_words(written, Request(text)) == value


def test_a_number_counts_only_if_the_request_holds_it():
    assert settle(COUNT, "Roll a die of 6 sides, then one of 20.", 20) == 20
    assert settle(COUNT, "Roll a die of 6 sides.", 60) == 6


def test_the_tool_s_own_words_are_no_value():
    booking = declared("book_table", "Book a table at a restaurant.", restaurant={"type": "string"})
    assert settle(booking, "Book a table, please!", "table") is None


def test_what_another_parameter_has_is_cut_off():
    tool = declared("cases", "Find cases.", field={"type": "string"}, year={"type": "integer"})
    request = Request("Find cases on water rights in 2020.")
    assert agreed(slots_of(tool)[0], fill(tool, request), "water rights in 2020", request) == "water rights"


def test_ids_and_numbers_that_are_nowhere_are_surely_missing():
    tool = declared("pay", "Pay.", account_id={"type": "string"}, amount={"type": "number"}, note={"type": "string"})
    slots = slots_of(tool)
    for text, missing in (("Pay, please.", ["account_id", "amount"]), ("Pay 5 to DE-77.", [])):
        assert surely_missing(slots, fill(tool, Request(text)), Request(text)) == missing
    assert "account_id" not in doubtful(slots, fill(tool, Request("Pay 5 to DE-77.")))


@pytest.mark.parametrize(
    ("about", "value"),
    [("in MM-DD-YYYY", "08-16-2022"), ("DD/MM/YYYY please", "16/08/2022"), ("YYYY.MM.DD", "2022.08.16"), ("the day", "2022-08-16")],
)  # fmt: skip
def test_a_date_in_the_format_that_the_description_names(about, value):
    assert in_the_format("2022-08-16", about) == value


def test_no_date_is_left_as_it_is():
    assert in_the_format("tomorrow", "MM-DD-YYYY") == "tomorrow" and in_the_format(7, "MM-DD-YYYY") == 7
