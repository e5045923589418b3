"""GGUF → safetensors → ONNX, on a whole model of a few kilobytes, compared with plain numpy."""

import itertools
import json
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import tiny_llama as tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from labkit import convert, disk, gguf_file, weights
from labkit.convert import hf, safetensors_file
from labkit.convert.onnx_graph import BLOCK, pack
from labkit.errors import BadModelFile, ConfigError, NoSpace, UnknownModel


def silent(label, done, total):
    pass


def read_all(folder) -> dict[str, np.ndarray]:
    path = folder / "model.safetensors"
    return {
        name.removesuffix(".weight"): safetensors_file.read(path, e) for name, e in safetensors_file.table(path).items()
    }


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "hf"
    made.mkdir()
    hf.write_folder(tiny.write_gguf(tmp_path / "tiny.gguf"), made, silent)
    return made


# -- safetensors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_the_weights_are_the_same_numbers_in_their_original_order(tmp_path, tied):
    wanted = tiny.numbers(tied=tied)
    hf.write_folder(tiny.write_gguf(tmp_path / "tiny.gguf", wanted), tmp_path, silent)
    found = read_all(tmp_path)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    assert json.loads((tmp_path / "config.json").read_text())["tie_word_embeddings"] is tied


def test_a_quantized_gguf_gives_the_floats_that_its_blocks_stand_for(tmp_path):
    from test_gguf_file import write_model

    path = write_model(tmp_path / "q.gguf", dtypes=("Q4_1", "Q8_0", "F16"))
    for tensor in gguf_file.read_header(path).tensors:
        array = gguf_file.read_tensor(path, tensor)
        assert array.shape == tensor.shape and array.dtype == np.float32
    f16 = gguf_file.to_f16(path, tmp_path / "f16.gguf")
    pairs = zip(gguf_file.read_header(path).tensors, gguf_file.read_header(f16).tensors, strict=True)
    for one, other in pairs:
        expected = gguf_file.read_tensor(path, one).astype(np.float16 if len(one.shape) > 1 else np.float32)
        np.testing.assert_array_equal(gguf_file.read_tensor(f16, other), expected)


def test_the_file_is_laid_out_as_the_format_says(folder):
    raw = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    table = json.loads(raw[8 : 8 + length])
    assert table.pop("__metadata__") == {"format": "pt"} and (8 + length) % 8 == 0
    ends = sorted(entry["data_offsets"] for entry in table.values())
    assert ends[0][0] == 0 and all(a[1] == b[0] for a, b in itertools.pairwise(ends))
    assert ends[-1][1] == len(raw) - 8 - length


def test_config_says_what_engines_ask_for(folder):
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == tiny.THETA
    assert config["rms_norm_eps"] == 1e-5, "and not 9.999999747378752e-06"
    assert (config["head_dim"], config["num_key_value_heads"]) == (tiny.HEAD, tiny.KV_HEADS)
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 2)
    assert json.loads((folder / "generation_config.json").read_text()) == {"bos_token_id": 1, "eos_token_id": 2}


def test_the_tokenizer_holds_tokens_merges_and_template(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    settings_ = json.loads((folder / "tokenizer_config.json").read_text())
    assert list(tokenizer["model"]["vocab"]) == tiny.TOKENS and tokenizer["model"]["merges"] == tiny.MERGES
    assert [(one["id"], one["content"], one["special"]) for one in tokenizer["added_tokens"]] == [
        (number, text, True) for number, text in enumerate(tiny.CONTROL)
    ]
    assert settings_["eos_token"] == "<|im_end|>" and settings_["chat_template"] == tiny.TEMPLATE
    assert (folder / "chat_template.jinja").read_text() == tiny.TEMPLATE


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arch": "qwen2"}, "qwen2"),
        ({"pre": "who-knows"}, "who-knows"),
        ({"kind": "llama"}, "tokenizer"),
        ({"extra": ["blk.0.attn_q.bias"]}, "attn_q.bias"),
        ({"extra": ["rope_freqs.weight"]}, "rope_freqs"),
        ({"more": [("llama.rope.scaling.factor", 8.0)]}, "rotary"),
    ],
)
def test_models_with_something_more_are_refused_not_mangled(tmp_path, change, words):
    path = tiny.write_gguf(tmp_path / "other.gguf", **change)
    with pytest.raises(BadModelFile, match=words):
        hf.write_folder(path, tmp_path, silent)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"12345",
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 4) + b"half",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 64)
        + json.dumps({"a": {"dtype": "F16", "shape": [9], "data_offsets": [0, 18]}}).encode().ljust(64),
        struct.pack("<Q", 64)
        + json.dumps({"a": {"dtype": "F16", "shape": [-1], "data_offsets": [2, 0]}}).encode().ljust(64),
        struct.pack("<Q", 64)
        + json.dumps({"a": {"dtype": "X9", "shape": [], "data_offsets": [0, 0]}}).encode().ljust(64),
    ],
)
def test_damaged_safetensors(tmp_path, raw):
    (tmp_path / "x.safetensors").write_bytes(raw)
    with pytest.raises(BadModelFile):
        safetensors_file.table(tmp_path / "x.safetensors")


