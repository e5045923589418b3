"""A manifest for Docker Compose: one file a device, every server on a loopback port, read only and without root.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

from typing import Any

from labkit.deploy.container import MODELS, PORT, USER, container, yaml_text
from labkit.deploy.manifest import Manifest, Model

__all__ = ["files"]

HEAD = """\
# Made by `labkit deploy render`: change the manifest, not this file.
# Start:  LABKIT_MODELS_DIR=/folder/with/the/models {keys} docker compose up -d --wait
# Ports are open on this machine alone. From another one, a tunnel: ssh -N -L {port}:127.0.0.1:{port} {device}
"""


def files(manifest: Manifest) -> dict[str, str]:
    """Return compose.yaml, in a folder of its own for each device where there are several."""
    found: dict[str, str] = {}
    for device in manifest.devices or [manifest.device_of(manifest.models[0])]:
        models = [model for model in manifest.models if manifest.device_of(model) == device]
        if models:
            path = f"{device.name}/compose.yaml" if len(manifest.devices) > 1 else "compose.yaml"
            found[path] = _file(manifest, device.name, models)
    return found


def _file(manifest: Manifest, device: str, models: list[Model]) -> str:
    services = {
        f"{model.name}-{i}": _service(manifest, model, port)
        for model in models
        for i, port in enumerate(model.ports, 1)
    }
    keys = " ".join(f"{key}=…" for key in dict.fromkeys(model.key_env for model in models))
    head = HEAD.format(keys=keys, port=models[0].port, device=device)
    return head + yaml_text({"name": manifest.name, "services": services})


def _service(manifest: Manifest, model: Model, port: int) -> dict[str, Any]:
    box = container(manifest, model)
    # Compose fills in $NAME by itself; in what it should leave alone, a dollar is two.
    plain = [part.replace("$", "$$") for part in box.arguments]
    service: dict[str, Any] = {
        "image": box.image,
        "entrypoint": [box.program],
        "command": plain,
        "environment": {**box.environment, box.key_env: f"${{{model.key_env}:?holds the key of {model.name}}}"},
        "ports": [f"127.0.0.1:{port}:{PORT}"],
        "volumes": [f"${{LABKIT_MODELS_DIR:?the folder with the models}}:{MODELS}:ro"],
        "user": f"{USER}:{USER}",
        "read_only": True,
        "tmpfs": ["/tmp"],
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "restart": "unless-stopped",
        "stop_grace_period": "30s",
        "healthcheck": {
            "test": ["CMD", "curl", "-fsS", f"http://127.0.0.1:{PORT}{box.health}"],
            "interval": "10s",
            "timeout": "5s",
            "start_period": "10m",
        },
    }
    if box.gpus:
        device = {"driver": "nvidia", "count": box.gpus, "capabilities": ["gpu"]}
        service |= {"deploy": {"resources": {"reservations": {"devices": [device]}}}, "shm_size": "2gb"}
    return service
