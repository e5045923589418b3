"""Files of the ladder: right blocks, right refusals, whole or not at all."""

import os
import signal
import subprocess
import sys
import time

import gguf
import numpy as np
import pytest
from tiny_llama import write_gguf

from labkit import disk, gguf_file
from labkit.errors import BadModelFile, ConfigError, EngineMissing, NoSpace, QuantizeError, WeightsError
from labkit.quantize import child, rung, write
from labkit.quantize.rungs import RUNGS
from labkit.quantize.write import fallbacks, types_used


@pytest.fixture
def model(tmp_path):
    return write_gguf(tmp_path / "tiny.gguf")


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """As on a machine without llama-cpp-python."""
    monkeypatch.setenv(child.VARIABLE, str(tmp_path / "no-python"))
    assert not child.available()


@pytest.fixture
def llamacpp(require):
    require("llama-cpp-python", child.available(), child.available().fix)


@pytest.mark.parametrize("name", ["Q8_0", "Q5_1", "Q4_0", "BF16"])
def test_simple_types_are_what_the_gguf_package_writes(model, tmp_path, alone, name):
    header = write(model, name, tmp_path / "out.gguf")
    main = RUNGS[name].main
    for tensor in header.tensors:
        source = next(one for one in gguf_file.read_header(model).tensors if one.name == tensor.name)
        numbers = gguf_file.read_tensor(model, source)
        assert tensor.dtype == ("F32" if numbers.ndim == 1 else main)
        wanted = numbers if numbers.ndim == 1 else gguf.quantize(numbers, gguf.GGMLQuantizationType[main])
        written = (tmp_path / "out.gguf").read_bytes()[tensor.offset : tensor.offset + tensor.nbytes]
        assert written == np.ascontiguousarray(wanted).tobytes()
    assert header.metadata["general.file_type"] == RUNGS[name].file_type


def test_bits_are_counted_over_the_files_real_bytes(model, tmp_path, alone):
    header = write(model, "Q8_0", tmp_path / "out.gguf")
    reader = gguf.GGUFReader(tmp_path / "out.gguf")
    bits = 8 * sum(int(one.n_bytes) for one in reader.tensors) / sum(int(one.n_elements) for one in reader.tensors)
    assert header.bits_per_weight == pytest.approx(bits)


def test_our_file_types_are_llamacpps():
    for name, one in RUNGS.items():
        known = {"F16": "MOSTLY_F16", "BF16": "MOSTLY_BF16"}.get(name, f"MOSTLY_{name}")
        assert gguf.LlamaFileType[known] == one.file_type, name


def test_without_the_extra_k_quants_say_what_to_do(model, tmp_path, alone):
    with pytest.raises(EngineMissing, match="compiled once") as error:
        write(model, "Q4_K_M", tmp_path / "out.gguf")
    assert "labkit[quantization]" in error.value.fix or "conda" in error.value.fix
    assert not (tmp_path / "out.gguf").exists()


def test_a_quantized_source_is_refused_unless_one_insists(model, tmp_path, alone):
    write(model, "Q8_0", tmp_path / "q8.gguf")
    with pytest.raises(QuantizeError, match=r"quantized already.*Q8_0"):
        write(tmp_path / "q8.gguf", "Q4_0", tmp_path / "out.gguf")
    header = write(tmp_path / "q8.gguf", "Q4_0", tmp_path / "out.gguf", requantize=True)
    assert types_used(header)["Q4_0"] > 1


def test_rows_that_do_not_divide_fall_back_or_are_refused(model, tmp_path, alone):
    header = gguf_file.read_header(model)
    assert not fallbacks(header, rung("Q8_0"))
    odd = fallbacks(header, rung("Q4_K_M"))
    assert len(odd) == sum(len(one.shape) == 2 for one in header.tensors), "no row here is a multiple of 256"
    with pytest.raises(QuantizeError, match="no multiple of 256"):
        write(model, "Q4_K_M", tmp_path / "out.gguf", no_fallback=True)


def test_unknown_types_are_refused_with_the_nearest(model, tmp_path):
    with pytest.raises(ConfigError, match="did you mean Q4_K_M"):
        write(model, "Q4_KM", tmp_path / "out.gguf")
    assert rung("q4_k_m").name == "Q4_K_M"


def test_what_is_no_gguf_is_refused(tmp_path):
    (tmp_path / "page.gguf").write_text("<html>sign in</html>")
    with pytest.raises(BadModelFile, match="web page"):
        write(tmp_path / "page.gguf", "Q8_0", tmp_path / "out.gguf")


def test_nothing_is_written_over(model, tmp_path, alone):
    (tmp_path / "out.gguf").write_text("mine")
    with pytest.raises(WeightsError, match="there already"):
        write(model, "Q8_0", tmp_path / "out.gguf")
    assert (tmp_path / "out.gguf").read_text() == "mine"


def test_a_full_disk_is_said_before_anything_is_written(model, tmp_path, alone, monkeypatch):
    monkeypatch.setattr(disk, "SPARE", 1 << 60)
    with pytest.raises(NoSpace):
        write(model, "Q8_0", tmp_path / "out.gguf")
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name and one.suffix != ".lock"] == []


def test_a_file_that_reads_back_wrong_never_was(model, tmp_path, alone, monkeypatch):
    def half(src, dst, *_):
        dst.write_bytes(model.read_bytes()[:-100])

    monkeypatch.setattr(gguf_file, "rewrite", half)
    with pytest.raises(BadModelFile):
        write(model, "Q8_0", tmp_path / "out.gguf")
    assert not (tmp_path / "out.gguf").exists()


# -- llama.cpp's own writer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Q8_0", "Q4_K_M", "Q2_K"])
def test_llamacpp_writes_and_falls_back(model, tmp_path, llamacpp, name):
    header = write(model, name, tmp_path / "out.gguf")
    used = types_used(header)
    assert header.metadata["general.file_type"] == RUNGS[name].file_type
    assert (RUNGS[name].main in used) == (RUNGS[name].block == 32), "rows of 64 and 96 have no blocks of 256"


def test_llamacpps_refusal_reaches_the_learner(tmp_path, llamacpp):
    strange = write_gguf(tmp_path / "strange.gguf", extra=["nobody.knows.weight"])
    with pytest.raises((QuantizeError, BadModelFile)) as error:
        child.run("quantize", source=str(tmp_path / "absent.gguf"), dest=str(tmp_path / "o"), file_type=7, threads=1,
                  requantize=False)  # fmt: skip
    assert error.value.fix
    assert strange.exists() and not (tmp_path / "o").exists()


def test_interrupted_it_leaves_nothing(tmp_path, llamacpp, endpoint_weights):
    """Ctrl-C while llama.cpp writes: no file, no draft, no child."""
    code = (
        f"from labkit.quantize import write; write({str(endpoint_weights)!r}, 'Q6_K', {str(tmp_path / 'out.gguf')!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out.gguf.tmp")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0 and b"KeyboardInterrupt" in said
    assert [one.name for one in tmp_path.iterdir() if not one.name.endswith(".lock")] == []
    assert "worker.py" not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout.replace(
        str(os.getpid()), ""
    )


@pytest.fixture(scope="session")
def endpoint_weights(endpoint):
    from labkit import weights

    return weights.ensure("smollm2-135m")
