"""What a manifest's parts say about each other: names that exist, names and ports that stand once, tools that a role allows.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from labkit.deploy.yaml_file import Problem, meant

__all__ = ["wrong_references"]

NAMED = ("devices", "models", "tools", "roles", "agents")


def wrong_references(manifest: Any) -> list[Problem]:
    """Return what does not fit together in a Manifest, each with its path in the file."""
    return [
        *_twice(manifest),
        *_ports(manifest),
        *_replicas(manifest),
        *_devices(manifest),
        *_roles(manifest),
        *_agents(manifest),
    ]


def _twice(manifest: Any) -> Iterator[Problem]:
    for part in NAMED:
        seen = set()
        for i, one in enumerate(getattr(manifest, part)):
            if one.name in seen:
                yield (part, i, "name"), f"the name {one.name!r} stands in {part} a second time"
            seen.add(one.name)


def _ports(manifest: Any) -> Iterator[Problem]:
    """One port, one server, over all devices: so that a tunnel to another device can keep the port."""
    taken: dict[int, str] = {}
    for i, model in enumerate(manifest.models):
        if model.ports[-1] > 65535:
            yield ("models", i, "port"), f"{len(model.ports)} servers from port {model.port} on end beyond 65535"
        for port in model.ports:
            if port in taken:
                yield ("models", i, "port"), f"port {port} is taken by {taken[port]!r}"
                break
        taken |= dict.fromkeys(model.ports, model.name)


def _replicas(manifest: Any) -> Iterator[Problem]:
    for i, model in enumerate(manifest.models):
        if model.replicas.max < model.replicas.min:
            said = f"at most {model.replicas.max} and at least {model.replicas.min} servers cannot both be"
            yield ("models", i, "replicas"), said


def _devices(manifest: Any) -> Iterator[Problem]:
    names = [device.name for device in manifest.devices]
    for i, model in enumerate(manifest.models):
        if model.device is None and len(names) > 1:
            yield ("models", i), f"{model.name!r} names no device, and there are {', '.join(names)}"
        elif model.device is not None:
            yield from _known(("models", i, "device"), "device", [model.device], names)


def _roles(manifest: Any) -> Iterator[Problem]:
    tools = [tool.name for tool in manifest.tools]
    for i, role in enumerate(manifest.roles):
        yield from _known(("roles", i, "tools"), "tool", role.tools, tools)


def _agents(manifest: Any) -> Iterator[Problem]:
    models, tools = [one.name for one in manifest.models], [one.name for one in manifest.tools]
    allowed = {role.name: set(role.tools) for role in manifest.roles}
    for i, agent in enumerate(manifest.agents):
        at = ("agents", i)
        yield from _known((*at, "model"), "model", [agent.model], models)
        yield from _known((*at, "failover"), "model", agent.failover, models)
        yield from _known((*at, "tools"), "tool", agent.tools, tools)
        yield from _known((*at, "roles"), "role", agent.roles, allowed)
        if agent.model in agent.failover:
            yield (*at, "failover"), f"{agent.model!r} cannot stand in for itself"
        grants = set().union(*(allowed.get(role, set()) for role in agent.roles))
        for tool in agent.tools:
            if agent.roles and tool in tools and tool not in grants:
                yield (*at, "tools"), f"no role of {agent.name!r} allows the tool {tool!r}"


def _known(at: tuple, kind: str, wanted: list[str], known: Any) -> Iterator[Problem]:
    for i, name in enumerate(wanted):
        if name not in known:
            place = (*at, i) if at[-1] in ("tools", "failover", "roles") else at
            yield place, f"there is no {kind} {name!r}{meant(name, known)}"
