"""GGUF headers read, refused and fuzzed; models written back as F16 and compared with what the `gguf` package makes."""

import os
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import tracemalloc
from collections import namedtuple

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labkit.errors import BadModelFile, NoSpace, WeightsError
from labkit.gguf_file import LongList, check, read_header, to_f16
from labkit.gguf_header import TENSOR_TYPES

TYPE = gguf.GGMLQuantizationType
RANDOM = np.random.default_rng(0)
U64 = struct.Struct("<Q")


def write_model(
    path, arch="llama", dtypes=("Q4_1",), rows=64, width=256, vocabulary=2000, endianess=gguf.GGUFEndian.LITTLE
):
    """Write a well-formed little model: one matrix for each dtype, one F32 vector, a vocabulary, some metadata."""
    writer = gguf.GGUFWriter(path, arch, endianess=endianess)
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_block_count(3)
    writer.add_embedding_length(width)
    writer.add_head_count(8)
    writer.add_head_count_kv(2)
    writer.add_token_list([f"token{n}" for n in range(vocabulary)])
    writer.add_token_types([1] * vocabulary)
    writer.add_languages(["en", "fr"])
    writer.add_chat_template("{{ messages }}")
    writer.add_quantization_version(2)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)
    for n, dtype in enumerate(dtypes):
        numbers = RANDOM.normal(size=(rows, width)).astype(np.float32)
        writer.add_tensor(f"blk.{n}.weight", gguf.quantize(numbers, TYPE[dtype]), raw_dtype=TYPE[dtype])
    writer.add_tensor("norm.weight", np.linspace(-1, 1, width, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "tiny.gguf")


@pytest.fixture(scope="module")
def small_bytes(tmp_path_factory):
    """A model of a few kilobytes, for tests that damage it thousands of times."""
    path = write_model(tmp_path_factory.mktemp("gguf") / "small.gguf", rows=2, width=32, vocabulary=20)
    return path.read_bytes()


# --- reading


def test_the_table_of_tensor_types_is_the_one_of_the_gguf_package():
    ours = {TYPE[name]: (block, nbytes) for name, block, nbytes in TENSOR_TYPES.values()}
    assert ours == gguf.GGML_QUANT_SIZES
    assert all(TYPE(number).name == name for number, (name, _, _) in TENSOR_TYPES.items())


def test_header_agrees_with_the_gguf_package(tmp_path):
    dtypes = ("F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")
    path = write_model(tmp_path / "all.gguf", dtypes=dtypes)
    header, reader = read_header(path), gguf.GGUFReader(path)
    theirs = [
        (t.name, t.tensor_type.name, tuple(reversed(t.shape.tolist())), t.data_offset, t.n_bytes)
        for t in reader.tensors
    ]
    assert [(t.name, t.dtype, t.shape, t.offset, t.nbytes) for t in header.tensors] == theirs
    for key, value in header.metadata.items():
        contents = reader.fields[key].contents()
        if isinstance(contents, list):
            contents = tuple(contents) if len(contents) <= 1024 else LongList(len(contents))
        assert value == contents, key
    assert header.file_bytes == path.stat().st_size


def test_header_speaks_of_the_model(model):
    header = check(model)
    assert (header.version, header.architecture, header.context_length) == (3, "llama", 512)
    assert (header.n_layers, header.n_kv_heads, header.head_dim) == (3, 2, 32)
    assert header.chat_template == "{{ messages }}"
    assert header.metadata["general.languages"] == ("en", "fr")
    assert header.metadata["tokenizer.ggml.tokens"] == LongList(2000)
    assert header.n_weights == 64 * 256 + 256
    assert header.bits_per_weight == pytest.approx((64 * 256 * 5 + 256 * 32) / header.n_weights)


def test_layers_that_differ_give_their_largest_number_of_heads(tmp_path):
    path = tmp_path / "m.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_head_count_kv([1, 4, 2])
    writer.add_string("llama.context_length", "not a number")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    header = read_header(path)
    assert header.n_kv_heads == 4
    assert (header.context_length, header.head_dim, header.chat_template, header.bits_per_weight) == (
        None,
        None,
        None,
        0,
    )


# --- refusing


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><title>Sign in</title>", "web page"),
        (b"<html><body>404</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git-lfs pointer"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"\x1f\x8b\x08" + bytes(40), "compressed"),
        (b"tjgg\x03\x00\x00\x00" + bytes(40), "GGML file"),
        (U64.pack(62) + b'{"__metadata__":{"format":"pt"}}', "safetensors"),
        (b"GGU", "something else"),
        (b"\x00" * 40, "something else"),
    ],
)
def test_it_says_what_a_file_is_that_is_no_gguf(tmp_path, content, said):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(BadModelFile, match="is not a GGUF file") as caught:
        check(path, fix="labkit pull tiny")
    assert said in caught.value.why
    assert caught.value.fix == "labkit pull tiny"


