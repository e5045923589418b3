"""What speaks against a deployment on Ray Serve is said before anything starts."""

import socket
from importlib import metadata

import pytest

from labkit.deploy import ray_check, ray_llm
from labkit.deploy.manifest import Manifest, load
from labkit.errors import ConfigError, EngineMissing, EngineStartError, OfflineError, OverBudget


def manifest(devices=(), **model):
    one = {"name": "small", "source": "smollm2-135m", "port": 18471, "settings": {"max_num_seqs": 2}, **model}
    return Manifest.model_validate({"schema_version": 1, "name": "bad", "models": [one], "devices": list(devices)})


@pytest.fixture
def ray(require):
    here = ray_check.available()
    require("ray", here, here.fix)


def test_without_ray_the_error_says_how_to_get_it(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(ray_check.metadata, "version", absent)
    with pytest.raises(EngineMissing, match=r"labkit\[ray\]"):
        ray_check.check(manifest(), 0)


@pytest.mark.parametrize("version", ["2.59.1", "2.61.0", "3.0.0"])
def test_another_version_of_ray_is_refused_by_number(monkeypatch, version):
    monkeypatch.setattr(ray_check.metadata, "version", lambda name: version)
    with pytest.raises(EngineMissing, match=version):
        ray_check.check(manifest(), 0)


def test_no_replicas_at_all_are_refused_with_the_line(tmp_path):
    file = tmp_path / "none.yaml"
    file.write_text(
        "schema_version: 1\nname: none\nmodels:\n"
        "  - {name: small, source: smollm2-135m, port: 8001, replicas: {min: 0}}\n"
    )
    with pytest.raises(ConfigError, match=r"4.*replicas.min"):
        load(file)


def test_weights_that_are_not_here_are_named(ray, monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    with pytest.raises(OfflineError) as caught:
        ray_check.check(manifest(), 0)
    assert caught.value.fix == "labkit pull smollm2-135m"


def test_replicas_that_do_not_fit_together_are_refused(ray, endpoint):
    tiny = {"name": "tiny", "gpus": 0, "memory_gib": 1.5}
    assert ray_check.check(manifest([tiny], replicas={"max": 2}), 0) >= 1
    with pytest.raises(OverBudget, match=r"1\.5|1\.6"):
        ray_check.check(manifest([tiny], replicas={"max": 8}), 0)


def test_a_taken_port_is_refused(ray, endpoint):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(EngineStartError, match="cannot be used"):
        ray_check.check(manifest(), taken.getsockname()[1])


def test_engines_without_replicas_here_are_refused_with_the_reason(ray):
    with pytest.raises(ConfigError, match="Ollama has no replicas"):
        ray_check.check(manifest(engine="ollama", source="org/model"), 0)
    try:
        import ray.serve.llm  # noqa: F401
    except ImportError as error:
        with pytest.raises(EngineMissing) as caught:
            ray_check.check(manifest(engine="vllm", source="org/model"), 0)
        assert caught.value.why == str(error)


def test_what_ray_serve_llm_is_told_has_the_settings_of_the_manifest():
    told = ray_llm.config(
        manifest(engine="vllm", source="org/model", scenario="STAGING", replicas={"max": 3}).models[0]
    )
    assert told["engine_kwargs"]["max_num_seqs"] == 2 and told["engine_kwargs"]["quantization"] == "awq"
    assert told["model_loading_config"] == {"model_id": "small", "model_source": "org/model"}
    assert told["deployment_config"]["autoscaling_config"] == {"min_replicas": 1, "max_replicas": 3}
