"""The flip of lesson 03 on the real engine, by token ids: who ties, who tips, what repairs."""

import pytest

from labkit.errors import Refused
from labkit.quantize import served
from labkit.quantize.probe import next_tokens, prompt_of, token_ids

QUESTION = "What is the capital of France?"
THE, L = 504, 60
PARIS = [504, 3575, 282, 4649, 314, 7042, 30, 2]  # The capital of France is Paris.<|im_end|>


@pytest.fixture(scope="module")
def f16(endpoint):
    with served("smollm2-135m", "F16", context=512) as one:
        yield one


@pytest.fixture(scope="module")
def q8(endpoint):
    with served("smollm2-135m", "Q8_0", context=512) as one:
        yield one


@pytest.fixture(scope="module")
def ids(f16):
    return token_ids(f16, prompt_of(f16, QUESTION))


def test_f16_says_paris_and_q8_0_something_else(f16, q8, ids):
    assert ids[0] == 1, "the prompt begins with <|im_start|>"
    assert next_tokens(f16, ids).ids == PARIS
    assert next_tokens(q8, ids).ids[0] == L


def test_it_was_a_tie_that_the_first_token_makes(f16, q8, ids):
    assert abs(next_tokens(f16, ids).margin(THE, L)) < 0.3
    for one in (f16, q8):
        assert next_tokens(one, ids[1:]).ids == PARIS and next_tokens(one, ids[1:]).margin(THE, L) > 1
        assert next_tokens(one, [0, *ids[1:]]).margin(THE, L) > 1, "<|endoftext|> is a good first token"
    assert next_tokens(f16, [1, *ids]).ids[0] == L, "twice, and F16 itself flips"


def test_the_rounding_of_activations_tips_it(f16, ids):
    with served("smollm2-135m", "Q8_0", back_to="F16", context=512) as rounded_weights:
        assert next_tokens(rounded_weights, ids).ids == PARIS


def test_a_worked_example_repairs_it(q8):
    shown = "<|im_start|>user\nWhat is the capital of Italy?<|im_end|>\n<|im_start|>assistant\nThe capital of Italy is Rome."
    asked = f"<|im_end|>\n<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    after = next_tokens(q8, token_ids(q8, shown + asked))
    assert after.ids == PARIS and after.margin(THE, L) > 3


def test_what_the_server_refuses_is_said(f16):
    with pytest.raises(Refused, match="answers 400"):
        next_tokens(f16, [10**9])
    with pytest.raises(KeyError):
        next_tokens(f16, [1]).logprob(10**9)


def test_a_closed_endpoint_stops_its_engine(endpoint):
    one = served("smollm2-135m", "F16", context=256)
    process = one.process
    one.close()
    assert not process.alive
