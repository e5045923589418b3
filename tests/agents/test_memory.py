"""A memory fits its window whatever is said: the system prompt stays, calls keep their results, what was said last is whole."""

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from labkit.agents.compaction import (
    Conversation,
    drop_oldest_turns,
    drop_tool_results,
    keep_last,
    shorten_results,
    summarize,
)
from labkit.agents.facts import facts_in
from labkit.agents.memory import MILD_FIRST, Memory
from labkit.agents.tokens import TOO_LONG, TokenCounter, as_text, window_of
from labkit.errors import ConfigError, ContextTooLong

SYSTEM = "You help at a desk."


def words(messages) -> int:
    """Count as a template would: four a message, and one a word."""
    return sum(4 + len(as_text(message).split()) for message in messages)


def fits(messages, room) -> bool:
    return words(messages) <= room


def call(number: str) -> dict:
    function = {"name": "look_up", "arguments": json.dumps({"number": number})}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": number, "type": "function", "function": function}],
    }


def result(number: str, text: str) -> dict:
    return {"role": "tool", "tool_call_id": number, "content": text}


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


TEXT = st.lists(
    st.sampled_from(["order", "1002", "Ada", "late", "§", "C-101", "lamp-3", "and"]), min_size=1, max_size=30
).map(" ".join)
LONG = st.integers(0, 400).map(lambda n: "word " * n)


@st.composite
def conversations(draw):
    """Turns of a user with any number of calls (some of several at once, the last perhaps without their results) and an answer."""
    messages, number = [], 0
    turns = draw(st.integers(1, 8))
    for turn in range(turns):
        messages.append(user(draw(TEXT)))
        pending = turn == turns - 1 and draw(st.booleans())
        for _ in range(draw(st.integers(0, 3))):
            both = draw(st.integers(1, 2))
            made = [call(str(number + i)) for i in range(both)]
            messages.append({**made[0], "tool_calls": [one["tool_calls"][0] for one in made]})
            messages += [result(str(number + i), draw(st.one_of(TEXT, LONG))) for i in range(both)]
            number += both
        if pending:
            messages.append(call(str(number)))
        elif draw(st.booleans()):
            messages.append(assistant(draw(TEXT)))
    return messages


ORDERS = st.permutations([drop_tool_results, drop_oldest_turns, shorten_results, keep_last(2), keep_last(0)])


@given(conversations(), st.integers(20, 600), st.one_of(st.just(MILD_FIRST), ORDERS), st.sampled_from(["", SYSTEM]))
@example([user("x"), call("1"), result("1", "word " * 300)], 300, MILD_FIRST, SYSTEM)
def test_whatever_was_said_it_fits_and_nothing_is_torn_apart(messages, window, strategies, system):
    memory = Memory(fits, window, answer=16, system=system, strategies=strategies)
    memory.add(*messages)
    before = json.dumps(memory.messages)
    last = max(number for number, one in enumerate(messages) if one["role"] == "user")
    try:
        fitted = memory.fit()
    except ContextTooLong:
        short = [replace_result(one) for one in messages[last:]]
        least = [{"role": "system", "content": system}] * bool(system) + short
        assert words(least) > window - 16, "what must stay would have fitted"
        return
    assert words(fitted) <= window - 16
    assert json.dumps(memory.messages) == before, "what is kept is not cut"
    assert not system or (fitted[0]["role"] == "system" and fitted[0]["content"].startswith(system))
    assert sum(one["role"] == "system" for one in fitted) <= 1
    assert pairs(fitted) <= pairs(messages)
    assert_no_result_without_its_call_and_none_missing(fitted, pairs(messages))
    kept = [one for one in fitted if one["role"] != "system"]
    assert kept[-len(messages[last:])] == messages[last], "the turn that is going on is whole"
    assert [shape(one) for one in kept[-len(messages[last:]) :]] == [shape(one) for one in messages[last:]]
    if words([{"role": "system", "content": "\n".join([system, *memory._notes()]).strip()}, *messages]) <= window - 16:
        assert kept == messages, "what fits is left as it is"


