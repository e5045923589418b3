"""One model in several formats: counting agreement by hand, the real engines side by side, and what is not here."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit import catalog, convert
from labkit.backends import BACKENDS, available
from labkit.errors import ConfigError
from labkit.quantize import formats
from labkit.quantize.agreement import agreement
from labkit.quantize.formats import questions
from labkit.quantize.forms import form, forms
from labkit.widgets.formats import formats_text

ANSWERS = st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=6)


def test_agreement_is_counted_up_to_the_first_difference():
    found = agreement([[1, 2, 3], [4, 5, 6], [7]], [[1, 2, 3], [4, 9, 6], [7, 8]])
    assert (found.next_token.right, found.next_token.n) == (3 + 1 + 1, 3 + 2 + 2), "what comes after counts for nothing"
    assert (found.same_answer.right, found.same_answer.n) == (1, 3)
    assert found.parted_at == (2, 2) and found.first_difference == 2
    assert found.to_dict()["same_answer"]["low"] == pytest.approx(0.0615, abs=1e-3), "Wilson, 1 of 3"


@given(ANSWERS)
def test_everything_agrees_with_itself(answers):
    found = agreement(answers, answers)
    assert found.next_token.right == found.next_token.n == sum(map(len, answers))
    assert found.same_answer.right == len(answers) and found.first_difference is None


@given(st.lists(st.tuples(*[st.lists(st.integers(0, 2), max_size=6)] * 2), max_size=6))
def test_agreement_does_not_depend_on_who_is_the_reference(pairs):
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    assert agreement(one, other) == agreement(other, one)


def test_the_table_names_engines_and_variants_that_exist():
    model = catalog.default_model()
    for one in forms():
        assert one.engine in BACKENDS and bool(one.level) != bool(one.variant), one.id
        if one.variant:
            source = model.source(one.engine, one.variant)
            assert source.format in (*convert.FORMS, "gguf-f16"), one.id
    assert forms()[0].level == "F16" and len(set(questions())) == 32
    with pytest.raises(ConfigError, match="onnx-int9") as caught:
        form("onnx-int9")
    assert "did you mean onnx-int" in caught.value.why


@pytest.fixture(scope="module")
def found(endpoint, require):
    require("onnx", available()["onnx"], available()["onnx"].fix)
    return formats("smollm2-135m", ["onnx-int8", "gguf-q4_0"], rounds=1, ask=4, answer_tokens=8)


def test_the_reference_comes_first_and_agrees_with_itself(found):
    ids = [one.form.id for one in found.measured]
    assert ids == ["gguf-f16", "onnx-int8", "gguf-q4_0"] and not found.missing
    first = found.measured[0]
    assert first.agreement.same_answer.rate == 1 and first.decode.ratio.value == first.load.ratio.value == 1


def test_every_form_is_smaller_was_asked_the_same_and_has_its_figures(found):
    first, *others = found.measured
    for one in others:
        assert one.size_bytes < 0.7 * first.size_bytes and one.same_prompt and one.peak_bytes > 0.5 * one.size_bytes
        assert one.prompt.value.value > 0 and one.decode.ratio.value > 0 and one.engine_version
        assert one.decode.ratio.value == pytest.approx(one.decode.value.value / first.decode.value.value)
    assert found.measured[1].agreement.next_token.rate > 0.8, "eight bits of the same weights"
    assert json.loads(json.dumps(found.to_dict()))["measured"][1]["form"]["engine"] == "onnx"
    assert "onnx-int8" in formats_text(found)


NO_ONNX = """
import sys
from labkit.backends import Availability, onnx
from labkit.cli import main
onnx.available = lambda: Availability(False, why="the package is not installed", fix="pip install 'labkit[onnx]'")
sys.argv = ["labkit", "bench", "formats", "--form", "onnx-int8", "--rounds", "1", "--ask", "1", "--tokens", "2", *sys.argv[1:]]
main()
"""


def test_a_form_that_is_not_here_is_named_with_its_fix(endpoint):
    done = subprocess.run([sys.executable, "-c", NO_ONNX], capture_output=True, text=True, timeout=100)
    assert "Not here: onnx-int8 (ONNX, 8 bits)." in done.stdout and "pip install 'labkit[onnx]'" in done.stdout
    assert done.returncode == 0 and "gguf-f16" in done.stdout
