"""labkit convert, as a person meets it; the model has a few kilobytes."""

import json
from pathlib import Path

import pytest
import tiny_llama as tiny
from test_cli import run

from labkit import convert
from labkit.backends import ollama_form
from labkit.cli.convert import READERS


@pytest.fixture
def labkit(tmp_path):
    """Give `labkit(*arguments)`, which runs in a home of its own where the model `tiny` is."""
    with tiny.home(tmp_path / "home") as home:
        yield lambda *arguments: run("convert", *arguments, env={"LABKIT_HOME": str(home)})


def test_every_form_is_explained():
    assert READERS.keys() == convert.FORMS.keys() | ollama_form.FORMS.keys()


def test_made_listed_removed(labkit):
    made = json.loads(labkit("tiny", "--to", "safetensors", "--json").stdout)
    assert (made["model"], made["form"]) == ("tiny", "safetensors") and Path(made["path"]).is_dir()
    assert made["bytes"] == sum(part.stat().st_size for part in Path(made["path"]).iterdir())
    assert f"{made['path']} (" in labkit("tiny", "--to", "safetensors").stdout
    rows = {row["form"]: row for row in json.loads(labkit("tiny", "--json").stdout)}
    assert rows.keys() == READERS.keys()
    assert [form for form, row in rows.items() if row["here"]] == ["gguf-f16", "safetensors"]
    (row,) = json.loads(labkit("--list", "--json").stdout)
    assert row == rows["safetensors"]
    assert "safetensors" in labkit("--list").stdout and "onnx-int8" in labkit("tiny").stdout
    assert json.loads(labkit("tiny", "--remove", "--json").stdout)["freed_bytes"] == made["bytes"]
    assert "No model has been converted" in labkit("--list").stdout
    assert [row["form"] for row in json.loads(labkit("tiny", "--list", "--json").stdout)] == ["gguf-f16"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiny", "--to", "onnx-int9"], ["There is no form", "did you mean onnx-int", "Try: labkit convert --help"]),
        (["tinny", "--to", "safetensors"], ["UnknownModel", "tiny"]),
        (["--to", "safetensors"], ["say which model"]),
        (["--remove"], ["say which model"]),
    ],
)
def test_wrong_names(labkit, arguments, words):
    done = labkit(*arguments)
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_help_has_an_example():
    assert "labkit convert smollm2-135m --to onnx-int8" in " ".join(run("convert", "--help").stdout.split())


def test_into_ollama(labkit, require):
    from labkit.backends import ollama

    here = ollama.available()
    require("ollama", here, here.fix)
    made = json.loads(labkit("tiny", "--to", "ollama", "--json").stdout)
    assert (made["path"], made["where"]) == ("ollama run tiny:f16", "labkit's own folder") and made["bytes"] > 1000
    assert "ollama run tiny:f16" in labkit("--list").stdout
    assert json.loads(labkit("tiny", "--remove", "--to", "ollama", "--json").stdout)["freed_bytes"] == made["bytes"]


def test_without_ollama_the_rest_still_works(labkit, monkeypatch):
    monkeypatch.delenv("LABKIT_OLLAMA_URL", raising=False)
    monkeypatch.setenv("LABKIT_OLLAMA", "/no/such/ollama")
    done = labkit("tiny", "--to", "ollama")
    assert done.returncode == 2 and "Try: " in done.stderr and "LABKIT_OLLAMA" in done.stderr
    assert labkit("--list").returncode == 0 and labkit("tiny", "--remove").returncode == 0