def test_bfloat16_is_read(tmp_path):
    numbers = np.array([1.0, -2.5, 3.0e38], np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    head = json.dumps({"a": {"dtype": "BF16", "shape": [3], "data_offsets": [0, 6]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(head)) + head + upper)
    np.testing.assert_allclose(safetensors_file.read(path, safetensors_file.table(path)["a"]), numbers, rtol=0.01)


# -- ONNX ---------------------------------------------------------------------------------------------------------------


def unpack(packed: np.ndarray, scales: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """What the stored numbers stand for."""
    if bits == 4:
        packed = np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:2], -1)
    numbers = packed.astype(np.float32) - (8 if bits == 4 else 128)
    return (numbers * scales[..., None]).reshape(len(packed), -1)[:, :columns]


MATRICES = hnp.arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 70)), elements=st.floats(-4, 4, width=32))


@settings(deadline=None)
@given(MATRICES, st.sampled_from([4, 8]))
def test_packing_is_off_by_half_a_step_at_most(matrix, bits):
    packed, scales = pack(matrix, bits)
    assert packed.shape == (len(matrix), -(-matrix.shape[1] // BLOCK), BLOCK * bits // 8) and packed.dtype == np.uint8
    error = np.abs(unpack(packed, scales, bits, matrix.shape[1]) - matrix)
    step = np.repeat(np.abs(scales), BLOCK, axis=1)[:, : matrix.shape[1]]
    # In four bits there is a -8 and no +8: opposite the farthest number, the last step is cut off.
    assert (error <= step * (1.001 if bits == 4 else 0.501) + 1e-30).all()


def test_four_bits_are_packed_as_onnxruntime_packs_them():
    row = np.array([[-8, 7, -4.5, 2.5, -0.5, 0.5, 0, 8 * 0.9] + [0] * 24], np.float32)
    packed, scales = pack(row, 4)
    assert scales.tolist() == [[1.0]]  # -8 is the farthest, and becomes -8
    assert packed[0, 0, :4].tolist() == [0 | 15 << 4, 4 | 11 << 4, 8 | 9 << 4, 8 | 15 << 4]  # halves go up


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("tied", [True, False])
def test_the_graph_is_the_network(tmp_path, bits, tied):
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from labkit.convert import onnx_folder

    hf_folder, made = tmp_path / "hf", tmp_path / "onnx"
    for one in (hf_folder, made):
        one.mkdir()
    wanted = tiny.numbers(tied=tied)
    hf.write_folder(tiny.write_gguf(tmp_path / "tiny.gguf", wanted), hf_folder, silent)
    onnx_folder.write_folder(hf_folder, made, bits, silent)
    assert sum(p.stat().st_size for p in made.iterdir()) <= onnx_folder.folder_bytes(hf_folder, bits)
    onnx.load(made / "model.onnx")  # with all its external numbers

    rounded = {
        name: unpack(*pack(array, bits), bits, array.shape[1])
        if array.ndim == 2 and (tied or "embed" not in name)
        else array
        for name, array in wanted.items()
    }
    tokens = np.random.default_rng(1).integers(0, len(tiny.TOKENS), 20)
    session = onnxruntime.InferenceSession(made / "model.onnx")
    feed = {"input_ids": tokens[None], "attention_mask": np.ones((1, 20), np.int64)}
    for one in session.get_inputs()[2:]:
        feed[one.name] = np.zeros((1, tiny.KV_HEADS, 0, tiny.HEAD), np.float32)
    (found,) = session.run(["logits"], feed)
    expected = tiny.logits(rounded, tokens.tolist())
    # Activations are rounded to eight bits on the way, so the two differ by some hundredths.
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999
    assert np.abs(found - expected).max() < 0.15 * expected.std()


def test_onnxruntime_genai_reads_the_folder(tmp_path, folder):
    og = pytest.importorskip("onnxruntime_genai")
    pytest.importorskip("onnx")
    from labkit.convert import onnx_folder

    made = tmp_path / "onnx"
    made.mkdir()
    onnx_folder.write_folder(folder, made, 8, silent)
    tokenizer = og.Tokenizer(og.Model(str(made)))
    assert tokenizer.encode(" the ©<|im_end|>").tolist() == [
        tiny.TOKENS.index(t) for t in ("Ġthe", "Ġ", "Â", "©", "<|im_end|>")
    ]
    prompt = tokenizer.apply_chat_template('[{"role": "user", "content": "hi"}]', add_generation_prompt=True)
    assert prompt == "user: hi\nassistant: "


# -- made once, whole or not at all -------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path):
    """A labkit home where the model `tiny` is."""
    with tiny.home(tmp_path / "home") as folder:
        yield folder


def test_a_form_is_made_once(home, monkeypatch):
    told = []
    path = convert.convert("tiny", "safetensors", progress=lambda *step: told.append(step))
    assert path == home / "converted" / "tiny" / "safetensors" and {p.name for p in path.iterdir()} >= {"config.json"}
    assert [step[1] for step in told] == sorted(step[1] for step in told) and told
    monkeypatch.setattr(hf, "write_folder", lambda *a: pytest.fail("made twice"))
    assert convert.convert("tiny", "safetensors") == convert.ensure("tiny", "vllm") == path
    (found,) = convert.converted()
    assert (found.alias, found.form, found.path) == ("tiny", "safetensors", path) and found.nbytes > 100_000
    assert convert.remove("tiny") == found.nbytes and not convert.converted() and not path.exists()


def test_another_gguf_makes_it_again(home, tmp_path):
    before = read_all(convert.convert("tiny", "safetensors"))
    weights.remove("tiny")
    weights.import_file("tiny", tiny.write_gguf(tmp_path / "new.gguf", tiny.numbers(seed=1)))
    after = read_all(convert.convert("tiny", "safetensors"))
    assert not np.array_equal(before["model.norm"], after["model.norm"])


def test_what_fails_half_way_leaves_nothing(home, monkeypatch):
    def fails(source, folder, progress):
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(NoSpace):
        patch.setattr(hf, "write_folder", fails)
        convert.convert("tiny", "safetensors")
    assert not list((home / "converted" / "tiny").iterdir())
    assert (convert.convert("tiny", "safetensors") / "model.safetensors").stat().st_size > 1000


def test_what_a_killed_process_left_is_cleared_up(home):
    left = home / "converted" / "tiny" / "safetensors.tmp"
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"half")
    path = convert.convert("tiny", "safetensors")
    assert not left.exists() and read_all(path)


def test_a_full_disk_is_noticed_before_writing(home, monkeypatch):
    full = shutil.disk_usage(home)._replace(free=disk.SPARE + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with pytest.raises(NoSpace, match="room"):
        convert.convert("tiny", "safetensors")


def test_two_processes_make_it_once(home):
    code = (
        "from labkit import convert; from labkit.convert import hf\n"
        "real = hf.write_folder\n"
        "hf.write_folder = lambda *a: (print('made', flush=True), real(*a))\n"
        "print(convert.convert('tiny', 'safetensors'))"
    )
    start = [sys.executable, "-c", code]
    both = [subprocess.Popen(start, stdout=subprocess.PIPE, text=True, env=os.environ | {}) for _ in range(2)]
    said = "".join(one.communicate(timeout=60)[0] for one in both)
    assert said.count("made") == 1 and said.count("safetensors") == 2 and not any(one.returncode for one in both)


def test_wrong_names(home):
    with pytest.raises(ConfigError, match="onnx-int4"):
        convert.convert("tiny", "onnx")
    with pytest.raises(UnknownModel):
        convert.convert("tinny", "safetensors")
    with pytest.raises(UnknownModel):
        convert.ensure("tiny", "onnx")


def test_gguf_f16_is_the_file_that_labkit_serves(home):
    assert convert.convert("tiny", "gguf-f16") == weights.present("tiny")
