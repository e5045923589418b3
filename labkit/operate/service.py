"""A service in one small TOML file: where it answers, and what it promises. `labkit checklist` looks whether that is so.

    base_url = "http://127.0.0.1:8000/v1"     # without it, labkit starts an engine of its own
    fallback = ["http://127.0.0.1:8001/v1"]
    audit = "audit.jsonl"                     # files are looked for beside the TOML file
    requests_per_second = 2

service = read(Path("kiosk.toml"))
service.queue                             # 1000, the default of labkit.operate.resources

Taught in notebook 10, section "The checklists".
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from labkit.backends.base import Endpoint
from labkit.backends.loopback import LOOPBACK, get_json
from labkit.errors import ConfigError, EngineMissing, Refused
from labkit.nearest import meant

__all__ = ["Place", "Service", "external", "read"]

FILES = ("audit", "roles", "alerts")


@dataclass(frozen=True)
class Service:
    """What a service says of itself. Every default is what labkit does when nothing is said; 0 and "" mean that there is none.

    base_url, fallback: engines, each ending in /v1. api_key_env: the variable with their key. models: aliases that must be loaded.
    audit, roles, alerts: files. changing_tools: names of tools that change something. memory_gb: for all models together.
    queue, workers, seconds: as for Resources. requests_per_second, burst, tokens_per_hour: of one caller. characters: of an input.
    least_caught_percent, most_false_alarms_percent: what the guards have to reach on texts that they were not fitted to.

    Taught in notebook 10, section "The checklists".
    """

    base_url: str = ""
    api_key_env: str = "LABKIT_API_KEY"
    models: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    audit: str = ""
    roles: str = ""
    alerts: str = ""
    changing_tools: tuple[str, ...] = ("create_ticket",)
    memory_gb: float = 8.0
    queue: int = 1000
    workers: int = 4
    seconds: float = 30.0
    requests_per_second: float = 0.0
    burst: int = 10
    tokens_per_hour: int = 0
    characters: int = 100_000
    least_caught_percent: float = 60.0
    most_false_alarms_percent: float = 20.0

    def file(self, name: str) -> Path | None:
        """Return the file that "audit", "roles" or "alerts" names, or None."""
        return Path(getattr(self, name)) if getattr(self, name) else None


def read(path: Path) -> Service:
    """Return the service that a TOML file describes. Raises ConfigError: unreadable, an unknown word, a value of another kind.

    Taught in notebook 10, section "The checklists".
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} describes no service.", str(error), "labkit checklist --help") from error
    kinds = {one.name: type(one.default) for one in dataclasses.fields(Service)}
    values = {name: _checked(name, value, kinds) for name, value in table.items()}
    beside = {name: str(path.parent / values[name]) for name in FILES if values.get(name)}
    return Service(**{**values, **beside})


@dataclass
class Place:
    """A service while it is looked at: what it describes, and its engine, started or found when first needed. Close it.

    backend, model: what to start where the service names no base_url. connect: starts it (labkit.connect).
    """

    service: Service
    backend: str = "auto"
    model: str = "auto"
    connect: Any = None
    notes: dict[str, Any] = field(default_factory=dict)  # what one check measured and another needs

    @cached_property
    def fleet(self):
        """The fleet that owns the engine, where the service names no base_url."""
        from labkit.operate.fleet import Fleet

        wish = {"backend": self.backend, "model": self.model, "shared": False}
        return Fleet({"model": wish}, budget_bytes=int(self.service.memory_gb * 1e9), connect=self.connect)

    @property
    def owned(self) -> bool:
        """Whether the engine is labkit's own, to be killed in a drill."""
        return not self.service.base_url

    @property
    def endpoint(self) -> Endpoint:
        """The engine. Raises what labkit.connect raises, and ConfigError for another machine."""
        if not self.owned:
            return external(self.service.base_url, os.environ.get(self.service.api_key_env, ""))
        with self.fleet.use("model") as endpoint:
            return endpoint

    def fallbacks(self) -> list[Endpoint]:
        """Return the endpoints that the service falls back to."""
        key = os.environ.get(self.service.api_key_env, "")
        return [external(one, key) for one in self.service.fallback]

    def dead(self) -> Endpoint:
        """Return the engine's twin at a port where nobody listens."""
        return replace(self.endpoint, base_url="http://127.0.0.1:9/v1", process=None, on_close=None, timeout=5.0)

    def close(self) -> None:
        """Stop the engine, if it was started here."""
        if "fleet" in self.__dict__:
            self.fleet.close()


def external(base_url: str, key: str) -> Endpoint:
    """Return the endpoint of a server that runs already on this machine. Raises ConfigError, EngineMissing, Refused."""
    parts = urlsplit(base_url)
    if parts.hostname not in LOOPBACK:
        raise ConfigError(f"{base_url} is another machine.", "prompts would leave this one", "labkit serve")
    try:
        listed = get_json(f"{parts.scheme}://{parts.netloc}", f"{parts.path.rstrip('/')}/models", key).get("data", [])
    except (OSError, ValueError) as error:
        raise EngineMissing(f"No engine answers at {base_url}.", str(error), "labkit serve") from error
    if not listed:
        raise Refused(f"{base_url} lists no models.", "the key is wrong, or none is loaded", "labkit serve")
    return Endpoint(backend="external", base_url=base_url, model=listed[0]["id"], api_key=key or "none", timeout=60.0)


def _checked(name: str, value: Any, kinds: dict[str, type]) -> Any:
    if name not in kinds:
        raise ConfigError(f"A service has no {name!r}.", meant(name, kinds), "labkit checklist --help")
    kind = kinds[name]
    if kind is tuple and isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    numbers = (int, float) if kind is float else (kind,)
    if kind is tuple or isinstance(value, bool) or not isinstance(value, numbers):
        wanted = "a list of texts" if kind is tuple else {str: "a text", int: "a whole number"}.get(kind, "a number")
        raise ConfigError(f"In the service, {name} is {value!r}."[:200], f"{wanted} is wanted", "")
    return value
