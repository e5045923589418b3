"""Engines by hardware: a figure stands only in the row of the machine and the engine that it was measured on."""

from dataclasses import replace

import pytest

from labkit import hardware
from labkit.backends import BACKENDS
from labkit.backends.onnx import available, providers
from labkit.hardware import Fact
from labkit.quantize.agreement import agreement
from labkit.quantize.formats import Figure, Formats, Measured, Missing
from labkit.quantize.forms import form
from labkit.quantize.measure import Spread
from labkit.widgets.formats import formats_text
from labkit.widgets.frameworks import frameworks


def measured(name, ratio, same_prompt=True):
    figure = Figure(Spread(10 * ratio, 0), Spread(ratio, 0))
    same = agreement([[1, 2]], [[1, 2]])
    return Measured(form(name), "1", 10**8, 10**8, figure, figure, figure, same_prompt, same)


def found(*more):
    gone = Missing(form("mlx-f32"), "The engine mlx is not here.", "<not> installed", "pip install 'labkit[mlx]'")
    return Formats("m", "some machine", "2026-11-22", 1, 1, 8, (measured("gguf-f16", 1.0), *more), (gone,))


def machine(system, chip):
    here = hardware.machine()
    return replace(here, os=Fact(f"{system} 1", "test"), architecture=Fact(chip, "test"), gpus=Fact((), "test"))


def rows(machine, *more):
    return {(row.engine, row.on): row for row in frameworks(found(*more), machine).rows}


def test_figures_stand_in_the_rows_of_this_machine_alone():
    table = rows(machine("Linux", "x86_64"), measured("onnx-int8", 2.5), measured("openvino-f16", 3.0))
    assert table["onnx", "CPU"].here == "onnx-int8 reads × 2.5, writes × 2.5"
    assert "gguf-f16 reads 10" in table["llamacpp", "CPU, x86-64"].here
    seen = {key for key, row in table.items() if row.measured}
    assert seen == {("llamacpp", "CPU, x86-64"), ("onnx", "CPU"), ("openvino", "CPU, x86-64")}
    assert table["onnx", "AMD GPU, under Linux"].here == "not measured here"


def test_another_machine_has_other_rows():
    table = rows(machine("Darwin", "arm64"))
    assert table["llamacpp", "Apple silicon"].measured and not table["llamacpp", "CPU, x86-64"].measured
    assert table["mlx", "Apple silicon"].here == "not here: <not> installed"
    assert table["mlx", "CPU, under Linux"].here == "not measured here"
    assert table["vllm", "CPU, under Linux"].here == "not measured here"


def test_every_engine_has_a_row_and_every_row_stands_in_both_forms():
    table = frameworks(found(measured("onnx-int8", 2.5)), machine("Linux", "x86_64"))
    assert {row.engine for row in table.rows} == set(BACKENDS)
    for row in table.rows:
        assert row.on in table.text and row.on in table.html and row.needs in table.text
    assert "<not>" not in table.html and "&lt;not&gt;" in table.html
    assert str(table) == repr(table) == table.text


def test_what_is_missing_or_was_asked_something_else_is_said():
    text = formats_text(found(measured("onnx-int8", 2.5, same_prompt=False)))
    assert "Not here: mlx-f32 (MLX, float32)." in text and "Try: pip install 'labkit[mlx]'" in text
    assert "onnx-int8: the engine made another prompt" in text
    assert "another prompt" not in formats_text(found(measured("onnx-int8", 2.5)))
    assert "mlx-bf16: Under Linux" in formats_text(found(measured("mlx-bf16", 0.2)))


def test_the_build_says_which_providers_it_has(require):
    require("onnx", available(), available().fix)
    known = providers()
    assert known["CPUExecutionProvider"] and "MIGraphXExecutionProvider" in known
    assert "ROCMExecutionProvider" not in known, "the correction of data/runtimes.toml"


@pytest.mark.parametrize("name", ["llamacpp", "onnx", "mlx", "openvino"])
def test_one_row_of_an_engine_at_most_is_this_machines(name):
    for here in (machine("Linux", "x86_64"), machine("Linux", "arm64"), machine("Darwin", "arm64")):
        own = [row for row in frameworks(found(), here).rows if row.engine == name and row.here != "not measured here"]
        assert len(own) <= 1
