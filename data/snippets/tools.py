"""Schemas and execution without a model; with one where BASE_URL, API_KEY and MODEL are set."""

import os
from types import SimpleNamespace

import pytest

from labkit import tools


def price(thing: str, pieces: int = 1) -> int:
    """Look up what a thing costs.

    thing: what is for sale, such as boots
    """
    return {"boots": 89, "lamp": 35}[thing] * pieces


def test_a_function_becomes_a_schema():
    tool = tools.as_tool(price)
    assert tool.required == ["thing"] and tool.properties["thing"]["description"].startswith("what is for sale")


def test_what_fails_is_a_result_and_not_a_crash():
    ledger = tools.Ledger()
    assert ledger.run(tools.as_tool(price), {"thing": "lamp", "pieces": 2}).value == 70
    assert not ledger.run(tools.as_tool(price), {"thing": "hat"}).ok
    assert not ledger.run(tools.as_tool(price), {"pieces": 2}).ok


def test_a_model_calls_it():
    if not os.environ.get("BASE_URL"):
        pytest.skip("no server: set BASE_URL, API_KEY and MODEL")
    import openai

    client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"])

    def chat(messages, **wishes):
        reply = client.chat.completions.create(model=os.environ["MODEL"], messages=messages, **wishes)
        usage = reply.usage
        return SimpleNamespace(
            text=reply.choices[0].message.content,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            seconds=0.0,
        )

    decision = tools.call(SimpleNamespace(chat=chat), "What does the lamp cost?", [price])
    assert [call.tool.name for call in decision.calls] == ["price"]
