"""`labkit lab` for real: the notebooks laid out, JupyterLab up on loopback with a token, gone when it is told to go."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest

from labkit import course, lab
from labkit.backends.process import ServerProcess

DOCUMENTS = "@jupyterlab/docmanager-extension:plugin"
ADDRESS = r"(http://127\.0\.0\.1:\d+/\S*\?token=\w+)"


def listening(process) -> str:
    """Return the address once it answers: JupyterLab prints it a moment before it binds the port."""
    address = process.find(ADDRESS)
    return address if address and process.ports() else ""


@pytest.fixture
def running(endpoint, tmp_path):
    """`labkit lab my-course` in an empty folder; the endpoint fixture has fetched the model before."""
    command = [sys.executable, "-m", "labkit.cli", "lab", tmp_path / "my-course", "--no-browser", "--port", "0"]
    process = ServerProcess(command, label="labkit lab", ready=listening, grace=10)
    yield process.start(90), process, tmp_path / "my-course"
    process.stop()


def test_opens_the_start_page_for_those_who_have_the_token(running):
    address, process, folder = running
    assert "/lab/tree/START.md" in address
    assert sorted(p.name for p in folder.glob("*.ipynb")) == [lesson.file for lesson in course.lessons()]
    base, token = address.partition("/lab/")[0], address.rpartition("token=")[2]
    with urllib.request.urlopen(f"{base}/api/contents/00_start_here.ipynb?content=0&token={token}") as answer:
        assert json.load(answer)["type"] == "notebook"
    with urllib.request.urlopen(f"{base}/lab/api/settings/{DOCUMENTS}?token={token}") as answer:
        viewers = json.load(answer)["schema"]["properties"]["defaultViewers"]
    assert viewers["default"] == {"markdown": "Markdown Preview"}, "the start page opens rendered"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{base}/api/contents")
    server = psutil.Process(process._leash.pid).children()[0]
    assert {s.laddr.ip for s in server.net_connections("tcp") if s.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_the_command_line_binds_to_loopback_and_asks_nobody_for_news(tmp_path):
    line = " ".join(lab.command(tmp_path, browser=False, port=9))
    assert line.startswith(sys.executable) and "--ServerApp.ip=127.0.0.1" in line and "--no-browser" in line
    assert "NeverCheckForUpdate" in line and "default_url=/lab " in line, "an empty folder opens on the launcher"


def prepare(folder, **env):
    command = [sys.executable, "-m", "labkit.cli", "lab", "--prepare", folder]
    return subprocess.run(command, env=os.environ | env, capture_output=True, text=True, timeout=120)


def test_prepare_lays_out_and_opens_nothing(endpoint, tmp_path):
    done = prepare(tmp_path / "my-course")
    assert done.returncode == 0 and "START.md" in done.stdout, done.stderr
    assert sorted(p.name for p in (tmp_path / "my-course").glob("[!.]*")) == [
        *(lesson.file for lesson in course.lessons()),
        "START.md",
    ]


def test_prepare_fails_where_the_model_cannot_be_fetched(tmp_path):
    done = prepare(tmp_path / "my-course", LABKIT_HOME=str(tmp_path / "home"), LABKIT_OFFLINE="1")
    assert done.returncode == 2 and "OfflineError" in done.stderr, "an image must not be built without the model"
