"""One model's server in a container: image, program, arguments, environment; what Compose and Kubernetes both say of it.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from labkit.deploy import accepts
from labkit.deploy.manifest import Manifest, Model
from labkit.deploy.scenarios import engines, launch
from labkit.deploy.shape import checkpoint_in
from labkit.errors import ConfigError

__all__ = ["MODELS", "PORT", "USER", "Container", "container", "yaml_text"]

MODELS = "/models"  # where the weights are mounted, read only
PORT = 8000  # inside the container, where nothing else listens
USER = 10001  # no user of the image, and not root


@dataclass(frozen=True)
class Container:
    """What to run: `program` and `arguments` in `image`; `key_env` is where the engine reads its key."""

    image: str
    program: str
    arguments: list[str]
    environment: dict[str, str]
    key_env: str
    health: str
    gpus: int


def container(manifest: Manifest, model: Model) -> Container:
    """Return the container of one server. Raises ConfigError where the engine's image has to be named and is not."""
    row, path = engines()[model.engine], checkpoint_in(MODELS, model)
    # 0.0.0.0 is the container's own network: what may reach it is said outside (a published loopback port, a NetworkPolicy).
    found = launch(model.engine, model.resolved, model=path, name=model.name, host="0.0.0.0", port=PORT)
    program = row.get("container_program", found.command[0])
    gpus = model.resolved.gpus if model.engine == "vllm" and manifest.device_of(model).gpus != 0 else 0
    quiet = {"HOME": "/tmp", "HF_HOME": MODELS, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    environment = found.environment | (quiet if model.engine == "vllm" else {"HOME": "/tmp"})
    return Container(_image(model, gpus), program, found.command[1:], environment, row["key_env"], row["health"], gpus)


class _Plain(yaml.SafeDumper):
    """Writes everything out, where PyYAML would say `*id001` for what it has written before."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def yaml_text(*documents: dict[str, Any]) -> str:
    """Return the documents as YAML, keys in their order; several are set apart."""
    apart = len(documents) > 1
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=120, explicit_start=apart)


def _image(model: Model, gpus: int) -> str:
    row = engines()[model.engine]
    if model.image:
        return model.image
    if "image" not in row or not gpus:
        what = "vLLM without a GPU" if model.engine == "vllm" else model.engine
        why = f"labkit knows of no official image for {what} by a short name"
        raise ConfigError(
            f"{model.name} has no container image.", why, "image: YOUR_REGISTRY/IMAGE:TAG  # in the manifest"
        )
    return row["image"].format(version=accepts.version(model.engine) or row["image_version"])