def test_a_missing_file_and_a_folder_are_bad_model_files(tmp_path):
    for path in (tmp_path / "absent.gguf", tmp_path):
        with pytest.raises(BadModelFile, match="cannot be read"):
            check(path)


def test_big_endian_is_named(tmp_path):
    path = write_model(tmp_path / "big.gguf", dtypes=(), endianess=gguf.GGUFEndian.BIG)
    with pytest.raises(BadModelFile, match="big-endian"):
        check(path)


@pytest.mark.parametrize("version", [1, 4, 2**31 + 7])
def test_unsupported_versions_are_named(model, version):
    data = bytearray(model.read_bytes())
    data[4:8] = struct.pack("<I", version)
    model.write_bytes(data)
    with pytest.raises(BadModelFile, match=f"version {version}"):
        check(model)


def test_truncated_anywhere_it_is_refused_and_says_how_much_is_there(model):
    data = model.read_bytes()
    weights = min(t.offset for t in read_header(model).tensors)
    for part in range(1, 50):
        size = len(data) * part // 50
        model.write_bytes(data[:size])
        with pytest.raises(BadModelFile, match="cut short") as caught:
            check(model)
        expected = (
            f"it holds {size:,} of {len(data):,} bytes" if size >= weights else f"{size:,} bytes do not even hold"
        )
        assert expected in caught.value.what
    model.write_bytes(data[:-1])
    with pytest.raises(BadModelFile, match="cut short"):
        check(model)


def test_an_architecture_that_the_engine_cannot_run_is_named(tmp_path, model):
    assert check(model).architecture == "llama"
    with pytest.raises(BadModelFile, match="'llama' model, which this engine cannot run"):
        check(model, architectures={"qwen2"})
    for arch in ("clip", "llama99"):
        with pytest.raises(BadModelFile, match=arch):
            check(write_model(tmp_path / f"{arch}.gguf", arch=arch, dtypes=()))


def hostile(pairs=b"", n_pairs=0, tensors=b"", n_tensors=0):
    """A GGUF that names its architecture and then claims what it is told to."""
    arch = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head = b"GGUF" + struct.pack("<IQQ", 3, n_tensors, n_pairs + 1) + arch + pairs + tensors
    return head + bytes(4096)


def text(string):
    return U64.pack(len(string)) + string.encode()


def row(name="t", dims=(32,), kind=0, offset=0):
    return text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (hostile(n_pairs=2**60), "metadata keys"),
        (hostile(n_tensors=2**60), "tensors"),
        (hostile(U64.pack(2**63) + b"x", 1), "text of"),
        (hostile(text("k") + struct.pack("<IQ", 8, 2**62), 1), "text of"),
        (hostile(text("k") + struct.pack("<IQ", 8, 2**20), 1), "cut short"),
        (hostile(text("k") + struct.pack("<I", 99), 1), "unknown type 99"),
        (hostile(text("k") + struct.pack("<IIQ", 9, 8, 2**50), 1), "list items"),
        (hostile(text("k") + struct.pack("<IIQ", 9, 10, 2**22), 1), "cut short"),
        (hostile(text("k") + struct.pack("<IIQQ", 9, 8, 2000, 2**64 - 1), 1), "cut short"),
        (hostile(text("k") + struct.pack("<IIQ", 9, 9, 5), 1), "unknown type 9"),
        (hostile(text("k") + struct.pack("<IIQ", 9, 9, 5000), 1), "unknown type 9"),
        (hostile((text("k") + struct.pack("<II", 4, 1)) * 2, 2), "twice"),
        (hostile(text("general.alignment") + struct.pack("<II", 4, 3), 1), "alignment"),
        (hostile(text("general.alignment") + struct.pack("<II", 4, 0), 1), "alignment"),
        (hostile(text("general.alignment") + struct.pack("<II", 4, 2**31), 1), "alignment"),
        (hostile(tensors=row(dims=(1,) * 5), n_tensors=1), "5 dimensions"),
        (hostile(tensors=row(kind=4), n_tensors=1), "unknown type 4"),
        (hostile(tensors=row(dims=(33,), kind=2), n_tensors=1), "misshapen"),
        (hostile(tensors=row(offset=32), n_tensors=1), "misplaced"),
        (hostile(tensors=row() + row(offset=128), n_tensors=2), "twice"),
        (hostile(tensors=row(dims=(2**63, 2**63, 2**63, 2**63)), n_tensors=1), "cut short"),
    ],
)
def test_hostile_claims_are_refused(tmp_path, content, said):
    path = tmp_path / "hostile.gguf"
    path.write_bytes(content)
    with pytest.raises(BadModelFile) as caught:
        read_header(path)
    assert said in f"{caught.value}"


