"""Safetensors → MLX, on a whole model of a few kilobytes, compared with plain numpy."""

import io
import os
import signal
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
import tiny_llama as tiny
from processes import interruptible

from labkit import convert
from labkit.convert import mlx_folder, safetensors_file
from labkit.errors import EngineMissing, NoSpace

TOKENS = list(range(10, 30))


@pytest.fixture
def home(tmp_path):
    """A labkit home where the model `tiny` is."""
    with tiny.home(tmp_path / "home") as folder:
        yield folder


@pytest.fixture
def mlx(require):
    require("mlx", find_spec("mlx_lm"), "pip install 'labkit[mlx]'")
    return import_module("mlx.core")


def logits(mlx, path) -> np.ndarray:
    """What MLX itself computes with the folder that was written."""
    from mlx_lm import load

    model, tokenizer = load(str(path))
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) == "user: hi\n"
    return np.array(model(mlx.array([TOKENS])).astype(mlx.float32))[0]


def test_float32_computes_what_numpy_computes(home, mlx):
    found = logits(mlx, convert.convert("tiny", "mlx-f32"))
    np.testing.assert_allclose(found, tiny.logits(tiny.numbers(), TOKENS), atol=1e-4)


@pytest.mark.parametrize(("form", "least"), [("mlx-bf16", 0.999), ("mlx-4bit", 0.9)])
def test_coarser_numbers_stay_close(home, mlx, form, least):
    found = logits(mlx, convert.convert("tiny", form))
    alike = np.corrcoef(found.ravel(), tiny.logits(tiny.numbers(), TOKENS).ravel())[0, 1]
    assert least < alike < 1 - 1e-9, "rounded, and not by much"


def test_the_kinds_of_numbers_are_those_that_were_asked_for(home, mlx):
    kinds = {}
    for form in mlx_folder.WAYS:
        table = safetensors_file.table(convert.convert("tiny", form) / "model.safetensors")
        kinds[form] = {entry["dtype"] for name, entry in table.items() if "q_proj.weight" in name}
    assert kinds == {"mlx-f32": {"F32"}, "mlx-bf16": {"BF16"}, "mlx-4bit": {"U32"}}


def test_it_is_made_once_and_says_how_far_it_is(home, mlx, monkeypatch):
    told = []
    path = convert.convert("tiny", "mlx-f32", progress=lambda *step: told.append(step))
    mine = [step for step in told if "MLX" in step[0]]
    assert mine[-1][1] == mine[-1][2] and [s[1] for s in mine] == sorted(s[1] for s in mine)
    estimated = mlx_folder.folder_bytes(convert.convert("tiny", "safetensors"), "mlx-f32")
    assert sum(part.stat().st_size for part in path.iterdir()) <= estimated
    monkeypatch.setattr(mlx_folder, "write_folder", lambda *a: pytest.fail("made twice"))
    assert convert.convert("tiny", "mlx-f32") == path == home / "converted" / "tiny" / "mlx-f32"


def test_a_full_disk_leaves_nothing(home, mlx, monkeypatch):
    theirs = import_module("mlx_lm.convert")  # the package has a function of that name
    convert.convert("tiny", "safetensors")

    def full(source, folder, **_):
        os.mkdir(folder)
        with open(os.path.join(folder, "model.safetensors"), "wb") as file:
            file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(NoSpace):
        patch.setattr(theirs, "convert", full)
        convert.convert("tiny", "mlx-f32")
    assert {one.name for one in (home / "converted" / "tiny").iterdir()} == {"safetensors"}
    assert (convert.convert("tiny", "mlx-f32") / "config.json").is_file()


def test_ctrl_c_leaves_nothing_half_written(home, mlx):
    convert.convert("tiny", "safetensors")
    code = (
        "import importlib, os, time; from labkit import convert\n"
        "theirs = importlib.import_module('mlx_lm.convert')\n"
        "real = theirs.convert\n"
        "theirs.convert = lambda *a, **k: (real(*a, **k), os.write(1, b'written'), time.sleep(60))\n"
        "convert.convert('tiny', 'mlx-4bit')"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=interruptible
    )
    assert child.stdout.read(7) == b"written"
    assert (home / "converted" / "tiny" / "mlx-4bit.tmp" / "model.safetensors").is_file()
    child.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in child.communicate(timeout=30)[1]
    assert {one.name for one in (home / "converted" / "tiny").iterdir()} == {"safetensors"}


def test_without_mlx_it_says_how_to_get_it(home, monkeypatch):
    monkeypatch.setattr(mlx_folder, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing, match="converter") as caught:
        convert.convert("tiny", "mlx-f32")
    assert caught.value.fix == "pip install 'labkit[mlx]'"


def test_it_prints_nothing(home, mlx, capsys):
    convert.convert("tiny", "mlx-4bit")
    assert capsys.readouterr().out == "" and isinstance(sys.stdout, io.TextIOBase)
