"""A manifest on a real Ray Serve: routes, keys, streams, deaths, a new version; and nothing is left of it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import openai
import psutil
import pytest
from agent_framework_orchestrations import SequentialBuilder
from processes import interruptible

from labkit.backends.process import free_port
from labkit.deploy import ray_check
from labkit.deploy.manifest import Manifest
from labkit.deploy.ray_asked import RETRIED
from labkit.deploy.ray_notes import PREFIX
from labkit.deploy.ray_up import START_S, attach, running, up
from labkit.errors import ConfigError, EngineDied
from labkit.orchestration import Team

pytestmark = pytest.mark.timeout(600)  # Ray comes up in 10 seconds on an idle machine, and in minutes on a busy one
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
LABKIT = [sys.executable, "-c", "from labkit.cli import main; main()", "deploy"]


def manifest(name, **changed):
    settings = {"max_num_seqs": 2, "max_model_len": 1024}
    model = {"name": "small", "source": "smollm2-135m", "port": free_port(), "settings": settings, **changed}
    return Manifest.model_validate({"schema_version": 1, "name": name, "models": [model]})


def family(pid=None):
    return {one.pid: one for one in psutil.Process(pid).children(recursive=True)}


def words_of(process):
    try:
        return process.cmdline()
    except psutil.Error:  # it ended just now
        return []


@pytest.fixture(scope="module")
def ray(require, endpoint):
    here = ray_check.available()
    require("ray", here, here.fix)


@pytest.fixture(scope="module")
def deployment(ray):
    before, name = set(family()), f"test-{os.getpid()}"
    with up(manifest(name, replicas={"min": 2, "max": 2})) as deployed:
        yield deployed
        ours = set(family()) - before
    assert len(ours) > 6 and not [pid for pid in ours if psutil.pid_exists(pid)]
    assert name not in [one.name for one in running()] and not Path(deployed.note.folder).exists()


def ask(client, **more):
    return client.chat.completions.create(
        **{"model": "small", "messages": QUESTION, "max_tokens": 8, "temperature": 0, **more}
    )


def test_a_stock_client_is_answered_plain_and_streamed(deployment):
    client = openai.OpenAI(base_url=deployment.base_url, api_key=deployment.keys["small"], max_retries=0)
    plain = ask(client).choices[0].message.content
    pieces = [one.choices[0].delta.content or "" for one in ask(client, stream=True) if one.choices]
    assert "Paris" in plain and "".join(pieces) == plain and len([one for one in pieces if one]) > 3
    assert [one.id for one in client.models.list()] == ["small"]


def test_wrong_keys_and_models_are_refused_in_openais_words(deployment):
    client = openai.OpenAI(base_url=deployment.base_url, api_key=deployment.keys["small"], max_retries=0)
    with pytest.raises(openai.NotFoundError, match="small") as caught:
        ask(client, model="large")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        client.post("/chat/completions", body={"messages": []}, cast_to=object)
    for key in ("wrong", "ä"):
        with pytest.raises((openai.AuthenticationError, UnicodeEncodeError)):
            ask(client.with_options(api_key=key))
    address = deployment.base_url.removesuffix("/v1")
    assert client.get(f"{address}/health", cast_to=object, options={"headers": {"Authorization": ""}})


def test_everything_listens_on_loopback_alone(deployment):
    deep = [one for process in family().values() for one in process.net_connections("tcp")]
    heard = {one.laddr.ip for one in deep if one.status == psutil.CONN_LISTEN}
    assert heard and heard <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def test_other_processes_find_it_and_a_second_of_its_name_is_refused(deployment):
    found = attach(deployment.name)
    assert found.base_url == deployment.base_url and found.keys == deployment.keys
    status = found.status()
    assert status["models"]["small"]["replicas"]["RUNNING"] == 2 and status["status"] == "RUNNING"
    assert len(status["replica_pids"]["small"]) == 2 and psutil.pid_exists(status["proxy_pid"])
    with pytest.raises(ConfigError, match="runs already"):
        up(manifest(deployment.name))


def test_the_team_of_lesson_09_works_on_it_and_only_the_address_differs(deployment):
    team = Team(deployment.endpoint())
    members = [team.member(name, "Write a short answer.", max_tokens=8) for name in ("first", "second")]
    outcome = asyncio.run(team.run(SequentialBuilder(participants=members).build(), "Say hello."))
    assert not outcome.failed and [one.agent for one in outcome.hops] == ["first", "second"] and outcome.text


def test_whoever_has_seen_no_token_is_answered_when_a_replica_dies(deployment):
    """No retries in the client: the router alone asks another replica."""
    client = deployment.client(retries=0)
    answers, errors = [], []

    def call():
        try:
            raw = client.chat.completions.with_raw_response.create(
                model="small", messages=QUESTION, max_tokens=96, temperature=0, extra_body={"ignore_eos": True}
            )
            answers.append((int(raw.headers[RETRIED]), raw.parse().choices[0].finish_reason))
        except openai.OpenAIError as error:
            errors.append(error)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for one in callers:
        one.start()
    time.sleep(0.3)
    first, _ = deployment.status()["replica_pids"]["small"]
    psutil.Process(first["engine_pids"][0]).kill()
    for one in callers:
        one.join()
    assert not errors and [reason for _, reason in answers] == ["length"] * 4
    assert any(retried for retried, _ in answers)


def test_a_stream_that_has_begun_ends_in_an_error_when_its_replica_dies(deployment):
    stream = deployment.endpoint().stream("Count to a hundred.", max_tokens=700, extra_body={"ignore_eos": True})
    pieces = iter(stream)
    next(pieces)
    with pytest.raises(EngineDied):
        for replica in deployment.status()["replica_pids"]["small"]:
            psutil.Process(replica["pid"]).kill()
        list(pieces)
    assert "Paris" in ask(deployment.client()).choices[0].message.content


def test_a_new_version_replaces_the_old_and_loses_no_request(deployment):
    client, over, answered = deployment.client(), threading.Event(), []

    def call():
        while not over.is_set():
            answered.append(ask(client).choices[0].finish_reason)

    caller = threading.Thread(target=call)
    caller.start()
    before = {one["pid"] for one in deployment.status()["replica_pids"]["small"]}
    new = manifest(deployment.name, replicas={"min": 1, "max": 1}, settings={"max_num_seqs": 1, "max_model_len": 512})
    found = deployment.update(new)
    over.set()
    caller.join()
    assert answered and set(answered) <= {"stop", "length"}
    assert found["status"] == "RUNNING" and not before & {one["pid"] for one in found["replica_pids"]["small"][-1:]}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGINT for one process")
def test_ctrl_c_while_it_starts_ends_it_at_once_and_leaves_nothing(ray, tmp_path):
    name, file = f"stopped-{os.getpid()}", tmp_path / "stopped.yaml"
    file.write_text(manifest(name).model_dump_json(exclude_unset=True))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    alone = {"start_new_session": True, "preexec_fn": interruptible}
    child, folder = subprocess.Popen([*LABKIT, "up", file], **pipes, **alone), None
    while not folder:  # until the first part of Ray runs, and says where it writes
        time.sleep(0.1)
        assert child.poll() is None, child.communicate()[1]
        ours = family(child.pid)
        folder = re.search(rf"/\S*/{PREFIX}\w+", " ".join(word for one in ours.values() for word in words_of(one)))
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=START_S)[1]
    assert child.returncode == 130 and said.endswith("\nStopped. Nothing is left running.\n")
    _, alive = psutil.wait_procs(ours.values(), timeout=10)
    assert not alive and not Path(folder[0]).exists() and name not in [one.name for one in running()]


def test_the_command_goes_on_in_the_background_and_leaves_nothing_when_it_is_killed(ray, tmp_path):
    name, file = f"killed-{os.getpid()}", tmp_path / "killed.yaml"
    file.write_text(manifest(name).model_dump_json(exclude_unset=True))  # JSON is YAML
    started = subprocess.run([*LABKIT, "up", file, "--detach", "--json"], capture_output=True, text=True, check=True)
    owner = psutil.Process(json.loads(started.stdout)["pid"])
    said = json.loads(subprocess.check_output([*LABKIT, "status", name, "--json"]))
    assert said[0]["models"]["small"]["replicas"] == {"RUNNING": 1}
    ours = owner.children(recursive=True)
    folder = Path(attach(name).note.folder)
    owner.kill()
    _, alive = psutil.wait_procs([owner, *ours], timeout=90)
    assert len(ours) > 6 and not alive
    assert name not in [one.name for one in running()] and not folder.exists()