def test_metadata_that_would_fill_the_memory_is_refused(tmp_path):
    path = tmp_path / "fat.gguf"
    with open(path, "wb") as file:
        file.write(hostile(n_pairs=100)[:-4096])
        for n in range(100):
            file.write(text(f"k{n}") + struct.pack("<IQ", 8, 2**24))
            file.seek(2**24, os.SEEK_CUR)  # a hole: 1.6 GB of zeros that take no room on the disk
        file.write(bytes(4096))
    with pytest.raises(BadModelFile, match="damaged") as caught:
        read_header(path)
    assert "never ends" in caught.value.why


def test_a_header_without_an_architecture_is_refused(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(64))
    with pytest.raises(BadModelFile) as caught:
        read_header(path)
    assert "no architecture" in caught.value.why


fuzz = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only_bad_model_file(path, content):
    path.write_bytes(content)
    try:
        header = check(path)
    except BadModelFile as error:
        assert error.what and error.why and error.fix
    else:  # a change that leaves a well-formed file: all it offers can be asked for
        assert header.bits_per_weight >= 0
        assert isinstance((header.context_length, header.n_layers, header.n_kv_heads, header.head_dim), tuple)


@fuzz
@given(changes=st.dictionaries(st.integers(4, 1200), st.integers(0, 255), min_size=1, max_size=8))
def test_fuzz_changed_bytes(tmp_path, small_bytes, changes):
    data = bytearray(small_bytes)
    for at, value in changes.items():
        data[at % len(data)] = value
    only_bad_model_file(tmp_path / "fuzz.gguf", bytes(data))


@fuzz
@given(start=st.integers(4, 1200), middle=st.binary(max_size=64), end=st.integers(4, 1200))
def test_fuzz_spliced_bytes(tmp_path, small_bytes, start, middle, end):
    only_bad_model_file(tmp_path / "fuzz.gguf", small_bytes[:start] + middle + small_bytes[end:])


@fuzz
@given(tail=st.binary(max_size=300))
def test_fuzz_noise_after_the_magic(tmp_path, tail):
    only_bad_model_file(tmp_path / "fuzz.gguf", b"GGUF\x03\x00\x00\x00" + tail)


# --- writing back as F16


def reference_f16(src, dst):
    """What the gguf package's own reader and writer make of the same task."""
    reader = gguf.GGUFReader(src)
    writer = gguf.GGUFWriter(dst, reader.fields["general.architecture"].contents())
    for key, value in reader.fields.items():
        skipped = ("general.architecture", "general.file_type", "general.quantization_version")
        if not key.startswith("GGUF.") and key not in skipped:
            kind = value.types[0]
            items = value.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, value.contents(), kind, sub_type=items)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        numbers = gguf.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, numbers.astype(np.float32 if numbers.ndim == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("dtype", ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "BF16", "F16", "F32"])
def test_f16_is_byte_for_byte_what_the_gguf_package_writes(tmp_path, dtype):
    src = write_model(tmp_path / "q.gguf", dtypes=(dtype, dtype))
    reference_f16(src, tmp_path / "reference.gguf")
    dst = to_f16(src, tmp_path / "f16.gguf")
    assert dst.read_bytes() == (tmp_path / "reference.gguf").read_bytes()
    assert {t.name: t.dtype for t in check(dst).tensors} == {
        "blk.0.weight": "F16", "blk.1.weight": "F16", "norm.weight": "F32"
    }  # fmt: skip


