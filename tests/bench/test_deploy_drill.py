"""The drill on a real deployment: three kills under load, and nothing lost."""

import pytest

from labkit.backends.process import free_port
from labkit.bench.deploy_drill import drill, words
from labkit.deploy import ray_check
from labkit.deploy.manifest import Manifest


@pytest.mark.timeout(900)  # Ray comes up in 10 seconds on an idle machine, and in minutes on a busy one
def test_every_request_of_a_drill_is_answered_and_replicas_follow_the_load(require, endpoint):
    here = ray_check.available()
    require("ray", here, here.fix)
    model = {"name": "small", "source": "smollm2-135m", "port": free_port(), "replicas": {"max": 2, "waiting": 1}}
    model["settings"] = {"max_num_seqs": 1, "max_model_len": 512}
    found = drill(
        Manifest.model_validate({"schema_version": 1, "name": "drill", "models": [model]}), callers=6, seconds=3
    )
    assert found["ok"] and not found["lost"], found
    assert [one["killed"] for one in found["kills"]] == ["engine", "replica", "proxy"]
    assert found["asked_again_by_router"] and found["asked_again_by_client"]
    assert found["scale"]["up_s"] is not None and found["scale"]["down_s"] is not None
    assert f"{found['requests']} requests, 0 lost" in words(found)
