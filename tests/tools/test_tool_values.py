"""Values as the request and the description say them: no engine needed, the model's part is played."""

import pytest

from labkit.tools.agree import apart, placed
from labkit.tools.fill import fill
from labkit.tools.plan import Plan, Request
from labkit.tools.tool import Tool


def _filled(text, required=None, **parameters):
    schema = {
        "type": "object",
        "properties": parameters,
        "required": list(parameters) if required is None else required,
    }
    return fill(Tool("compute_it", "Compute it.", schema), Request(text)).values


def test_a_percentage_becomes_a_decimal_where_the_description_says_so():
    rate = {"type": "number", "description": "Annual rate as a decimal, e.g. 5% is 0.05"}
    assert _filled("Invest at an annual rate of 5%.", rate=rate) == {"rate": 0.05}
    percent = {"type": "number", "description": "Annual rate in percent"}
    assert _filled("Invest at an annual rate of 5%.", rate=percent) == {"rate": 5}


def test_a_list_of_quotations_ends_with_its_last_one():
    columns = {"type": "array", "items": {"type": "string"}, "description": "Columns"}
    text = "Use columns 'Age', 'Income' and 'Rent' and as a target variable 'Price'."
    assert _filled(text, columns=columns) == {"columns": ["Age", "Income", "Rent"]}


def test_a_list_from_an_enum_holds_the_values_that_are_named():
    kinds = {"type": "array", "items": {"type": "string", "enum": ["Annual", "Shrub", "Tree"]}, "description": "Kinds"}
    assert _filled("Nurseries in Oslo with annual plants", kinds=kinds) == {"kinds": ["Annual"]}


def test_an_example_in_the_description_is_taken_when_the_request_names_it():
    kind = {"type": "string", "description": "Type of engine: 'gas' or 'diesel'"}
    assert _filled("The footprint of a gas-powered car", kind=kind) == {"kind": "gas"}


@pytest.mark.parametrize(("required", "found"), [(["a", "b"], {"a": 5, "b": 7}), (["a"], {"a": 5})])
def test_one_number_of_the_request_fills_one_parameter(required, found):
    assert apart({"a": 5, "b": 5}, Plan(values={"a": 5, "b": 7}), "from 5 to 7", required) == found


def test_a_number_said_twice_fills_two():
    assert apart({"a": 5, "b": 5}, Plan(values={"a": 5, "b": 7}), "5 times 5, not 7", ["a", "b"]) == {"a": 5, "b": 5}


def test_city_and_country_part_where_each_has_a_parameter():
    both = {"city": "Tokyo, Japan", "country": "Tokyo, Japan"}
    assert placed(both) == {"city": "Tokyo", "country": "Japan"}
    assert placed({"city": "Tokyo, Japan"}) == {"city": "Tokyo, Japan"}


def test_numbers_go_in_the_order_in_which_both_are_written_also_to_a_parameter_without_a_name():
    numbers = {name: {"type": "integer"} for name in ("", "a", "b")}
    assert _filled("Add 1, 2 and 3.", **numbers) == {"": 1, "a": 2, "b": 3}


def test_a_parameter_of_several_types_is_filled_as_the_first_of_them():
    """What pydantic makes of `list[str] | str` and of `Place | str`."""
    place = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    text = {"type": "string"}
    tags = {"anyOf": [{"type": "array", "items": text}, text]}
    assert _filled("Use 'red' and 'blue'.", tags=tags) == {"tags": ["red", "blue"]}
    assert _filled("Go to 'Oslo'.", where={"anyOf": [place, text]}) == {"where": {"city": "Oslo"}}
