"""labkit serve, as a person meets it."""

import os
import signal
import subprocess
import sys

import pytest
from processes import interruptible
from test_cli import run


def test_help_has_an_example():
    said = " ".join(run("serve", "--help").stdout.split())
    assert "labkit serve --backend ollama --port 8765" in said and "your own programs" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], ["ConfigError", "There is no port 70000", "Try: labkit serve --port 0"]),
        (["--key-env", "NO_SUCH_KEY"], ["ConfigError", "NO_SUCH_KEY is not set", "Try: export NO_SUCH_KEY="]),
        (["--backend", "lamacpp"], ["UnknownBackend", "did you mean llamacpp", "Try: labkit doctor"]),
        (["--backend", "ollama", "--port", "0"], ["EngineMissing", "/no/such/ollama", "Try: unset LABKIT_OLLAMA"]),
        (["--model", "smolm2", "--port", "0"], ["UnknownModel", "smollm2-135m", "Try: labkit models"]),
        (["--port", "here"], ["--port"]),
    ],
)
def test_what_is_wrong_and_what_to_do(arguments, words):
    done = run("serve", *arguments, env={"LABKIT_OLLAMA": "/no/such/ollama", "LABKIT_OLLAMA_URL": ""})
    assert done.returncode == 2 and not done.stdout and "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_what_a_person_sees(endpoint):
    command = [sys.executable, "-m", "labkit.cli", "serve", "--backend", "llamacpp", "--port", "0", "--context", "256"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": {**os.environ, "NO_COLOR": "1"}}
    child, seen = subprocess.Popen(command, **pipes, start_new_session=True, preexec_fn=interruptible), []
    while not seen or not seen[-1].startswith("curl http://127.0.0.1:"):
        line = child.stdout.readline()
        assert line, "".join(seen) + child.communicate(timeout=10)[1]
        seen.append(line)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=30)[1]
    assert seen[0].startswith("smollm2-135m on llamacpp 2") and "until Ctrl-C" in seen[0]
    assert {line.split()[0] for line in seen if line.strip()} >= {
        "base_url",
        "model",
        "key",
        "openai:",
        "ollama:",
        "curl:",
    }
    assert child.returncode == 130 and said.count("Nothing is left running") == 1
