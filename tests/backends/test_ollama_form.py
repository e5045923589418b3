"""A model as a model of Ollama's, with the real Ollama; the model has a few kilobytes."""

import os
import signal
import subprocess
import sys

import psutil
import pytest
import tiny_llama as tiny
from processes import interruptible

from labkit import convert
from labkit.backends import ollama, ollama_api, ollama_find, ollama_form
from labkit.backends.process import running_servers
from labkit.backends.settings import Settings
from labkit.errors import ConfigError, NoSpace


@pytest.fixture
def home(tmp_path, monkeypatch, require):
    """A labkit home where the model `tiny` is."""
    monkeypatch.delenv("LABKIT_OLLAMA_URL", raising=False)
    here = ollama.available()
    require("ollama", here, here.fix)
    with tiny.home(tmp_path / "home") as folder:
        yield folder


def mine() -> list[dict]:
    return [one for one in running_servers() if one["parent"] == os.getpid() and one["label"].startswith("ollama")]


def test_made_listed_and_removed(home):
    told = []
    made = ollama_form.make("tiny", progress=lambda *step: told.append(step))
    assert (made.alias, made.form, made.name, made.where) == ("tiny", "ollama", "tiny:f16", "")
    size = convert.convert("tiny", "gguf-f16").stat().st_size
    assert made.nbytes >= size and (told[-1][1], told[-1][2]) == (size, size)
    assert ollama_form.listed() == [made] and not mine()
    blobs = sorted((home / "ollama" / "blobs").iterdir())
    assert ollama_form.make("tiny") == made and sorted((home / "ollama" / "blobs").iterdir()) == blobs
    assert ollama_form.remove("tiny", "ollama-q8_0") == 0
    assert ollama_form.remove("tiny") == made.nbytes and ollama_form.listed() == [] and not mine()


def test_nothing_was_ever_made(home):
    assert ollama_form.listed() == [] and not (home / "ollama" / "manifests").exists()


def test_it_goes_into_the_server_that_the_learner_names(home, tmp_path, monkeypatch):
    monkeypatch.setattr(ollama, "store", lambda: tmp_path)  # somewhere else than labkit's own
    process, address = ollama.serve("test", ollama_find.find(), Settings())
    try:
        monkeypatch.setenv("LABKIT_OLLAMA_URL", address)
        made = ollama_form.make("tiny")
        assert made.where == address and ollama_api.has(address, "tiny:f16")
        assert "repeat_penalty" in ollama_api.show(address, "tiny:f16")["parameters"]
        assert [one["label"] for one in mine()] == [f"ollama test threads={Settings().threads}"], "no second server"
    finally:
        process.stop()


def test_a_full_disk_is_noticed_before_anything_is_sent(home, monkeypatch):
    import shutil

    from labkit import disk

    full = shutil.disk_usage(home)._replace(free=disk.SPARE + 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    with pytest.raises(NoSpace, match="room"):
        ollama_form.make("tiny")
    assert not mine()


def test_ctrl_c_while_the_weights_are_sent_leaves_nothing(home):
    code = (
        "import os, time; from labkit.backends import ollama_api, ollama_form\n"
        "ollama_api.BLOCK = 4096\n"
        "def stuck(label, done, total):\n"
        "    if label.startswith('sending'):\n"
        "        os.write(1, b'sending'), time.sleep(60)\n"
        "ollama_form.make('tiny', progress=stuck)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=interruptible
    )
    assert child.stdout.read(7) == b"sending"
    family = psutil.Process(child.pid).children(recursive=True)
    child.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in child.communicate(timeout=30)[1]
    assert not psutil.wait_procs(family, 10)[1], "the server that was started for it is gone"
    assert not [part.name for part in (home / "ollama").rglob("*") if part.is_file() and "sha256" in part.name]
    assert ollama_form.listed() == [] and ollama_form.make("tiny").nbytes


def test_no_such_form(home):
    with pytest.raises(ConfigError, match="ollama-q8_0") as caught:
        ollama_form.make("tiny", "ollama-q3")
    assert caught.value.fix == "labkit convert --help"
