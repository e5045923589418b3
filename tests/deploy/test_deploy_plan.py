"""Presets and their commands: exact texts, the installed engines' own word, and what is refused."""

import json
import os
import subprocess
import sys
import tomllib

import pytest
from tiny_llama import CONTEXT, write_gguf

from labkit import paths
from labkit.backends import available
from labkit.deploy import accepts, check
from labkit.deploy.manifest import Manifest
from labkit.deploy.plan import plan, preset_manifest
from labkit.deploy.scenarios import Launch, engines, launch, presets

LAPTOP = check.Hardware("laptop", 0, None, 16 * 2**30)
SERVER = check.Hardware("server", 1, 24 * 2**30, 64 * 2**30)


@pytest.fixture
def vllm(require):
    here = available()["vllm"]
    require("vllm", here, here.fix)


@pytest.fixture
def ollama(require):
    here = available()["ollama"]
    require("ollama", here, here.fix)


@pytest.mark.parametrize("preset", presets())
def test_the_exact_commands_and_refusals_of_a_preset(preset, golden):
    cases = [("vllm", LAPTOP), ("vllm", SERVER), ("llamacpp", LAPTOP), ("ollama", SERVER)]
    texts = [plan(preset_manifest(preset, engine=engine), here, ask=False).text() for engine, here in cases]
    golden(f"presets/{preset}.txt", "\n\n".join(texts))


def test_every_setting_of_every_preset_is_said_or_explained():
    table = tomllib.loads((paths.data_dir() / "scenarios.toml").read_text(encoding="utf-8"))
    for name, row in engines().items():
        for preset in table["presets"].values():
            assert set(preset) <= set(row["settings"]) | set(row["why"]), name


def test_vllm_itself_takes_the_presets_and_refuses_what_the_module_says(vllm):
    new = [launch("vllm", one, model="org/Model", name="m") for one in presets().values()]
    old = [
        ["--speculative-model", "small_draft_model"],
        ["--guided-decoding-backend", "outlines"],
        ["--disable-log-requests"],
        ["--gpu-memory-utilization", "most"],
        ["--structured-outputs-config", '{"backend": "outline"}'],
    ]
    said = accepts.ask("vllm", new + [Launch(["vllm", "serve", "org/Model", *options]) for options in old])
    assert [one.ok for one in said] == [True] * len(new) + [False] * len(old), [one.why for one in said]
    for one, options in zip(said[len(new) :], old, strict=True):
        assert options[0] in one.why


def test_llamacpp_knows_the_options(require):
    require("llamacpp", available()["llamacpp"], "pip install xllamacpp")
    new = [launch("llamacpp", one, model="m.gguf", name="m") for one in presets().values()]
    said = accepts.ask("llamacpp", [*new, Launch(["llama-server", "--ctx-sise", "64"])])
    assert [one.ok for one in said] == [True] * 5 + [False], [one.why for one in said]
    if "for the options' names" in said[-1].by:
        assert "did you mean --ctx-size?" in said[-1].why


def test_ollama_knows_the_variables(ollama):
    new = [launch("ollama", one, model="m", name="m") for one in presets().values()]
    said = accepts.ask("ollama", [*new, Launch(["ollama", "serve"], {"OLLAMA_NUM_PARALEL": "2"})])
    assert [one.ok for one in said] == [True] * 5 + [False], [one.why for one in said]
    assert "did you mean OLLAMA_NUM_PARALLEL?" in said[-1].why


def test_an_engine_that_is_not_here_is_said_to_be_unasked(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_VLLM", str(tmp_path / "none"))
    found = plan(preset_manifest("DEVELOPMENT"), SERVER)
    assert found.ok and found.starts[0].verdict.ok is None
    assert "could not be asked" in found.text(explain=True)


def _one(**model) -> Manifest:
    row = {"name": "m", "engine": "vllm", "port": 8000, **model}
    return Manifest.model_validate({"schema_version": 1, "name": "n", "models": [row]})


def test_a_folder_says_itself_how_it_is_quantized(tmp_path):
    def refused(method: str) -> bool:
        (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": method}}))
        found = _one(source=str(tmp_path), scenario="STAGING")
        return any("quantization awq" in one.what for one in plan(found, SERVER, ask=False).refusals)

    assert refused("gptq") and not refused("awq")


def test_a_folder_and_a_file_say_themselves_what_context_they_have(tmp_path):
    config = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 64, "max_position_embeddings": 512}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (refusal,) = plan(_one(source=str(tmp_path)), SERVER, ask=False).refusals
    assert refusal.why == "the model was made for 512"
    file = tmp_path / "tiny.gguf"
    write_gguf(file)
    short = plan(_one(source=str(file), engine="llamacpp", settings={"max_model_len": 2048}), SERVER, ask=False)
    assert [one.why for one in short.refusals] == [f"the model was made for {CONTEXT}"]


def test_the_context_that_is_offered_instead_fits():
    asked = {"source": "phi-3.5-mini", "settings": {"max_model_len": 65536, "gpu_memory_utilization": 0.9}}
    (refusal,) = plan(_one(**asked), SERVER, ask=False).refusals
    most = int(refusal.fix.split("max_model_len: ")[1].rstrip("}"))
    for length, ok in ((most, True), (most + 1, False)):
        settings = {**asked["settings"], "max_model_len": length}
        assert plan(_one(source="phi-3.5-mini", settings=settings), SERVER, ask=False).ok is ok


def test_what_cannot_be_checked_is_said():
    (start,) = plan(_one(source="org/Something-AWQ", scenario="STAGING"), SERVER, ask=False).starts
    assert "neither in `labkit models` nor on this disk" in start.unchecked[0]


def labkit(*arguments, **environment) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "labkit.cli", "deploy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=200)


def test_the_command_says_by_its_status_whether_the_plan_stands(tmp_path):
    absent = {"LABKIT_VLLM": str(tmp_path / "none")}
    done = labkit("plan", "enterprise", "--json", **absent)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and not told["ok"] and told["starts"][0]["command"][0] in ("vllm", "python")
    assert any("8 GPUs" in one["what"] for one in told["refusals"])
    done = labkit("plan", "PRODUCTION_MEDIUM")
    assert done.returncode == 2 and "the presets are DEVELOPMENT" in done.stderr


def test_every_replica_that_may_come_counts():
    def refused(most: int) -> list[str]:
        found = _one(source="phi-3.5-mini", replicas={"min": 1, "max": most}, settings={"gpu_memory_utilization": 0.5})
        return [one.what for one in plan(found, SERVER, ask=False).refusals]

    assert refused(2) == [] and refused(3) == ["GPU shares on server sum to 1.5"]
    both = Manifest.model_validate(
        {
            **{"schema_version": 1, "name": "n"},
            "models": [
                {"name": name, "source": "phi-3.5-mini", "port": port, "settings": {"max_num_seqs": 8}}
                for name, port in (("a", 8000), ("b", 8001))
            ],
        }
    )
    (refusal,) = plan(both, LAPTOP, ask=False).refusals
    assert refusal.what.startswith("the models on laptop need ")
