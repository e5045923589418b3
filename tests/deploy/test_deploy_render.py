"""Rendered files, read by the schemas and programs of those who will use them; and what must not be in them."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from labkit.deploy import accepts
from labkit.deploy.manifest import Manifest, load
from labkit.deploy.render import TARGETS, render, write
from labkit.errors import ConfigError

MANIFESTS = Path(__file__).with_name("manifests")
NAMES = ["one_device", "two_devices"]


def rendered(name: str, to: str) -> dict[str, str]:
    return render(load(MANIFESTS / f"{name}.yaml"), to)


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


@pytest.fixture
def compose_schema(require):
    require("check-jsonschema", has("check_jsonschema"), "pip install check-jsonschema")

    def complaints(*files: Path) -> str:
        command = [
            sys.executable,
            "-m",
            "check_jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            *map(str, files),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    return complaints


@pytest.fixture
def kubernetes_schema(require):
    require("kubernetes-validate", has("kubernetes_validate"), "pip install kubernetes-validate")
    import kubernetes_validate

    return lambda one: kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.fixture
def systemd_verify(require):
    require("systemd-analyze", shutil.which("systemd-analyze"), "apt-get install systemd")

    def complaints(*files: Path) -> str:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", *map(str, files)], capture_output=True, text=True, timeout=60
        )
        # It also reads what the machine itself has; only what it says of our files counts.
        return "\n".join(line for line in done.stderr.splitlines() if any(file.name in line for file in files))

    return complaints


def test_compose_takes_the_files(compose_schema, tmp_path):
    files = [file for name in NAMES for file in write(rendered(name, "compose"), tmp_path / name)]
    assert not compose_schema(*(file for file in files if file.suffix == ".yaml"))
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((tmp_path / "one_device" / "compose.yaml").read_text().replace("read_only:", "readonly:"))
    assert "'readonly' was unexpected" in compose_schema(wrong)


@pytest.mark.parametrize("name", NAMES)
def test_kubernetes_takes_the_files(kubernetes_schema, name):
    objects = [one for text in rendered(name, "kubernetes").values() for one in yaml.safe_load_all(text)]
    for one in objects:
        kubernetes_schema(one)
    kinds = {one["kind"] for one in objects}
    assert kinds >= {"Namespace", "Deployment", "Service", "NetworkPolicy", "ConfigMap"}
    assert ("HorizontalPodAutoscaler" in kinds) == (name == "two_devices")
    deployment = next(one for one in objects if one["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["runAsNonroot"] = True
    with pytest.raises(Exception, match="runAsNonroot"):
        kubernetes_schema(deployment)


def test_systemd_takes_the_units(systemd_verify, tmp_path):
    files = [file for name in NAMES for file in write(rendered(name, "systemd"), tmp_path / name)]
    units = [file for file in files if file.suffix == ".service"]
    assert len(units) == 5 and not systemd_verify(*units)
    wrong = tmp_path / "wrong-one.service"
    wrong.write_text(units[0].read_text().replace("ProtectHome=", "ProtectHom="))
    assert "ProtectHom" in systemd_verify(wrong)


@pytest.mark.parametrize("to", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_the_exact_files(name, to, golden):
    files = rendered(name, to)
    golden(f"rendered/{name}.{to}.txt", "\n".join(f"==== {path}\n{text}" for path, text in files.items()).rstrip())


def test_nothing_runs_as_root_or_beyond_this_machine():
    pods = [
        one["spec"]["template"]["spec"]
        for name in NAMES
        for text in rendered(name, "kubernetes").values()
        for one in yaml.safe_load_all(text)
        if one["kind"] == "Deployment"
    ]
    assert len(pods) == 4
    for pod in pods:
        (box,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] and box["securityContext"]["readOnlyRootFilesystem"]
        assert any("secretKeyRef" in one.get("valueFrom", {}) for one in box["env"])
    for service in yaml.safe_load(rendered("one_device", "compose")["compose.yaml"])["services"].values():
        assert service["read_only"] and all(port.startswith("127.0.0.1:") for port in service["ports"])
    for text in rendered("two_devices", "systemd").values():
        assert "0.0.0.0" not in text


def test_an_agent_finds_its_models_in_the_order_in_which_they_step_in():
    told = json.loads(rendered("two_devices", "systemd")["agents.json"])["agents"]["technical-support"]
    assert [one["base_url"][-7:-3] for one in told["endpoints"]] == ["8010", "8001", "8002"]
    assert [one["key_env"] for one in told["endpoints"]] == ["CODER_KEY", "LABKIT_KEY", "LABKIT_KEY"]


def _manifest(device: dict | None = None, **model) -> Manifest:
    row = {"name": "m", "source": "qwen2.5-0.5b", "engine": "vllm", "port": 8000, **model}
    devices = [{"name": "box", **device}] if device else []
    return Manifest.model_validate({"schema_version": 1, "name": "n", "devices": devices, "models": [row]})


def test_what_is_not_rendered():
    gpu = {"gpus": 1, "gpu_memory_gib": 24.0}
    cases = [
        (_manifest(engine="ollama"), "systemd", "asks for no key"),
        (_manifest(engine="llamacpp"), "compose", "has no container image"),
        (_manifest({"gpus": 0, "memory_gib": 16.0}), "compose", "has no container image"),
        (_manifest(gpu, settings={"tensor_parallel_size": 2}), "compose", "2 GPUs"),
        (
            _manifest(gpu, replicas={"min": 1, "max": 2}, settings={"gpu_memory_utilization": 0.4}),
            "kubernetes",
            "whole ones",
        ),
    ]
    for manifest, to, said in cases:
        with pytest.raises(ConfigError) as caught:
            render(manifest, to)
        assert said in str(caught.value)


def test_the_official_image_has_the_version_whose_parser_was_asked():
    text = render(_manifest({"gpus": 1, "gpu_memory_gib": 24.0}), "compose")["compose.yaml"]
    wanted = re.escape(accepts.version("vllm") or "") or r"\d"
    assert re.search(rf"image: vllm/vllm-openai:v{wanted}", text)


def test_what_a_shell_or_systemd_would_read_into_a_word_is_left_as_it_is():
    manifest = _manifest(source="/models/100% of $HOME/x y", image="example/vllm:1")
    assert '"/models/100%% of $$HOME/x y"' in render(manifest, "systemd")["n-m-1.service"]
    assert "/models/100% of $$HOME/x y" in render(manifest, "compose")["compose.yaml"]


def test_files_that_somebody_edited_are_left_alone(tmp_path):
    files = rendered("one_device", "compose")
    write(files, tmp_path)
    write(files, tmp_path)
    (tmp_path / "compose.yaml").write_text("mine")
    with pytest.raises(ConfigError, match=r"compose.yaml in .* would change"):
        write(files, tmp_path)
    assert (tmp_path / "compose.yaml").read_text() == "mine"