def replace_result(message):
    """What is left of a result at the very least."""
    shortest = shorten_to_least(message["content"]) if message["role"] == "tool" else message["content"]
    return {**message, "content": shortest}


def shorten_to_least(text):
    return text if len(text) <= 160 else f"{text[:120]} [cut: 120 of {len(text)} characters]"


def pairs(messages):
    calls = {one["id"] for message in messages for one in message.get("tool_calls") or ()}
    return {(one["tool_call_id"]) for one in messages if one["role"] == "tool"} & calls


def assert_no_result_without_its_call_and_none_missing(fitted, paired):
    seen = set()
    for message in fitted:
        seen |= {one["id"] for one in message.get("tool_calls") or ()}
        assert message["role"] != "tool" or message["tool_call_id"] in seen
    results = {one["tool_call_id"] for one in fitted if one["role"] == "tool"}
    assert all(one in results for one in seen if one in paired)


def shape(message):
    return message["role"], message.get("tool_call_id"), [one["id"] for one in message.get("tool_calls") or ()]


def test_tool_results_go_first_then_turns_then_the_length_of_the_last_result():
    memory = Memory(fits, 60, answer=0, system=SYSTEM)
    memory.add(
        user("one"),
        call("1"),
        result("1", "word " * 20),
        assistant("done"),
        user("two"),
        assistant("ok"),
        user("three"),
    )
    assert [one["role"] for one in memory.fit()] == ["system", "user", "assistant", "user", "assistant", "user"]
    memory.room = 26
    assert [one["content"] for one in memory.fit()][1:] == ["two", "ok", "three"]
    memory.add(call("2"), result("2", "word " * 360))
    memory.room = 60
    assert memory.fit()[-1]["content"].endswith("[cut: 120 of 1800 characters]")
    memory.room = 12
    with pytest.raises(ContextTooLong) as error:
        memory.fit()
    assert "labkit.connect(context=" in error.value.fix


def test_the_last_turn_is_kept_even_if_none_is_wanted():
    talk = Conversation.of(SYSTEM, [], [user("one"), assistant("ok"), user("two"), call("1")])
    for wanted in (0, 1):
        assert [one["role"] for one in next(keep_last(wanted)(talk)).messages()] == ["system", "user", "assistant"]
    assert list(keep_last(2)(talk)) == []


def test_open_calls_are_those_without_a_result():
    memory = Memory(fits, 100)
    memory.add(user("x"), call("1"), result("1", "y"), call("2"))
    assert memory.open_calls() == ["2"]


def test_facts_are_read_from_the_user_alone_and_outlive_their_turn():
    memory = Memory(fits, 50, answer=0, system=SYSTEM)
    memory.add(
        user("Hello, I am Ada. My order 1002 is late."), call("1"), result("1", "My name is Mallory, order 6666.")
    )
    memory.add(assistant("I am Sam, of order 7777."), user("No, order 1003. " + "Please. " * 20))
    assert memory.facts == {"name": "Ada", "order": "1003"}
    assert memory.fit()[0]["content"] == f"{SYSTEM}\nKnown: name: Ada; order: 1003."
    assert len(memory.fit()) == 2
    memory.room = 36
    assert memory.fit()[0]["content"] == SYSTEM, "facts go before anything that must stay"


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("my name is Ada-Lou and I live here", {"name": "Ada-Lou"}),
        ("I am late.", {}),
        ("I am C-104, the lamp-3 is dim, see T-2.", {"customer": "C-104", "device": "lamp-3", "ticket": "T-2"}),
        ("Order number A-1002, mail ada@example.org", {"order": "A-1002", "email": "ada@example.org"}),
        ("In order 5 of us", {}),
    ],
)
def test_facts_by_rule(text, facts):
    found = facts_in(text)
    assert {name: found[name] for name in facts} == facts and (facts or not found)


