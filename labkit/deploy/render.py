"""From a manifest to the files that Docker Compose, Kubernetes or systemd read.

    files = render(load(Path("shop.yaml")), "compose")        # {"compose.yaml": "…", "agents.json": "…"}

Every target has one file of its own (compose.py, kubernetes.py, systemd.py), and agents.json says to the agents' program where each
one's models are, in the order in which they step in. Keys are never in a file: environment variables and Secrets, by name.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from labkit import disk
from labkit.deploy import check, compose, kubernetes, systemd
from labkit.deploy.manifest import Manifest, Model
from labkit.errors import ConfigError

__all__ = ["TARGETS", "Target", "render", "target", "write"]

Target = Literal["compose", "kubernetes", "systemd"]
TARGETS: dict[str, Callable[[Manifest], dict[str, str]]] = {
    "compose": compose.files,
    "kubernetes": kubernetes.files,
    "systemd": systemd.files,
}


def render(manifest: Manifest, to: Target) -> dict[str, str]:
    """Return the files of `manifest` by relative path, for `to`: a key of TARGETS.

    Raises ConfigError where a device's own figures cannot carry its models, for an engine without a key, or without an image.
    """
    _refuse_unfit(manifest)
    _refuse_keyless(manifest)
    return TARGETS[to](manifest) | _agents(manifest, to)


def target(name: str) -> Target:
    """Return the target of that name. Raises ConfigError for none."""
    if name not in TARGETS:
        raise ConfigError(
            f"There is no target {name!r}.", f"the targets are {', '.join(TARGETS)}", "labkit deploy render --help"
        )
    return name


def write(files: dict[str, str], folder: Path) -> list[Path]:
    """Write the files into `folder` (made if missing), each whole or not at all; return their paths.

    Raises ConfigError where a file of that name says something else: it may have been edited.
    """
    edited = [name for name, text in files.items() if _other(folder / name, text)]
    if edited:
        why = "labkit does not write over what somebody may have edited"
        raise ConfigError(
            f"{', '.join(edited)} in {folder} would change.", why, "labkit deploy render FILE --out ANOTHER_FOLDER"
        )
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        with disk.placed(folder / name) as out:
            out.write(text.encode())
    return [folder / name for name in files]


def _other(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") != text


def _refuse_unfit(manifest: Manifest) -> None:
    """Only devices that tell what they have: files may be written for a machine that is not this one."""
    groups: dict[check.Hardware, list[Model]] = {}
    for model in manifest.models:
        device = manifest.device_of(model)
        if device.gpus is not None:
            groups.setdefault(check.hardware_of(device), []).append(model)
    found = [one for here, models in groups.items() for model in models for one in check.refusals(model, here)]
    for here, models in groups.items():
        found += [*check.share_refusals(here, models), *check.memory_refusals(here, models)]
    if found:
        raise ConfigError(f"{found[0].what}.", found[0].why, found[0].fix)


def _refuse_keyless(manifest: Manifest) -> None:
    for model in manifest.models:
        if model.engine == "ollama":
            why = "Ollama asks for no key, so whoever reaches its port may use it and change its models"
            raise ConfigError(
                f"{model.name} on ollama is not rendered.", why, "engine: llamacpp  # the same weights, with a key"
            )


def _agents(manifest: Manifest, to: Target) -> dict[str, str]:
    """Return the file that the agents' program reads; none without agents."""
    if not manifest.agents:
        return {}
    models = {model.name: model for model in manifest.models}
    urls = kubernetes.urls if to == "kubernetes" else _loopback_urls
    tools = {tool.name: {"name": tool.name, "environment": tool.environment} for tool in manifest.tools}
    agents: dict[str, Any] = {}
    for agent in manifest.agents:
        order = [models[name] for name in (agent.model, *agent.failover)]
        endpoints = [
            {"base_url": url, "model": model.name, "key_env": model.key_env}
            for model in order
            for url in urls(manifest, model)
        ]
        agents[agent.name] = {
            "endpoints": endpoints,
            "tools": [tools[name] for name in agent.tools],
            "roles": agent.roles,
            "limits": agent.limits.model_dump(),
        }
    text = json.dumps({"name": manifest.name, "agents": agents}, indent=1) + "\n"
    return kubernetes.agents(manifest, text) if to == "kubernetes" else {"agents.json": text}


def _loopback_urls(manifest: Manifest, model: Model) -> list[str]:
    """Ports stand once in a manifest, so a tunnel to another device keeps the port, and the address is the same everywhere."""
    return [f"http://127.0.0.1:{port}/v1" for port in model.ports]
