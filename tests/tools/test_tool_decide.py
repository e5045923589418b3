"""Decisions: right on plain requests, and never a wrong exception or an invalid call, whatever the tools and the model are."""

import json

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import BadTool, ToolError, UnknownTool
from labkit.tools import Ledger, Tool, as_tool
from labkit.tools.decide import Ask, decide, request_of


def declared(name, description, required, **properties):
    schema = {"type": "object", "properties": properties, "required": required}
    return as_tool({"name": name, "description": description, "parameters": schema})


TOOLS = [
    declared(
        "weather",
        "Get the weather forecast for a city.",
        ["city"],
        city={"type": "string"},
        days={"type": "integer", "maximum": 14},
    ),
    declared(
        "send_money",
        "Transfer money to an account.",
        ["account_id", "amount"],
        account_id={"type": "string"},
        amount={"type": "number", "minimum": 0},
    ),
]


def drive(steps, *texts):
    """Play a model that says `texts` (and the last one for ever); return the decision and what was asked."""
    asks, said, left = [], None, list(texts)
    while True:
        try:
            asks.append(steps.send(said))
        except StopIteration as end:
            return end.value, asks
        said = left.pop(0) if len(left) > 1 else left[0]


def test_a_plain_request_needs_no_model():
    decision, asks = drive(decide("Transfer 40 euros to the account DE-77.", TOOLS), "")
    assert [(c.tool.name, c.arguments) for c in decision.calls] == [
        ("send_money", {"account_id": "DE-77", "amount": 40})
    ]
    assert not asks and "by words and values" in decision.trace[0]


def test_what_is_missing_is_asked_for():
    decision, asks = drive(decide("Transfer money to the account DE-77, please.", TOOLS), "")
    assert (decision.tool, decision.missing, decision.calls, asks) == ("send_money", ["amount"], [], [])
    assert decision.question == "I need to know more for that: amount."


def test_no_tool_fits():
    decision, _ = drive(decide("Tell me a joke about cats.", TOOLS), "")
    assert not decision.calls and not decision.tool and decision.trace[0].startswith("none")


def test_an_answer_to_a_question_completes_the_call():
    talk = [
        {"role": "user", "content": "Transfer money to the account DE-77, please."},
        {"role": "assistant", "content": "How much?"},
        {"role": "user", "content": "Ninety euros."},
    ]
    decision, _ = drive(decide(talk, TOOLS), "")
    assert decision.calls[0].arguments == {"account_id": "DE-77", "amount": 90}


@pytest.mark.parametrize("last", ["No, thanks.", "Never mind.", "OK, that's all for now!"])
def test_a_word_of_thanks_repeats_nothing(last):
    talk = [
        {"role": "user", "content": "Transfer 40 euros to the account DE-77."},
        {"role": "assistant", "content": "Done. Anything else?"},
        {"role": "user", "content": last},
    ]
    assert not drive(decide(talk, TOOLS), "")[0].calls


def test_a_required_call_is_left_to_the_model_where_nothing_was_said():
    decision, asks = drive(decide("Please!", TOOLS, "send_money"), '{"account_id": "X", "amount": 5}')
    assert decision.calls[0].arguments == {"account_id": "X", "amount": 5}
    assert asks[0].schema["properties"].keys() == {"account_id", "amount"}


def test_one_stage_asks_for_the_whole_call_under_one_schema():
    said = json.dumps({"name": "weather", "arguments": {"city": "Oslo"}})
    decision, (ask,) = drive(decide("Oslo?", TOOLS, mode="schema"), said)
    assert decision.calls[0].arguments == {"city": "Oslo"}
    assert [one["properties"]["name"]["const"] for one in ask.schema["anyOf"]] == ["weather", "send_money"]
    assert ask.parameters()["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    "said",
    ["", "no", '{"name": "rm", "arguments": {}}', '{"name": "weather", "arguments": {"city": 7}}', '{"name": "weather"}',
     '{"name": "weather", "arguments": {"city": "O", "x": 1}}', '{"name": "weather", "arguments": {"city": "O", "days": 99}}'],
)  # fmt: skip
def test_a_bad_call_is_a_typed_error_and_no_call(said):
    decision, _ = drive(decide("Oslo?", TOOLS, mode="schema"), said)
    assert isinstance(decision.error, ToolError) and not decision.calls and "no call" in decision.trace[-1]


def test_what_the_caller_gets_wrong_raises():
    with pytest.raises(UnknownTool):
        drive(decide("x", TOOLS, "rm"), "")
    with pytest.raises(BadTool):
        drive(decide("x", [], "required"), "")
    assert not drive(decide("x", []), "")[0].calls and not drive(decide("x", TOOLS, "none"), "")[0].calls


def test_messages_without_a_user_and_with_parts_are_understood():
    assert request_of([{"role": "system", "content": "Be kind."}]).text == ""
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hello"}, {"type": "image_url"}]}]
    assert request_of(parts).text.strip() == "Hello"


