"""Tools from functions, dicts and Agent Framework; schemas of any dialect; what no engine could hold is refused."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Literal

import pytest

from labkit.errors import BadTool
from labkit.tools import as_tool, as_tools
from labkit.tools.lint import lint_tools
from labkit.tools.prompt import line
from labkit.tools.schema import check, engine_schema, longest


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Place:
    city: str
    country: str = "France"


def paint(wall: str, colour: Colour, coats: int = 1, where: Place | None = None, tags: list[str] | None = None) -> str:
    """Paint a wall.

    wall: which one
    """
    return f"{wall} {colour} {coats} {where}"


def test_a_typed_function_becomes_a_tool():
    tool = as_tool(paint)
    assert (tool.name, tool.description, tool.required) == ("paint", "Paint a wall.", ["wall", "colour"])
    assert tool.properties["wall"] == {"type": "string", "description": "which one"}
    assert tool.properties["colour"]["enum"] == ["red", "blue"]
    assert tool.properties["where"]["properties"].keys() == {"city", "country"}
    assert line(tool).startswith(
        'paint(wall: string, colour: string in ["red", "blue"], coats?: integer, where?: {city: string'
    )
    # The function gets what its hints say, not raw JSON.
    assert (
        tool.function(wall="a", colour="red", where={"city": "Nice"})
        == "a Colour.RED 1 Place(city='Nice', country='France')"
    )


def test_annotations_describe_parameters_of_methods_too():
    class Desk:
        def open(self, number: Annotated[int, "Which drawer"], how: Literal["slowly", "fast"] = "fast"):
            """Open a drawer."""

    assert as_tool(Desk().open).properties["number"] == {"type": "integer", "description": "Which drawer"}
    assert as_tool(Desk().open).properties["how"]["enum"] == ["slowly", "fast"]


def test_agent_framework_tools_and_dicts_are_the_same_tool():
    from agent_framework import FunctionTool

    def greet(name: str, times: int = 1) -> str:
        return name * times

    spec = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "times": {"type": "integer"}},
        "required": ["name"],
    }
    ours = as_tool({"type": "function", "function": {"name": "greet", "description": "Greet.", "parameters": spec}})
    theirs = as_tool(FunctionTool(func=greet, name="greet", description="Greet."))
    assert ours == theirs
    assert as_tool(ours.to_openai()) == ours


def tool(**properties):
    return as_tool(
        {"name": "t", "parameters": {"type": "object", "properties": properties, "required": list(properties)}}
    )


def test_dialects_are_understood():
    got = tool(
        a={"type": "float"},
        b={"type": "tuple", "items": {"type": "any"}},
        c={"type": ["string", "null"]},
        d={"anyOf": [{"type": "integer"}, {"type": "null"}]},
        e={"type": "dict", "properties": {"x": {"type": "double"}}},
    ).properties
    assert [got[name]["type"] for name in "abcd"] == ["number", "array", "string", "integer"]
    assert got["e"]["properties"]["x"]["type"] == "number" and got["e"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": {"x": {"$ref": "#/$defs/a"}}}}},
            "contains itself",
        ),
        ({"type": "object", "properties": {"x": {"$ref": "#/$defs/gone"}}}, "not in it"),
        ({"type": "string"}, "no object"),
        ({"type": "object", "properties": {"x": {"type": "tree"}}}, "type 'tree'"),
        ({"type": "object", "properties": {"x": {"enum": []}}}, "without values"),
        ({"type": "object", "properties": {"x": 7}}, "where a schema belongs"),
        ("nothing", "no JSON schema"),
    ],
)
def test_what_cannot_be_used_is_refused(parameters, why):
    with pytest.raises(BadTool) as error:
        as_tool({"name": "t", "parameters": parameters})
    assert why in str(error.value)


def test_a_schema_that_goes_too_deep_is_refused():
    deep = {"type": "string"}
    for _ in range(20):
        deep = {"type": "object", "properties": {"x": deep}}
    with pytest.raises(BadTool, match="deeper"):
        as_tool({"name": "t", "parameters": deep})


def test_what_must_all_hold_becomes_one_schema():
    named = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    aged = {"properties": {"age": {"type": "integer"}}, "required": ["age"]}
    tool = as_tool({"name": "t", "parameters": {"allOf": [{"$ref": "#/$defs/named"}, aged], "$defs": {"named": named}}})
    assert list(tool.properties) == tool.required == ["name", "age"]
    assert check({"name": "Ada", "age": 36}, tool.parameters) == [] != check({"name": "Ada"}, tool.parameters)


@pytest.mark.parametrize(
    "odd",
    [{"type": ["string", {}]}, {"type": {}}, {"oneOf": [5]}, {"anyOf": []}, {"allOf": "x"}, {"maxItems": {}, "type": "array"},
     {"minimum": "low"}, {"$ref": "#/$defs/a"}],
)  # fmt: skip
def test_a_foreign_schema_that_means_nothing_is_refused_in_words(odd):
    with pytest.raises(BadTool):
        as_tool({"name": "t", "parameters": {"properties": {"x": odd}, "$defs": 5}})


def test_a_schema_that_unfolds_without_measure_is_refused_at_once():
    """Three kilobytes from a server of somebody else that stand for gigabytes: references to references, each many times."""
    many = {f"p{n}": {"$ref": "#/$defs/5"} for n in range(40)}
    defs = {str(level): {"type": "object", "properties": {f"p{n}": {"$ref": f"#/$defs/{level + 1}"} for n in range(40)}}
            for level in range(5)}  # fmt: skip
    defs["5"] = {"type": "string"}
    with pytest.raises(BadTool, match="over 1000 parts"):
        as_tool({"name": "t", "parameters": {"properties": {"x": {"$ref": "#/$defs/0"}}, "$defs": defs}})
    few = {"properties": {"x": {"type": "object", "properties": many}}, "$defs": defs}
    assert len(as_tool({"name": "t", "parameters": few}).properties["x"]["properties"]) == 40


@pytest.mark.parametrize(
    "thing", [7, {"description": "no name"}, {"name": "a b"}, {"name": ""}, lambda *args: 1, lambda a, /: a]
)
def test_what_is_no_tool_is_refused(thing):
    with pytest.raises(BadTool):
        as_tool(thing)


def test_two_tools_of_one_name_are_refused():
    with pytest.raises(BadTool, match="Two tools"):
        as_tools([paint, paint])


def test_every_length_is_capped_for_the_engine_and_nothing_is_lost_for_the_check():
    got = tool(
        a={"type": "string", "pattern": "^x", "maxLength": 10**6}, b={"type": "array", "items": {"type": "string"}}
    )
    held = got.engine["properties"]
    assert held["a"] == {"type": "string", "maxLength": 200}
    assert held["b"]["maxItems"] == 8 and held["b"]["items"]["maxLength"] == 200
    assert check({"a": "y", "b": []}, got.parameters) and not check({"a": "x", "b": []}, got.parameters)
    assert check({"a": "x", "b": [], "c": 1}, got.parameters), "nothing may be added"
    assert longest(got.engine) > 200 * 9


def test_a_number_without_limits_gets_some_and_one_with_limits_keeps_them():
    free = engine_schema({"type": "integer"})
    assert free["maximum"] == -free["minimum"] == 10**12
    assert engine_schema({"type": "number", "minimum": 1}) == {"type": "number", "minimum": 1, "maximum": 10**12}
    assert engine_schema({"type": "integer", "minimum": 10**13}) == {"type": "integer", "minimum": 10**13}


def test_engine_schemas_are_held_by_llguidance():
    from labkit.tools.items import HALVES, toolbox
    from labkit.tools.schema import lint

    for half in HALVES:
        for one in toolbox(half).values():
            assert lint(one.engine) == []


def test_the_lint_says_what_is_only_checked_afterwards():
    strict = tool(a={"type": "string", "pattern": "x+"}, b={"type": "array", "uniqueItems": True, "items": {}})
    found = lint_tools([strict.to_openai()])
    assert found == {"t": ["pattern is checked afterwards, not held", "uniqueItems is checked afterwards, not held"]}


def test_the_cap_leaves_room_for_a_longer_least_length():
    assert engine_schema({"type": "string", "minLength": 300})["maxLength"] == 300
