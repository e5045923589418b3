"""The same agent and the same memory under Agent Framework: the same calls are made, and the model reads what fits."""

import asyncio
import functools

import pytest
from agent_framework import Agent, Content, Message

from labkit.agents.desk import Desk
from labkit.agents.history import MemoryHistory, from_message, to_message
from labkit.agents.memory import Memory
from labkit.agents.tool_agent import ToolAgent
from labkit.errors import ContextTooLong

TALK = [
    "Look up customer C-104, please.",
    "Where is my order?",
    "It's 1002.",
    "Open a ticket: the lamp flickers, it is urgent.",
    "Tell me a joke about cats.",
]


def noted(tools, calls):
    """Return the tools, each noting its calls: (name, arguments)."""

    def note(tool):
        @functools.wraps(tool)
        def noting(**arguments):
            calls.append((tool.__name__, arguments))
            return tool(**arguments)

        return noting

    return [note(tool) for tool in tools]


def by_our_loop(endpoint):
    calls, desk = [], Desk()
    agent = ToolAgent(endpoint, noted(desk.tools(), calls))
    texts = [agent.run(said).text for said in TALK]
    tickets, _ = desk.tickets(), desk.close()
    return calls, texts, tickets


def by_agent_framework(endpoint):
    calls, desk = [], Desk()

    async def talk():
        history = MemoryHistory(lambda session: Memory.of(endpoint))
        agent = Agent(
            client=endpoint.chat_client(),
            tools=noted(desk.tools(), calls),
            context_providers=[history],
            default_options={"max_tokens": 60},
        )
        session = agent.create_session()
        texts = [(await agent.run(said, session=session)).text for said in TALK]
        return texts, history.memory(session)

    texts, memory = asyncio.run(talk())
    tickets, _ = desk.tickets(), desk.close()
    return calls, texts, tickets, memory


def test_the_same_conversation_makes_the_same_calls(endpoint):
    calls, texts, tickets = by_our_loop(endpoint)
    theirs, their_texts, their_tickets, memory = by_agent_framework(endpoint)
    assert [name for name, _ in calls] == ["lookup_customer", "lookup_order_status", "create_ticket"]
    assert theirs == calls and their_tickets == tickets and len(tickets) == 3
    assert texts[1] == their_texts[1] == "I need to know more for that: order id." and all(texts) and all(their_texts)
    assert memory.facts["customer"] == "C-104" and not memory.open_calls()
    assert [one["content"] for one in memory.messages if one["role"] == "user"] == TALK


def test_a_long_session_is_cut_to_the_window_and_kept_whole_in_its_file(endpoint, tmp_path):
    """Its own words would be some 400 tokens; the memory allows 180."""
    asked = []

    async def talk():
        history = MemoryHistory(
            lambda session: Memory.of(endpoint, window=220, answer=40, file=tmp_path / f"{session}.json")
        )
        client = endpoint.chat_client(layer=False)
        agent = Agent(client=client, instructions="Say yes or no.", context_providers=[history],
                      default_options={"max_tokens": 4})  # fmt: skip
        session = agent.create_session(session_id="ada")
        for number in range(3):
            said = "I am Ada. " + f"Is it number {number}, or another one? " * 12
            reply = await agent.run(said, session=session)
            asked.append(reply.usage_details["input_token_count"])
        return len(history.memory(session).messages), len(await history.get_messages("ada"))

    assert asyncio.run(talk()) == (6, 6)
    assert 100 < max(asked) <= 180 and len(set(asked[1:])) == 1, "from the second on there is room for one turn alone"
    again = Memory.of(endpoint, file=tmp_path / "ada.json")
    assert len(again.messages) == 6 and again.facts == {"name": "Ada"}


def test_a_request_that_cannot_fit_is_a_typed_error_under_agent_framework(endpoint):
    async def run():
        history = MemoryHistory(lambda session: Memory.of(endpoint, window=100, answer=40))
        await Agent(client=endpoint.chat_client(layer=False), context_providers=[history]).run("What? " * 200)

    with pytest.raises(ContextTooLong):
        asyncio.run(run())


def test_sessions_do_not_share_what_they_know(endpoint):
    history = MemoryHistory(lambda session: Memory(lambda messages, room: True, 100))
    agent = Agent(client=endpoint.chat_client(), context_providers=[history])
    ada, bruno = agent.create_session(), agent.create_session()
    history.memory(ada).add({"role": "user", "content": "I am Ada."})
    assert history.memory(bruno).facts == {} and history.memory(ada).facts == {"name": "Ada"}


def test_messages_there_and_back():
    messages = [
        {"role": "user", "content": "Where is it?"},
        {"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "look", "arguments": '{"a": "§"}'}}]},
        {"role": "tool", "tool_call_id": "1", "content": "here"},
        {"role": "assistant", "content": "Here."},
    ]  # fmt: skip
    assert [one for message in messages for one in from_message(to_message(message))] == messages
    failed = Message("tool", [Content.from_function_result("1", exception="it broke")])
    assert from_message(failed) == [{"role": "tool", "tool_call_id": "1", "content": "Error: it broke"}]
    as_dict = Message("assistant", [Content.from_function_call("1", "look", arguments={"a": 1})])
    assert from_message(as_dict)[0]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert from_message(Message("system", ["Obey."])) == []