def test_calls_go_into_an_openai_conversation():
    from labkit.tools import as_openai
    from labkit.tools.reading import read_arguments

    decision, _ = drive(decide("Transfer 40 euros to the account DE-77.", TOOLS), "")
    (call,) = as_openai(decision.calls)
    assert (
        call["type"] == "function" and call["function"]["name"] == "send_money" and call["id"] == decision.calls[0].id
    )
    assert read_arguments(call["function"]["arguments"]) == decision.calls[0].arguments


# -- whatever comes -----------------------------------------------------------------------------------------------------

WORDS = ["Oslo", "12", "3.5 %", "please", "2027-03-04", "red", "'blue sky'", "A-77", "from", "to", "and", "a@b.org", "x^2", "-5",
         "1e999", "\u202e", "]", "{", "\n", "ünïcödé", "9" * 400, "Anna, Ben and Cleo", "twenty-one", "false", "10:30"]  # fmt: skip
texts = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=60)
NAMES = [
    "city",
    "from",
    "to",
    "a",
    "amount",
    "date",
    "order_id",
    "is_red",
    "numbers",
    "text",
    "year",
    "e-mail",
    "émile",
    "",
]
names = st.sampled_from(NAMES)
leaves = st.sampled_from(
    [{"type": "string"}, {"type": "integer", "minimum": 3}, {"type": "number", "maximum": 20}, {"type": "boolean"}, {},
     {"enum": ["red", "blue", 3, None]}, {"const": "x"}, {"type": "string", "pattern": "^[A-Z]-[0-9]+$"}, {"type": "null"},
     {"type": "string", "minLength": 5}, {"type": ["integer", "null"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]},
     {"type": "string", "enum": ["on", "off"]}, {"type": "integer", "enum": [1, 2]}]
)  # fmt: skip


def objects(children):
    def with_required(properties):
        some = st.lists(st.sampled_from(sorted(properties) or [""]), unique=True)
        return some.map(
            lambda required: {
                "type": "object",
                "properties": properties,
                "required": [r for r in required if r in properties],
            }
        )

    return st.dictionaries(names, children, max_size=4).flatmap(with_required)


def arrays(children):
    return st.builds(
        lambda item, least: {"type": "array", "items": item, "minItems": least}, children, st.integers(0, 2)
    )


schemas = st.recursive(leaves, lambda children: objects(children) | arrays(children), max_leaves=5)
parameters = objects(schemas)
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 99)
    | st.floats()
    | st.sampled_from([*WORDS, "t0", "name", "arguments"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "name", "arguments", "function"]), inner)
    ),
    max_leaves=8,
)


@st.composite
def hostile(draw):
    """Give a text that a model may write: junk, JSON junk, something call-like, cut, fenced or doubled."""
    value = draw(junk)
    if draw(st.booleans()):
        value = {"name": draw(st.sampled_from(["t0", "t1", "rm -rf", 3])), "arguments": value}
    once = json.dumps(value)
    text = draw(st.sampled_from([once, json.dumps(once), f"```json\n{once}\n```", str(value)]))
    return text[: draw(st.integers(0, len(text)))] if draw(st.booleans()) else text


def obedient(draw, schema):
    """Give a value that an engine would let through under `schema`, chosen at random."""
    if "anyOf" in schema:
        return obedient(draw, draw(st.sampled_from(schema["anyOf"])))
    if "enum" in schema or "const" in schema:
        return draw(st.sampled_from(schema.get("enum") or [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object":
        wanted = [name for name in schema["properties"] if name in schema["required"] or draw(st.booleans())]
        return {name: obedient(draw, schema["properties"][name]) for name in wanted}
    if kind == "array":
        return [obedient(draw, schema["items"]) for _ in range(draw(st.integers(schema.get("minItems", 0), 2)))]
    return {"string": draw(texts), "integer": draw(st.integers(-9, 30)), "number": 2.5, "boolean": True}.get(kind)


@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_only_typed_errors_and_never_an_invalid_call(data):
    draw = data.draw
    executed = []
    raw = draw(st.lists(parameters, min_size=1, max_size=3))
    about = st.sampled_from(["Get the city.", "Pay an amount to someone.", ""])

    def recording(i):
        return lambda **arguments: executed.append((i, arguments))

    tools = [Tool(f"t{i}", draw(about), schema, recording(i)) for i, schema in enumerate(raw)]
    message, mode = draw(texts), draw(st.sampled_from(["two-stage", "schema"]))
    talk = [("user", draw(texts)), ("assistant", "Which?"), ("user", message)]
    talk = [{"role": role, "content": content} for role, content in talk]
    steps = decide(
        draw(st.sampled_from([message, talk])), tools, draw(st.sampled_from(["auto", "required", "t0"])), mode
    )
    said, obeys = None, draw(st.booleans())
    for _ in range(5):
        try:
            ask: Ask = steps.send(said)
        except StopIteration as end:
            decision = end.value
            break
        said = json.dumps(obedient(draw, ask.schema)) if obeys else draw(hostile())
    else:
        pytest.fail("the layer goes on asking")
    assert decision.error is None or isinstance(decision.error, ToolError)
    ledger = Ledger()
    for call in decision.calls:
        assert ledger.run(call.tool, call.arguments).ok
    for i, arguments in executed:
        jsonschema.validate(arguments, {**raw[i], "additionalProperties": False})
