"""Which engine for what: rules hold to their table, machines bar what cannot run there, figures replace guesses."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from labkit import hardware
from labkit.backends import BACKENDS, Capability
from labkit.bench.results import Engine, Level
from labkit.bench.stats import Range, spread
from labkit.conformance import CHECKS, Result
from labkit.errors import ConfigError
from labkit.footprint import Footprint
from labkit.hardware import Fact, Gpu
from labkit.widgets.runtime_chooser import (
    FIGURES,
    _table,
    choose,
    facts,
    questions,
    runtime_chooser,
    runtime_html,
    runtime_text,
)

EVIL = "<b onload='x'>&"


def a_machine(system="Linux 6", chip="x86_64", gpus=(), source="NVML: none"):
    return replace(
        hardware.machine(),
        os=Fact(system, ""),
        architecture=Fact(chip, ""),
        gpus=Fact(gpus, source),
        npu=Fact(None, ""),
    )


PLAIN = a_machine()
MAC = a_machine("Darwin 24", "arm64", (Gpu("Apple M2", None, None, None, ""),), "system_profiler")
WINDOWS = a_machine("Windows 11", "AMD64")
CARD = a_machine(gpus=(Gpu("NVIDIA H100", 2**36, 2**36, "560", ""),), source="NVML")


def level(concurrency, rate, ttft=100.0, completed=4):
    times = dict.fromkeys(("ttft_ms", "tpot_ms", "itl_ms", "latency_ms"), spread([ttft]))
    rates = {"requests_per_second": Range(1, 1, 1), "output_tokens_per_second": Range(rate, rate, rate)}
    return Level(concurrency, 1, 4, completed, {}, (60, 60), (12, 12), **times, **rates, by_round=())


def engine(name, one=10.0, sixteen=20.0, ttft=100.0, start=2.0, mb=500, replayed=""):
    levels = (level(1, one, ttft), level(16, sixteen, ttft))
    memory = Footprint(int(mb * 1e6), None, 1)
    return Engine(
        name, "1", "m", "2026-11-22", "here", "honoured", levels, Range(start, start, start), memory, memory,
        replayed=replayed,
    )  # fmt: skip


def seen(name, **noes):
    checks = {one.name: Capability(one.name not in noes, noes.get(one.name, "fine")) for one in CHECKS}
    return Result(name, "1", "m", "here", "2026-11-22", 1.0, checks, {})


def by_name(answers=None, machine=PLAIN, measured=(), known=None):
    return {one.engine: one for one in choose(answers or {}, machine, measured, known or {})}


def test_the_table_names_only_what_exists():
    answers = {name: {one for one, _ in row["answers"]} for name, row in questions().items()}
    told = {"system": {"Linux", "Windows", "Darwin"}, "chip": {"x86_64", "arm64"}}
    allowed = answers | told | {"gpu": {"none", "nvidia", "apple", "other"}}
    for row in [*_table()["rule"], *_table()["measure"], *_table()["need"]]:
        for name, wanted in row["when"].items():
            assert set(wanted if isinstance(wanted, list) else [wanted]) <= allowed[name], row
        assert set(row.get("engines", ())) <= BACKENDS.keys()
        assert row.get("figure", "start") in FIGURES
        assert row.get("check", "n") in {one.name for one in CHECKS}
    for rule in _table()["rule"]:
        assert rule["why"].endswith(".") and bool(rule.get("points")) != bool(rule.get("bars")), rule


def test_every_answer_matters():
    used = {(name, one) for kind in ("rule", "measure", "need") for row in _table()[kind]
            for name, wanted in row["when"].items() for one in (wanted if isinstance(wanted, list) else [wanted])}  # fmt: skip
    neutral = {("life", "mixed"), ("life", "long"), ("models", "one"), ("memory", "any"), ("setup", "some"),
               ("setup", "much"), ("feature", "none")}  # fmt: skip
    for name, row in questions().items():
        for answer, _ in row["answers"]:
            assert ((name, answer) in used) != ((name, answer) in neutral), (name, answer)


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (PLAIN, {"system": "Linux", "chip": "x86_64", "gpu": "none"}),
        (MAC, {"system": "Darwin", "chip": "arm64", "gpu": "apple"}),
        (WINDOWS, {"system": "Windows", "chip": "x86_64", "gpu": "none"}),
        (CARD, {"system": "Linux", "chip": "x86_64", "gpu": "nvidia"}),
        (a_machine(chip="aarch64"), {"system": "Linux", "chip": "arm64", "gpu": "none"}),
    ],
)
def test_facts_of_a_machine(machine, expected):
    assert facts(machine) == expected


def test_a_machine_bars_what_cannot_run_there():
    assert "WSL" in by_name(machine=WINDOWS)["vllm"].barred and "macOS" in by_name(machine=MAC)["vllm"].barred
    assert not by_name()["vllm"].barred
    assert "Apple silicon" in by_name()["mlx"].barred and not by_name(machine=MAC)["mlx"].barred
    for machine in (PLAIN, MAC, WINDOWS, CARD):
        found = choose({}, machine, seen={})
        assert len(found) == len(BACKENDS)
        assert [bool(one.barred) for one in found] == sorted(bool(one.barred) for one in found), "barred ones last"
        points = [one.points for one in found if not one.barred]
        assert points == sorted(points, reverse=True)


def test_the_guides_of_the_module_decide_where_nothing_was_measured():
    first = {
        ("many", "notebook", "some"): "ollama",
        ("vendor", "app", "little"): "foundry",
    }
    for (models, where, setup), expected in first.items():
        assert choose({"models": models, "where": where, "setup": setup}, PLAIN, seen={})[0].engine == expected
    service = {"company": "many", "where": "service", "life": "long", "setup": "much"}
    assert choose(service, CARD, seen={})[0].engine == "vllm"


def test_a_figure_takes_the_place_of_the_guess():
    service = {"company": "many", "where": "service"}
    guessed = by_name(service)
    assert any("continuous batching" in one for one in guessed["vllm"].reasons)
    measured = by_name(service, measured=[engine("vllm", sixteen=50), engine("ollama", sixteen=100)])
    assert not any("continuous batching" in one for one in measured["vllm"].reasons)
    assert any("+1.5  Measured here: 50 tokens/s with 16 at once." in one for one in measured["vllm"].reasons)
    assert any("+3.0  Measured here: 100 tokens/s" in one for one in measured["ollama"].reasons)
    assert guessed["llamacpp"].points == measured["llamacpp"].points


@pytest.mark.parametrize(
    ("answers", "good", "bad"),
    [
        ({"life": "short"}, {"start": 1.0}, {"start": 40.0}),
        ({"memory": "tight"}, {"mb": 300}, {"mb": 4000}),
        ({"company": "one"}, {"one": 50.0}, {"one": 10.0}),
        ({"company": "one"}, {"ttft": 50.0}, {"ttft": 500.0}),
        ({"company": "few"}, {"sixteen": 90.0}, {"sixteen": 20.0}),
    ],
)
def test_better_figures_earn_more(answers, good, bad):
    before = by_name(answers | {"setup": "some"})
    after = by_name(answers | {"setup": "some"}, measured=[engine("onnx", **good), engine("foundry", **bad)])
    earned = {name: after[name].points - before[name].points for name in ("onnx", "foundry")}
    assert earned["onnx"] > earned["foundry"] > 0


def test_recorded_figures_and_a_single_one_earn_nothing():
    service = {"company": "many"}
    recorded = [engine("vllm"), engine("ollama", replayed="replayed: recorded on …")]
    for measured in (recorded, [engine("ollama", replayed="replayed: …")] * 2):
        found = by_name(service, measured=measured)
        assert not any("Measured" in reason for one in found.values() for reason in one.reasons)
        assert any("OLLAMA_NUM_PARALLEL" in one for one in found["ollama"].reasons), "the guess stays"


def test_a_level_at_which_everything_failed_is_no_figure():
    broken = replace(engine("onnx"), levels=(level(16, float("nan"), completed=0),))
    found = by_name({"company": "many"}, measured=[broken, engine("foundry"), engine("ollama")])
    assert not any("Measured" in one for one in found["onnx"].reasons) and math.isfinite(found["onnx"].points)


def test_what_an_engine_cannot_do_bars_it_and_says_what_was_seen():
    known = {
        "ollama": seen("ollama", logit_bias="forbidden tokens come all the same"),
        "vllm": seen("vllm"),
        "onnx": None,
    }
    found = by_name({"feature": "logit_bias"}, known=known)
    assert found["ollama"].barred == "It cannot do logit_bias: forbidden tokens come all the same"
    assert not found["vllm"].barred and not found["onnx"].barred
    assert not by_name({"feature": "none"}, known=known)["ollama"].barred


def test_shipped_results_are_asked_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert {one.engine: one for one in choose({"feature": "logit_bias"}, PLAIN)}["ollama"].barred


@pytest.mark.parametrize("answers", [{"company": "legion"}, {"colour": "blue"}])
def test_unknown_questions_and_answers_are_refused(answers):
    with pytest.raises(ConfigError, match=r"the (answers|questions) are"):
        choose(answers, PLAIN, seen={})


def test_both_twins_say_the_same_and_escape():
    found = choose({"feature": "n"}, PLAIN, seen={"foundry": seen("foundry", n=EVIL)})
    text, html = runtime_text(found, {"feature": "n"}), runtime_html(found)
    assert "What must it be able to do? several answers to one request" in text
    for one in found:
        assert f'<th scope="row">{one.engine}</th>' in html and f"\n{one.engine} " in text
        for reason in [one.barred] if one.barred else one.reasons:
            assert reason in text
    assert EVIL in text and "<b onload" not in html and "&lt;b onload" in html


def test_the_widget_follows_its_lists():
    chooser = runtime_chooser([engine("vllm"), engine("ollama")], company="many")
    assert chooser.answers["company"] == "many" and "20 tokens/s with 16 at once" in chooser.text
    before = [one.engine for one in chooser.choices]
    chooser._lists["models"].set_state({"index": 3})
    assert chooser.answers["models"] == "vendor" and "checked catalogue" in chooser.text
    assert [one.engine for one in chooser.choices] != before
    assert chooser._table.value.rpartition("</style>")[2] in chooser.html
    bundle = chooser._repr_mimebundle_()
    assert bundle["text/plain"] == chooser.text and "run the cell to choose" in bundle["text/html"]


def test_the_module_loads_neither_ipywidgets_nor_the_bench():
    code = "import json, sys, labkit.widgets.runtime_chooser; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert not {"ipywidgets", "plotly", "openai", "labkit.bench.load", "labkit.conformance"} & set(loaded)
