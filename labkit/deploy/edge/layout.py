"""From a manifest to who stands where: devices, the agents on each, and who steps in for whom.

found = layout(load(Path("data/edge.yaml")))
found.agents, found.peers, found.models

Taught in notebook 12, section "The edge".
"""

from __future__ import annotations

from dataclasses import dataclass

from labkit.deploy.manifest import Manifest
from labkit.errors import ConfigError

__all__ = ["CLOUD", "Layout", "example", "layout"]

CLOUD = "cloud"  # the device of this name is the cloud tier
WHO = ("small", "big", "nobody")  # names that stand for something else where it says who answered
MOST = 8  # devices of one drill: each is a process, and each pair of peers two links
PORT = 8001


@dataclass(frozen=True)
class Layout:
    """agents: device -> names of its agents. peers: device -> devices that step in for it, in order. models: device -> sources.

    timeouts: device -> the longest time in seconds that one of its agents gives a request.
    """

    agents: dict[str, list[str]]
    peers: dict[str, list[str]]
    models: dict[str, list[str]]
    timeouts: dict[str, float]

    @property
    def devices(self) -> list[str]:
        """The devices without the cloud tier."""
        return list(self.peers)


def layout(manifest: Manifest) -> Layout:
    """Return who stands where. Raises ConfigError for fewer than two devices beside the cloud, or more than a drill can run."""
    home = {model.name: manifest.device_of(model).name for model in manifest.models}
    devices = [one.name for one in manifest.devices if one.name != CLOUD]
    if not 2 <= len(devices) <= MOST:
        why = f"a distributed edge has 2 to {MOST}, and the cloud tier is the one named {CLOUD!r}"
        raise ConfigError(f"{manifest.name} has {len(devices)} devices.", why, "labkit deploy edge-drill --devices 2")
    those = {name: [one for one in manifest.agents if home[one.model] == name] for name in devices}
    for name, agents in those.items():
        if not agents or name in WHO:
            why = f"{' and '.join(WHO)} say who answered" if name in WHO else "no agent names a model of this device"
            raise ConfigError(f"No agent can be on {name}.", why, "labkit deploy schema")
    peers = {name: [] for name in devices}
    for agent in manifest.agents:
        here = peers.get(home[agent.model], [])
        here += [
            home[one] for one in agent.failover if home[one] not in (CLOUD, home[agent.model]) and home[one] not in here
        ]
    names = [*devices, *([CLOUD] if CLOUD in home.values() else [])]
    sources = {name: [one.source for one in manifest.models if home[one.name] == name] for name in names}
    called = {name: [one.name for one in agents] for name, agents in those.items()}
    return Layout(called, peers, sources, {name: max(one.limits.timeout_s for one in those[name]) for name in devices})


def example(devices: int) -> Manifest:
    """Return a manifest of so many equal devices, each with one agent for which all others step in."""
    names = [f"edge-{number + 1}" for number in range(devices)]
    model = {"source": "smollm2-135m", "engine": "llamacpp"}
    return Manifest.model_validate(
        {
            "schema_version": 1,
            "name": f"edge-of-{devices}",
            "devices": [{"name": name} for name in names],
            "models": [
                {**model, "name": f"on-{name}", "device": name, "port": PORT + n} for n, name in enumerate(names)
            ],
            "agents": [
                {
                    "name": f"agent-{n + 1}",
                    "model": f"on-{name}",
                    "failover": [f"on-{other}" for other in [*names[n + 1 :], *names[:n]]],
                }
                for n, name in enumerate(names)
            ],
        }
    )
