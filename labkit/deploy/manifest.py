"""What runs where, in one YAML file: devices, models, agents, tools, roles, limits, replicas, failover.

    plan = load(Path("shop.yaml"))          # a Manifest, or a ConfigError that names line and column
    plan.models[0].port

The classes below are the schema; data/manifest.schema.json is made from them (`json_schema`), for editors. A file is read strictly:
no unknown key, no anchor, no secret, no port twice. What the file refers to is checked in references.py.

Taught in notebook 12, sections "Presets" and "One manifest, three schedulers".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labkit import catalog
from labkit.deploy import yaml_file
from labkit.deploy.references import wrong_references
from labkit.deploy.scenarios import Engine, Preset, Settings, presets
from labkit.errors import UnknownModel

__all__ = [
    "SCHEMA_VERSION", "Agent", "Device", "Limits", "Manifest", "Model", "Replicas", "Role", "Tool", "json_schema", "load",
]  # fmt: skip

SCHEMA_VERSION = 1
# What Kubernetes, Compose and systemd all take as a name.
Name = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", description="a-z, 0-9 and -, 40 at most")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,63}$", description="Name of an environment variable.")]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Device(_Strict):
    """One machine. Without figures, it is the machine that plans; sizes in GiB (2**30 bytes)."""

    name: Name
    gpus: Annotated[int, Field(ge=0, le=64)] | None = None
    gpu_memory_gib: Annotated[float, Field(gt=0, le=1024, description="Of each GPU.")] | None = None
    memory_gib: Annotated[float, Field(gt=0, le=65536)] | None = None


class Replicas(_Strict):
    """How many servers of one model: `min` always; on Kubernetes up to `max` while more than `waiting` requests wait for each.

    Elsewhere `min` servers stand at consecutive ports.
    """

    min: Annotated[int, Field(ge=1, le=64)] = 1
    max: Annotated[int, Field(ge=1, le=64)] = 1
    waiting: Annotated[int, Field(ge=1, le=10_000)] = 4


class Model(_Strict):
    """One model behind one engine: its preset, and the settings that differ from it."""

    name: Name
    source: Annotated[Text, Field(description="An alias of `labkit models`, a repository, or a file or folder.")]
    engine: Engine = "llamacpp"
    scenario: Preset = "DEVELOPMENT"
    settings: dict[str, Any] = Field(default_factory=dict, description="In place of the preset's; null takes one away.")
    device: Name | None = None
    port: Annotated[int, Field(ge=1024, le=65535)]
    replicas: Replicas = Replicas()
    key_env: Variable = "LABKIT_KEY"
    purposes: list[Text] = []
    image: Annotated[Text, Field(description="Container image, in place of the engine's own.")] | None = None

    @property
    def resolved(self) -> Settings:
        """The preset's settings with this model's own in their place."""
        return presets()[self.scenario].changed(**self.settings)

    @property
    def ports(self) -> range:
        """The port of each server that always runs."""
        return range(self.port, self.port + self.replicas.min)


class Tool(_Strict):
    """One tool by name, and the environment variables that it needs, by name."""

    name: Name
    environment: list[Variable] = []


class Role(_Strict):
    """Who may use which tools."""

    name: Name
    tools: list[Name] = []


class Limits(_Strict):
    """What an agent may use. Tokens an answer, seconds a request, requests a minute."""

    max_tokens: Annotated[int, Field(ge=1, le=2**20)] = 512
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.1
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 60


class Agent(_Strict):
    """One agent: its model, the models that step in when that one is down, in order, its tools, roles and limits."""

    name: Name
    model: Name
    failover: list[Name] = []
    tools: list[Name] = []
    roles: list[Name] = []
    limits: Limits = Limits()


class Manifest(_Strict):
    """The whole file: one device or several."""

    schema_version: Annotated[int, Field(ge=1, le=SCHEMA_VERSION)]
    name: Name
    devices: list[Device] = []
    models: Annotated[list[Model], Field(min_length=1)]
    tools: list[Tool] = []
    roles: list[Role] = []
    agents: list[Agent] = []

    def device_of(self, model: Model) -> Device:
        """Return where a model runs: its device, else the only one, else the machine that plans."""
        fallback = self.devices[0] if self.devices else Device(name="this-machine")
        return next((one for one in self.devices if one.name == model.device), fallback)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a manifest, as it stands in data/manifest.schema.json."""
    schema = Manifest.model_json_schema()
    schema["$defs"]["Settings"] = Settings.model_json_schema()
    schema["$defs"]["Model"]["properties"]["settings"] |= {"$ref": "#/$defs/Settings"}
    del schema["$defs"]["Model"]["properties"]["settings"]["additionalProperties"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "labkit manifest", **schema}


def load(file: Path) -> Manifest:
    """Return the manifest in `file`. Raises ConfigError: every problem on a line of its own, with line and column."""
    document = yaml_file.read(file)
    _refuse_newer(document)
    yaml_file.refuse_secrets(document)
    try:
        found = Manifest.model_validate(document.value)
    except ValidationError as error:
        raise document.error([_told(problem) for problem in error.errors()]) from None
    problems = [*_wrong_settings(found), *_unknown_sources(found), *wrong_references(found)]
    if problems:
        raise document.error(problems)
    return found


def _refuse_newer(document: yaml_file.Document) -> None:
    version = document.value.get("schema_version") if isinstance(document.value, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        said = f"schema_version {version} is newer than {SCHEMA_VERSION}, the newest that this labkit reads"
        fix = "git pull  # in labkit's clone: a newer labkit reads it"
        raise document.error([(("schema_version",), said)], fix=fix)


def _wrong_settings(found: Manifest) -> list[yaml_file.Problem]:
    """The settings of each model, checked together with its preset's."""
    problems = []
    for i, model in enumerate(found.models):
        try:
            _ = model.resolved
        except ValidationError as error:
            at = ("models", i, "settings")
            problems += [_told({**one, "loc": (*at, *one["loc"])}) for one in error.errors()]
    return problems


def _unknown_sources(found: Manifest) -> list[yaml_file.Problem]:
    """Names that are neither in the catalogue nor those of a repository, a folder or a file."""
    problems = []
    for i, model in enumerate(found.models):
        try:
            catalog.model(model.source, model.engine).source(model.engine)
        except UnknownModel as error:
            if "/" not in model.source and not model.source.endswith(".gguf"):
                problems.append((("models", i, "source"), f"{error.what.rstrip('.')}: {error.why}"))
    return problems


def _told(problem: dict[str, Any]) -> yaml_file.Problem:
    """One of pydantic's errors in words of ours; a value is shown only where it cannot be a secret."""
    at = problem["loc"]
    if problem["type"] == "extra_forbidden":
        return at, f"there is no key {at[-1]!r}{yaml_file.meant(str(at[-1]), _keys_at(at[:-1]))}"
    if problem["type"] == "missing":
        return at[:-1], f"the key {at[-1]!r} is missing"
    given = problem.get("input")
    shown = f", not {given!r}" if isinstance(given, bool | int | float) else ""
    return at, f"{'.'.join(str(part) for part in at)}: {problem['msg'][0].lower()}{problem['msg'][1:]}{shown}"


def _keys_at(at: tuple) -> list[str]:
    """Return the keys that the schema knows at a place such as ("models", 0)."""
    schema = json_schema()
    node = schema
    for part in at:
        node = node.get("items", {}) if isinstance(part, int) else node.get("properties", {}).get(part, {})
        if ref := node.get("$ref"):
            node = schema["$defs"][ref.rpartition("/")[2]]
    return list(node.get("properties", {}))