def test_a_file_keeps_it_and_a_damaged_one_is_a_typed_error(tmp_path):
    file = tmp_path / "deep" / "talk.json"
    first = Memory(fits, 100, file=file)
    first.add(user("I am Ada."), call("1"), result("1", "§"))
    again = Memory(fits, 100, file=file)
    assert again.messages == first.messages and again.facts == {"name": "Ada"} and again.open_calls() == []
    assert [one.name for one in file.parent.iterdir()] == ["talk.json"]
    orphan = '{"messages": [{"role": "tool", "content": "x"}], "facts": {}}'
    for damage in ("{", "[]", '{"messages": [1], "facts": {}}', '{"messages": [], "facts": 3}', orphan):
        file.write_text(damage)
        with pytest.raises(ConfigError) as error:
            Memory(fits, 100, file=file)
        assert str(file) in error.value.fix and file.read_text() == damage


def test_it_does_not_grow_for_ever_and_forgets_whole_turns():
    memory = Memory(fits, 100)
    for number in range(300):
        memory.add(user(f"My order {1000 + number}"), assistant("ok"))
    assert len(memory.messages) == 400 and memory.messages[0]["role"] == "user"
    assert memory.messages[0]["content"] == "My order 1100" and memory.facts["order"] == "1299"


def test_a_system_message_is_none_of_its_messages():
    with pytest.raises(ConfigError):
        Memory(fits, 100).add({"role": "system", "content": "Obey."})


# -- on a real engine ---------------------------------------------------------------------------------------------------


def test_tokens_are_the_engines_own(endpoint):
    counter = TokenCounter(endpoint)
    talk = [
        {"role": "system", "content": SYSTEM},
        user("Where is order 1002? " * 20),
        assistant("On its way."),
        user("When?"),
    ]
    exact = endpoint.chat(talk, max_tokens=1).prompt_tokens
    assert counter.exact(talk) == exact <= counter.estimate(talk) < 1.3 * exact + 30
    assert counter.fits(talk, counter.estimate(talk)) and not counter.fits(talk, exact - 1)
    assert counter.exact([user("again and " * 3000)]) == TOO_LONG and not counter.fits(
        [user("again and " * 3000)], 2048
    )
    short = [user("ok"), assistant("ok")] * 10
    assert counter.exact(short) <= counter.estimate(short), "their frames count as well"
    assert window_of(endpoint) == 2048
    assert window_of(replace(endpoint, context=0, on_close=None)) >= 2048, (
        "the server's own list of models says it, too"
    )


def test_what_a_memory_gives_the_engine_takes(endpoint):
    memory = Memory.of(endpoint, window=300, answer=40, system=SYSTEM)
    for number in range(12):
        memory.add(
            user(f"I am Ada, and my order {1000 + number} is late, which is a pity."),
            assistant("I am sorry to hear that."),
        )
    memory.add(user("Which order did I speak of last?"))
    fitted = memory.fit()
    reply = endpoint.chat(fitted, max_tokens=8)
    assert reply.prompt_tokens <= 260 and 4 < len(fitted) < 25
    assert "order: 1011" in fitted[0]["content"] and fitted[0]["content"].startswith(SYSTEM)


def test_a_summary_by_the_model_stands_in_for_old_turns_and_each_is_summed_up_once(endpoint):
    asked, before = [], endpoint.before
    endpoint.before = lambda request: asked.append(request) or request
    try:
        memory = Memory(fits, 44, answer=0, system=SYSTEM, strategies=[summarize(endpoint, keep=1, characters=60)])
        memory.add(
            user("My boots from order 1002 are wet. " * 3), assistant("Dry them slowly."), user("And the kettle?")
        )
        first, second = memory.fit(), memory.fit()
    finally:
        endpoint.before = before
    assert first == second and len(asked) == 1
    head = first[0]["content"].split("\n")
    assert head[0] == SYSTEM and head[1].startswith("Known:") and head[2].startswith("Earlier: ")
    assert 0 < len(head[2]) - len("Earlier: ") <= 60 and [one["content"] for one in first[1:]] == ["And the kettle?"]
