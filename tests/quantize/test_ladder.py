"""The ladder on the real model: scores that an independent sum confirms, and a command that says what is missing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit import intervals, quantize, weights
from labkit.quantize import child, ladder
from labkit.quantize.ladder import source_of
from labkit.quantize.texts import evaluation_text

# llama-perplexity's sum by another road: the high-level Llama object, every row's softmax in float64.
INDEPENDENT = """
import json, sys
import numpy as np
from llama_cpp import Llama
model, text, chunks = sys.argv[1], open(sys.argv[2], encoding="utf-8").read(), int(sys.argv[3])
llm = Llama(model, n_ctx=512, n_batch=512, logits_all=True, n_threads=1, verbose=False)
tokens = llm.tokenize(text.encode(), add_bos=False, special=False)
losses = []
for chunk in range(chunks):
    piece = tokens[chunk * 512 : (chunk + 1) * 512]
    llm.reset()
    llm.eval(piece)
    for at in range(256, 511):
        row = np.asarray(llm.scores[at], np.float64)
        losses.append(np.log(np.exp(row - row.max()).sum()) + row.max() - row[piece[at + 1]])
print(json.dumps(float(np.exp(np.mean(losses)))))
"""


@pytest.fixture(scope="session")
def able(require, endpoint):
    require("llama-cpp-python", child.available(), child.available().fix)


@pytest.fixture(scope="module")
def rungs(able):
    return {one.type: one for one in ladder("smollm2-135m", ["F16", "Q8_0", "Q4_K_M"], chunks=1)}


def test_of_f16_against_itself_nothing_is_lost(rungs):
    assert rungs["F16"].score["kl"] == 0.0 and rungs["F16"].score["same_top"] == 1.0
    assert rungs["F16"].written_by == "the source" and rungs["F16"].bits_per_weight == pytest.approx(16, abs=0.01)


def test_fewer_bits_lose_more(rungs):
    sizes = [rungs[name].size_bytes for name in ("F16", "Q8_0", "Q4_K_M")]
    losses = [rungs[name].score["kl"] for name in ("F16", "Q8_0", "Q4_K_M")]
    assert sizes == sorted(sizes, reverse=True) and losses == sorted(losses)
    assert rungs["Q8_0"].fell_back == 0 and rungs["Q4_K_M"].fell_back > 100, "576 is no multiple of 256"
    assert rungs["Q4_K_M"].types.keys() - {"Q4_K", "F32"}, "what fell back has a wider type"


def test_every_column_is_there(rungs):
    for one in rungs.values():
        row = one.to_dict()
        assert json.loads(json.dumps(row)) == row
        assert row["run"]["peak_bytes"] > 0.5 * row["size_bytes"] and row["run"]["load_seconds"] > 0
        assert row["run"]["prompt_speed"]["value"] > 0 and row["run"]["decode_speed"]["value"] > 0
        assert row["run"]["task"]["schema"]["rate"] == 1.0 and row["run"]["task"]["tool_choice"]["right"] in range(
            1, 13
        )
        assert row["text"] == "moby-dick"
        assert row["score"]["tokens"] == 255 and row["machine"] and row["date"]


def test_perplexity_is_llamacpps_formula(rungs):
    path = weights.ensure("smollm2-135m")
    python = os.environ.get(child.VARIABLE) or sys.executable
    command = [python, "-c", INDEPENDENT, str(path), str(evaluation_text()), "1"]
    other = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=200).stdout)
    found = rungs["F16"].score
    assert abs(found["perplexity"] - other) < 0.01 * found["perplexity_error"] + 0.01 * other


def test_nothing_of_the_work_is_left(rungs):
    from labkit.paths import home

    assert not list(home().glob("quantize-*"))


def test_without_the_extra_the_command_says_so_and_goes_on(endpoint, tmp_path):
    env = {**os.environ, child.VARIABLE: str(tmp_path / "no-python")}
    command = [sys.executable, "-m", "labkit.cli", "quantize", "--types", "Q4_0", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=200)
    assert "llama-cpp-python" in done.stderr and "left out" in done.stderr
    (row,) = json.loads(done.stdout)
    assert row["type"] == "Q4_0" and row["score"] is None and row["written_by"] == "gguf"


def test_a_named_file_is_taken_as_it_is(tmp_path):
    assert source_of(str(tmp_path / "mine.gguf")) == (tmp_path / "mine.gguf", "mine")


def test_the_text_ships_with_its_licence():
    text = evaluation_text().read_text(encoding="utf-8")
    assert len(text) > 200_000 and text.startswith("CHAPTER 1")
    assert "public domain" in (Path(evaluation_text()).parent / "README.md").read_text(encoding="utf-8")


def test_wilson_is_the_textbook_interval():
    assert intervals.wilson(0, 10) == pytest.approx((0, 0.2775), abs=1e-3)
    assert intervals.wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-3)
    assert intervals.wilson(10, 10)[1] == 1.0


def test_the_default_ladder_has_ten_rungs():
    assert len(quantize.LADDER) == 10 and quantize.LADDER[0] == "F16"