def test_f16_of_tensors_larger_than_one_step(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.gguf_file.AT_ONCE", 1000)
    src = write_model(tmp_path / "q.gguf", dtypes=("Q4_1", "Q8_0"))
    reference_f16(src, tmp_path / "reference.gguf")
    assert to_f16(src, tmp_path / "f16.gguf").read_bytes() == (tmp_path / "reference.gguf").read_bytes()


def test_f32_among_quantized_tensors_stays_and_integers_stay(tmp_path):
    src = tmp_path / "mixed.gguf"
    writer = gguf.GGUFWriter(src, "llama")
    numbers = RANDOM.normal(size=(4, 32)).astype(np.float32)
    writer.add_tensor("quantized", gguf.quantize(numbers, TYPE.Q8_0), raw_dtype=TYPE.Q8_0)
    writer.add_tensor("router", numbers)
    writer.add_tensor("table", np.arange(128, dtype=np.int32).reshape(4, 32))
    writer.add_tensor("double", numbers.astype(np.float64))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(to_f16(src, tmp_path / "f16.gguf"))
    tensors = {t.name: t for t in reader.tensors}
    assert {name: t.tensor_type.name for name, t in tensors.items()} == {
        "quantized": "F16", "router": "F32", "table": "I32", "double": "F16"
    }  # fmt: skip
    assert (tensors["router"].data == numbers).all()
    assert (tensors["table"].data.ravel() == np.arange(128)).all()
    assert (tensors["double"].data == numbers.astype(np.float16)).all()


def test_f16_reports_progress_in_bytes(tmp_path, model):
    steps = []
    dst = to_f16(model, tmp_path / "f16.gguf", progress=lambda *step: steps.append(step))
    size = dst.stat().st_size
    assert steps[-1] == ("converting to F16", size, size)
    assert [done for _, done, _ in steps] == sorted(done for _, done, _ in steps)


def test_f16_does_not_write_over_a_file(tmp_path, model):
    (tmp_path / "f16.gguf").write_text("precious")
    with pytest.raises(WeightsError, match="is there already"):
        to_f16(model, tmp_path / "f16.gguf")
    assert (tmp_path / "f16.gguf").read_text() == "precious"


def test_f16_takes_memory_for_one_step_not_for_one_tensor(tmp_path):
    src = write_model(tmp_path / "q.gguf", dtypes=("F16",), rows=32768, width=512)
    tracemalloc.start()
    try:
        to_f16(src, tmp_path / "f16.gguf")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert src.stat().st_size > 32e6 > peak


def test_a_weight_beyond_the_range_of_f16_is_refused_and_nothing_is_left(tmp_path):
    src = tmp_path / "large.gguf"
    writer = gguf.GGUFWriter(src, "llama")
    writer.add_tensor("huge", np.full((2, 32), 7e4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(BadModelFile, match="a weight in huge that F16 cannot hold"):
        to_f16(src, tmp_path / "f16.gguf")
    assert os.listdir(tmp_path) == ["large.gguf"]


def test_weights_that_cannot_be_read_back_are_refused(tmp_path):
    src = tmp_path / "q8_1.gguf"
    src.write_bytes(hostile(tensors=row(dims=(32, 1), kind=9), n_tensors=1))
    with pytest.raises(BadModelFile, match="Q8_1"):
        to_f16(src, tmp_path / "f16.gguf")
    assert os.listdir(tmp_path) == ["q8_1.gguf"]


def test_a_truncated_source_is_refused(tmp_path, model):
    model.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(BadModelFile, match="cut short"):
        to_f16(model, tmp_path / "f16.gguf")
    assert os.listdir(tmp_path) == [model.name]


def test_interrupted_it_leaves_nothing(tmp_path, model):
    def interrupt(*step):
        assert (tmp_path / "f16.gguf.tmp").exists()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        to_f16(model, tmp_path / "f16.gguf", progress=interrupt)
    assert os.listdir(tmp_path) == [model.name]


def test_without_room_it_does_not_begin(tmp_path, model, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(NoSpace, match="Not enough room") as caught:
        to_f16(model, tmp_path / "f16.gguf")
    assert "LABKIT_HOME" in caught.value.fix
    assert os.listdir(tmp_path) == [model.name]


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 there")
def test_killed_in_the_middle_it_leaves_no_half_model_and_the_next_try_clears_up(tmp_path, model):
    code = """
        import os, signal, sys
        from labkit.gguf_file import to_f16
        to_f16(sys.argv[1], sys.argv[2], progress=lambda *step: os.kill(os.getpid(), signal.SIGKILL))
    """
    dst = tmp_path / "f16.gguf"
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code), model, dst])
    assert killed.returncode == -signal.SIGKILL
    assert not dst.exists()
    to_f16(model, dst)
    assert check(dst)
    assert sorted(os.listdir(tmp_path)) == [dst.name, model.name]
