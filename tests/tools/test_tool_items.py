"""The items are what they say: a fixed split, right calls that fit their tools, values that the user said."""

import json
from collections import Counter

import pytest

from labkit.errors import ConfigError
from labkit.tools import items as course
from labkit.tools.schema import check

ALL = [(half, item) for half in course.HALVES for item in course.items(half)]
# What stands for a value in other words: the text says the left, the call has the right.
SAID_OTHERWISE = {"USD": "dollar", "EUR": "euro", "JPY": "yen", "CHF": "franc", "GBP": "pound", "DKK": "crowns", "km": "kilomet",
                  "swimming": "swim", "cycling": "cycle", "kilometers": "kilomet"}  # fmt: skip
COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]


def test_there_are_enough_of_each_kind_in_both_halves():
    counts = {half: Counter(item.kind for h, item in ALL if h == half) for half in course.HALVES}
    assert len(ALL) >= 240
    assert counts["dev"] == counts["kept"], "the split is stratified"
    assert counts["kept"]["one"] >= 40 and counts["kept"]["several"] >= 35 and counts["kept"]["none"] >= 20


def test_no_tool_and_no_request_is_in_both_halves():
    assert not course.toolbox("dev").keys() & course.toolbox("kept").keys()
    texts = [item.text.lower() for _, item in ALL]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("item", [item for _, item in ALL], ids=lambda item: item.text[:40])
def test_an_item_is_sound(item):
    names = [tool.name for tool in item.tools]
    assert len(names) == len(set(names)) and item.messages[-1]["role"] == "user"
    assert {"one": len(names) == 1, "several": len(names) > 2}.get(item.kind, True)
    assert (item.kind == "none") <= (not item.call and not item.args)
    if item.call:
        assert item.call in names
        assert set(item.missing) <= set(item.tools[names.index(item.call)].required)
        assert bool(item.missing) == (item.kind == "missing")


@pytest.mark.parametrize("item", [i for _, i in ALL if i.call and not i.missing], ids=lambda item: item.text[:40])
def test_every_right_call_fits_its_tool_and_was_said(item):
    tool = next(tool for tool in item.tools if tool.name == item.call)
    assert item.args.keys() == tool.properties.keys(), "every parameter is judged"
    for name, accepted in item.args.items():
        assert (None in accepted) <= (name not in tool.required), f"{name} is required"
        for value in accepted:
            if value is not None:
                assert not check({**_first(item), name: value}, tool.parameters)
                assert _said(value, item.text) or None in accepted, f"{name}={value!r} is not in {item.text!r}"


def _first(item) -> dict:
    return {name: accepted[0] for name, accepted in item.args.items() if accepted[0] is not None}


def _said(value, text: str) -> bool:
    low = text.lower().replace(",", "")
    if isinstance(value, dict | list):
        return all(_said(one, text) for one in (value.values() if isinstance(value, dict) else value))
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        words = {15: "fifteen", 20: "twenty"} | dict(enumerate(COUNTS))
        near = {str(value), f"{value:g}", f"{value:.2f}", f"{value:.1f}", f"{100 * value:g}"}
        return any(one in low for one in near) or words.get(value, "?") in low
    if value[:2] == "20" and value not in low:  # 2027-06-12 was said as 12 June 2027
        return value[:4] in low and str(int(value[8:])) in low
    return (
        value.lower().replace(",", "") in low
        or SAID_OTHERWISE.get(value, "?") in low
        or value.rstrip("s").lower() in low
    )


def test_values_are_the_same_but_for_form():
    assert course.same("Paris, France", "paris france") and course.same(3, 3.0) and course.same([1, "A"], [1.0, "a"])
    assert (
        not course.same(True, 1)
        and not course.same("3", 3)
        and not course.same([1], [1, 2])
        and not course.same("", "a")
    )


def test_arguments_are_right_only_as_a_whole():
    wanted = {"city": ["Paris"], "days": [3, None]}
    assert course.right_arguments({"city": "paris"}, wanted) and course.right_arguments(
        {"city": "Paris", "days": 3}, wanted
    )
    for wrong in ({}, {"city": "Rome"}, {"city": "Paris", "days": 2}, {"city": "Paris", "unit": "c"}):
        assert not course.right_arguments(wrong, wanted)


def test_another_half_is_refused():
    with pytest.raises(ConfigError, match="no half 'test'"):
        course.items("test")


def test_the_file_holds_nothing_but_json_lines():
    from labkit.paths import data_dir

    for line in (data_dir() / "tool_items" / "items.jsonl").read_text(encoding="utf-8").splitlines():
        assert json.loads(line).keys() <= {"kind", "text", "turns", "tools", "call", "args", "missing"}
