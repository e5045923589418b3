"""The command as a person meets it: a real process, its output, its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import labkit
from labkit.cli import app

BROKEN = Path(__file__).parent / "broken"


def run(*arguments, env=None, stdin="", timeout=280):
    command = [sys.executable, "-m", "labkit.cli", *map(str, arguments)]
    everything = {**os.environ, "NO_COLOR": "1", "COLUMNS": "100", **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, env=everything, input=stdin, timeout=timeout)


def commands(found, path=()):
    """Every command and group, as (its words, the command)."""
    for name, command in getattr(found, "commands", {}).items():
        yield " ".join((*path, name)), command
        yield from commands(command, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))
# They open something, write a file, or speak JSON by nature.
NO_JSON = {"lab", "deploy schema", "guards fit", "mcp serve"}


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_says_what_it_does_shows_an_example_and_speaks_json(words):
    command, group = COMMANDS[words], hasattr(COMMANDS[words], "commands")
    assert command.help and f"labkit {words}" in " ".join((command.epilog or "").split())
    options = {option for one in command.params for option in one.opts}
    assert "--json" in options or words in NO_JSON or (group and not command.invoke_without_command)


def test_the_help_of_a_group_and_of_a_command():
    top = run("--help").stdout
    assert all(words.split()[0] in top for words in COMMANDS)
    assert "labkit bench overhead" in run("bench", "overhead", "--help").stdout


def test_version():
    assert json.loads(run("version", "--json").stdout)["labkit"] == labkit.__version__
    assert f"labkit {labkit.__version__}" in run("version").stdout


def test_doctor_as_text_and_json(tmp_path):
    found = json.loads(run("doctor", "--json").stdout)
    assert {"machine", "engines", "models", "lessons", "listening", "advice"} <= found.keys()
    assert found["machine"]["cores_usable"]["source"]
    text = run("doctor", env={"LABKIT_HOME": str(tmp_path)}).stdout
    assert "labkit pull smollm2-135m" in text, "an empty cache is said, with the command that fills it"


def test_doctor_sees_a_server_that_is_open_to_the_network(endpoint):
    found = json.loads(run("doctor", "--json").stdout)["listening"]
    port = int(endpoint.base_url.rpartition(":")[2].removesuffix("/v1"))
    assert {"engine": "labkit llamacpp", "address": "127.0.0.1", "port": port, "open_to_network": False} in found


def test_doctor_says_which_lessons_are_replayed(tmp_path):
    stamp = {
        "engine": "ollama",
        "version": "9.9",
        "machine": "a desk",
        "date": "2026-11-20",
        "labkit": "0",
        "lesson": "06",
    }
    (tmp_path / "ollama").mkdir()
    tape, absent = tmp_path / "ollama" / "06.jsonl", {"LABKIT_OLLAMA": "/no/such/ollama", "LABKIT_OLLAMA_URL": ""}
    absent |= {"LABKIT_RECORDINGS": str(tmp_path), "LABKIT_REQUIRE": ""}

    def lesson(**more):
        rows = json.loads(run("doctor", "--json", env={**absent, **more}).stdout)["lessons"]
        return next(row for row in rows if row["id"] == "06")

    assert not lesson()["runs"] and lesson()["reason"] == "needs ollama", "nothing is recorded"
    tape.write_text(json.dumps({"recording": stamp}) + "\n")
    label, seen = "replayed: recorded on 2026-11-20 with ollama 9.9 on a desk", lesson()
    assert seen["runs"] and seen["replayed"] == label and seen["reason"] == f"{label}; live: unset LABKIT_OLLAMA"
    assert seen["reason"] in run("doctor", env=absent).stdout
    assert not lesson(LABKIT_REQUIRE="ollama")["runs"], "who demands the engine gets no recording"
    tape.write_text("cut o")
    assert not lesson()["runs"] and "damaged at line 1" in lesson()["reason"]


def test_models():
    rows = json.loads(run("models", "--json").stdout)
    assert [row["alias"] for row in rows if row["default"]] == ["smollm2-135m"]
    assert "Apache-2.0" in run("models").stdout


def test_chat_says_paris(endpoint):
    done = run("chat", "What is the capital of France?")
    assert "Paris" in done.stdout and "tokens/s" in done.stderr
    answer = json.loads(run("chat", "What is the capital of France?", "--json").stdout)
    assert "Paris" in answer["text"] and answer["completion_tokens"] > 3


def test_chat_reads_a_conversation(endpoint):
    done = run("chat", "--max-tokens", "30", stdin="What is the capital of France?\nAnd what country is it in?\n")
    assert done.returncode == 0 and len(done.stdout.strip().splitlines()) >= 2


def test_pull_says_where_the_file_is(endpoint):
    found = json.loads(run("pull", "smollm2-135m", "--json").stdout)
    assert Path(found["path"]).stat().st_size == found["bytes"] == 270885920


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "smolm2"], ["UnknownModel", "smollm2-135m", "Try: labkit models"]),
        (["chat", "hi", "--backend", "lamacpp"], ["UnknownBackend", "llamacpp", "Try: labkit doctor"]),
        (["run", "77"], ["UnknownLesson", "00_start_here"]),
        (["pull", "smollm2-135m", "--from", "no-such-file.gguf"], ["no-such-file.gguf"]),
        (["claims", "--lesson", "77"], ["UnknownLesson", "00_start_here"]),
        (["run", "00", "--backend", "lamacpp"], ["UnknownBackend", "did you mean llamacpp?", "Try: labkit doctor"]),
        (["record", "07", "--backend", "nosuch"], ["UnknownBackend", "Try: labkit doctor"]),
        (["bench", "--backend", "lamacpp"], ["UnknownBackend", "did you mean llamacpp?"]),
        (["deploy", "capacity", "--assume", "tokens_out=x"], ["'x' is no number and no span", "Try: labkit deploy"]),
        (["snippet", "guard", "--package", "json"], ["ConfigError", "Try: labkit snippet guard --package"]),
    ],
)
def test_errors_are_three_lines_and_status_2(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 4


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    done = run("doctor", "--report", tmp_path)
    assert done.returncode == 2 and f"Cannot write {tmp_path}\n" in done.stderr
    assert "Is a directory" in done.stderr and "Try: labkit doctor --report" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["run", "--nonsense"], "--nonsense"),
        (["lab", "--port", "70000"], "--port"),
        (["mcp", "serve", "--http", "--port", "70000"], "--port"),
        (["backends", "--out", "x"], "--measure"),
        (["progress", "--answers", "x"], "--export"),
    ],
)
def test_a_wrong_option_is_explained(arguments, word):
    done = run(*arguments)
    assert done.returncode == 2 and word in done.stderr and "Traceback" not in done.stderr


def test_run_is_red_with_the_reason_and_status_1():
    done = run("run", BROKEN / "thread.ipynb", "--json")
    (result,) = json.loads(done.stdout)
    assert done.returncode == 1 and not result["ok"] and result["problems"][0]["kind"] == "thread"
    text = run("run", BROKEN / "thread.ipynb")
    assert text.returncode == 1 and "RED" in text.stdout and "[thread]" in text.stdout


def test_offline_with_an_empty_cache_says_what_to_do(tmp_path):
    done = run("chat", "hi", env={"LABKIT_HOME": str(tmp_path), "LABKIT_OFFLINE": "1"})
    assert done.returncode == 2 and "OfflineError" in done.stderr and "--from" in done.stderr
    assert not [p for p in tmp_path.rglob("*") if p.is_file()], "nothing is left behind"


def test_import_is_light():
    heavy = ("openai", "plotly", "agent_framework", "xllamacpp", "numpy", "typer", "papermill", "ipywidgets")
    code = f"import labkit, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_an_old_python_is_told(tmp_path):
    code = "import sys; sys.version_info = (3, 9, 18); import labkit"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "needs Python 3.11" in done.stderr and "Try: python3.11 -m venv .venv" in done.stderr
