"""A manifest for systemd: one unit a server, as a user that exists only while it runs, reaching nothing but this machine.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

from labkit.deploy.manifest import Manifest, Model
from labkit.deploy.scenarios import engines, launch
from labkit.deploy.shape import checkpoint_in

__all__ = ["files"]

UNIT = """\
# Made by `labkit deploy render`: change the manifest, not this file.
# {folder}/{model}.env holds one line, {key_env}=KEY, and is readable by root alone. The models lie in {models}.
[Unit]
Description={model} of {name}, on port {port}
After=network.target

[Service]
Type=exec
ExecStart={command}
EnvironmentFile={folder}/{model}.env
{environment}Restart=on-failure
RestartSec=5
TimeoutStopSec=60
DynamicUser=yes
CacheDirectory={name}-{model}-{i}
Environment=HOME=/var/cache/{name}-{model}-{i}
ReadOnlyPaths={models}
UMask=0077
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
{devices}NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
IPAddressDeny=any
IPAddressAllow=localhost

[Install]
WantedBy=multi-user.target
"""
PROGRAMS = "/usr/local/bin:/usr/bin:/bin"


def files(manifest: Manifest) -> dict[str, str]:
    """Return one unit for each server, in a folder for each device where there are several."""
    found = {}
    for model in manifest.models:
        folder = f"{manifest.device_of(model).name}/" if len(manifest.devices) > 1 else ""
        for i, port in enumerate(model.ports, 1):
            found[f"{folder}{manifest.name}-{model.name}-{i}.service"] = _unit(manifest, model, i, port)
    return found


def _unit(manifest: Manifest, model: Model, i: int, port: int) -> str:
    models = f"/srv/{manifest.name}/models"
    path = checkpoint_in(models, model)
    cpu = manifest.device_of(model).gpus == 0
    found = launch(model.engine, model.resolved, model=path, name=model.name, port=port, cpu=cpu)
    hub = {"HF_HOME": models, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"} if model.engine == "vllm" else {}
    # env looks the program up in this PATH; put the engine's venv before it.
    environment = {"PATH": f"/opt/{manifest.name}/bin:{PROGRAMS}", **hub, **found.environment}
    return UNIT.format(
        **{"name": manifest.name, "model": model.name, "i": i, "port": port, "models": models},
        folder=f"/etc/{manifest.name}",
        key_env=engines()[model.engine]["key_env"],
        command=" ".join(_quoted(part) for part in ["/usr/bin/env", *found.command]),
        environment="".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in environment.items()),
        devices="" if model.engine == "vllm" and not cpu else "PrivateDevices=yes\n",
    )


def _quoted(part: str) -> str:
    """A word as systemd reads it: % and $ stand for something there, and blanks and quotes end a word."""
    doubled = part.replace("%", "%%").replace("$", "$$")
    if not set(doubled) & set(" \t\"'\\;"):
        return doubled
    escaped = doubled.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
