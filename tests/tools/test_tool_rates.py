"""The five rates: intervals, judgement of one item, weights that are the ones fitted."""

import pytest

from labkit.errors import BadCall, ConfigError
from labkit.intervals import Rate
from labkit.tools import Call, Decision
from labkit.tools.items import items, toolbox
from labkit.tools.rates import MODES, judge, measure


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 1, 0.2065, 1.0)],
)  # the third row is Wilson's interval as Newcombe (1998) prints it
def test_wilson_intervals_are_the_published_ones(hits, of, low, high):
    rate = Rate(hits, of)
    assert (round(rate.low, 4), round(rate.high, 4)) == (low, high)


def test_nothing_counted_says_nothing():
    assert (Rate(0, 0).low, Rate(0, 0).high) == (0.0, 1.0)


def one(kind: str):
    return next(item for item in items("dev") if item.kind == kind and (item.call or kind == "none"))


def decision(item, **arguments):
    return Decision(calls=[Call(toolbox("dev")[item.call], arguments)])


def test_a_right_call_a_wrong_value_and_a_wrong_tool_are_told_apart():
    item = one("several")
    right = {name: accepted[0] for name, accepted in item.args.items() if accepted[0] is not None}
    good = judge(item, decision(item, **right))
    assert (good.parses, good.fits, good.right_tool, good.right_call) == (True, True, True, True)
    wrong = judge(item, decision(item, **{**right, item.tools[1].required[0]: 1234567}))
    assert wrong.right_tool and not wrong.right_call
    other = next(tool for tool in item.tools if tool.name != item.call)
    assert not judge(item, Decision(calls=[Call(other, {})])).right_tool


@pytest.mark.parametrize("kind", ["none", "missing"])
def test_abstention_is_right_only_where_no_call_is(kind):
    assert judge(one(kind), Decision()).abstained and not judge(one("one"), Decision()).abstained
    assert not judge(one(kind), Decision(error=BadCall("x"))).abstained
    called = Decision(calls=[Call(one(kind).tools[0], {})])
    assert not judge(one(kind), called).abstained and not judge(one(kind), called).right_call


def test_what_cannot_be_read_and_what_does_not_fit_are_counted_apart():
    unread = judge(one("one"), Decision(error=BadCall("The model wrote no JSON.")))
    unfit = judge(one("one"), Decision(error=BadCall("The call of f does not fit its schema.")))
    assert (unread.parses, unread.fits, unfit.parses, unfit.fits) == (False, False, True, False)


def test_another_mode_is_refused():
    with pytest.raises(ConfigError, match="no mode"):
        measure(None, "dev", "best")


def test_the_shipped_weights_are_the_ones_that_the_development_half_gives():
    from labkit.tools.relevance import _weights
    from labkit.tools.weigh import fit

    assert fit() == pytest.approx(_weights(), abs=0.02), "run labkit tools fit"


def test_the_shipped_word_vectors_are_those_of_the_weights(tmp_path, require):
    import numpy as np

    from labkit import catalog, weights
    from labkit.tools import vectors

    here = weights.present(catalog.model("smollm2-135m"))
    require("weights", here, "labkit pull smollm2-135m")
    assert 20_000 < vectors.make(here, tmp_path / "made.npz") <= vectors.WORDS
    with (
        np.load(tmp_path / "made.npz", allow_pickle=False) as made,
        np.load(vectors.file(), allow_pickle=False) as shipped,
    ):
        assert bytes(made["words"]) == bytes(shipped["words"])
        a, b = made["vectors"].astype(float), shipped["vectors"].astype(float)
    # The directions of a singular value decomposition have no sign: compare what is used, the cosines.
    a, b = (m[:400] / np.linalg.norm(m[:400], axis=1, keepdims=True) for m in (a, b))
    assert np.allclose(a @ a.T, b @ b.T, atol=0.02)


def test_words_of_one_meaning_are_near():
    from labkit.tools.vectors import alike

    near = alike(["movie", "refund", "zzqx"], ["film", "repayment", "mountain", "zzqx"])
    assert near[0].argmax() == 0 and near[1].argmax() == 1 and near[2, 3] == 1 and near[2, 0] == 0


# -- with the real engine -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_a_few_items_on_the_real_engine(endpoint, mode):
    found = measure(endpoint, "dev", mode, limit=1)
    assert found.rates["right call"].of == 3 and found.rates["right abstention"].of == 2
    if mode != "native":  # what the engine is held to, it keeps
        assert found.rates["parses"].hits == found.rates["fits the schema"].hits == 5
    if mode == "two-stage":
        assert found.rates["right call"].hits >= 2
    if mode == "schema":
        assert found.asks == 1 and found.completion_tokens > 5
    assert "right tool" in found.table() and found.to_dict()["mode"] == mode


def test_the_model_chooses_between_values_that_are_close(endpoint):
    from labkit.tools import Usage, call

    usage = Usage()
    tool = next(item for item in items("dev") if item.call == "open_ticket").tools[0]
    tool = toolbox("dev")["open_ticket"] if tool.name != "open_ticket" else tool
    found = call(endpoint, "Please open a ticket: my lamp flickers.", [tool], usage=usage)
    assert usage.asks == 1 and "the model read issue" in found.trace
    assert found.calls[0].arguments["issue"].lower() in "please open a ticket: my lamp flickers."


def test_a_whole_turn_with_the_desk(endpoint):
    from labkit.agents.desk import Desk
    from labkit.tools import answer

    found = answer(endpoint, "Where is my order 1002?", Desk().tools())
    assert found.decision.calls[0].arguments == {"order_id": "1002"}
    assert found.results[0].value["thing"] == "boots" and found.text
    asked = answer(endpoint, "Where is my order?", Desk().tools())
    assert "order id" in asked.text and not asked.results


def test_an_agent_on_the_real_engine(endpoint):
    import asyncio

    from agent_framework import Agent

    from labkit.agents.desk import Desk

    desk = Desk()
    agent = Agent(client=endpoint.chat_client(), tools=desk.tools())
    answer = asyncio.run(agent.run("Run diagnostics on kettle-5, please."))
    calls = [c for m in answer.messages for c in m.contents if c.type == "function_call"]
    assert [(c.name, dict(c.arguments)) for c in calls] == [("run_diagnostics", {"device_id": "kettle-5"})]
    assert answer.text
