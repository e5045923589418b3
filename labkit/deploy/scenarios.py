"""The module's deployment presets as typed data, and how an engine says their settings today.

    presets()["STAGING"].max_num_seqs                                        # 64
    launch("vllm", presets()["STAGING"], model="org/Model", name="m")        # the command, as today's vLLM wants it

The numbers and the options are the table data/scenarios.toml. Whether the installed engine takes the options is asked in
accepts.py, whether the hardware does in check.py, and plan.py puts both together.

Taught in notebook 12, section "Presets".
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from labkit import paths

__all__ = ["Engine", "Launch", "Preset", "Settings", "engines", "launch", "placeholders", "presets", "unsaid"]

Engine = Literal["vllm", "llamacpp", "ollama"]
Preset = Literal["DEVELOPMENT", "STAGING", "PRODUCTION_LOW", "PRODUCTION_HIGH", "ENTERPRISE"]
Count = Annotated[int, Field(ge=1, le=2**20)]


class Settings(BaseModel):
    """What a server is started with, by the module's names. Lengths in tokens; None leaves it to the engine."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())

    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1, description="Share of each GPU's memory.")] | None = None
    max_model_len: Annotated[int, Field(ge=64, le=2**20, description="Tokens of one conversation.")] | None = None
    tensor_parallel_size: Annotated[int, Field(ge=1, le=64, description="GPUs that share each layer.")] = 1
    pipeline_parallel_size: Annotated[int, Field(ge=1, le=64, description="Groups of GPUs, one after another.")] = 1
    quantization: Literal["awq", "gptq", "fp8"] | None = None
    enable_prefix_caching: bool | None = None
    max_num_seqs: Annotated[Count, Field(description="Conversations at once.")] | None = None
    max_num_batched_tokens: Annotated[Count, Field(description="Tokens of one step.")] | None = None
    enable_chunked_prefill: bool | None = None
    speculative_model: Annotated[str, Field(description="Draft model; none takes a preset's away.")] | None = None
    guided_decoding_backend: Literal["auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer"] | None = None

    @property
    def gpus(self) -> int:
        """GPUs that one server takes: tensor times pipeline."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    def changed(self, **settings: Any) -> Settings:
        """Return these settings with others in their place. Raises pydantic's ValidationError."""
        return Settings.model_validate({**self.model_dump(), **settings})


@dataclass(frozen=True)
class Launch:
    """How to start one server: the `command` as a list, and the `environment` it reads, without the key."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)


def presets() -> dict[str, Settings]:
    """Return the module's five presets by name, with every number as it stands there."""
    return {name: Settings.model_validate(row) for name, row in _table()["presets"].items()}


def engines() -> dict[str, dict[str, Any]]:
    """Return the rows of the engines in data/scenarios.toml, by name."""
    return _table()["engines"]


def placeholders(setting: str) -> list[str]:
    """Return the names that the module's presets put where a real one has to stand."""
    return _table()["placeholders"].get(setting, [])


def launch(
    engine: Engine, settings: Settings, *, model: str, name: str, host="127.0.0.1", port=8000, cpu=False
) -> Launch:
    """Return how today's `engine` is told these settings; a setting that it has no word for is left out (see `unsaid`).

    model: what the engine loads (a repository, a folder, a file). name: what clients call it. cpu: vLLM's build for CPUs.
    """
    row, words = engines()[engine], {"model": model, "name": name, "host": host, "port": port}
    pairs = [[part.format(**words) for part in option] for option in _options(engine, settings)]
    environment = {key: value.format(**words) for key, value in row.get("environment", {}).items()}
    command = [part.format(**words) for part in (row.get("cpu_command", row["command"]) if cpu else row["command"])]
    if engine == "ollama":
        return Launch(command, environment | dict(pairs))
    return Launch([*command, *(part for pair in pairs for part in pair)], environment)


def unsaid(engine: Engine, settings: Settings) -> dict[str, str]:
    """Return the settings that are asked for and that `engine` has no word for, each with the reason."""
    row = engines()[engine]
    asked = {key for key, value in _asked(settings) if key not in row["settings"]}
    return {key: row["why"].get(key, f"{engine} has no such setting") for key in Settings.model_fields if key in asked}


def _asked(settings: Settings) -> list[tuple[str, Any]]:
    return [(key, value) for key, value in settings.model_dump().items() if value is not None]


def _options(engine: Engine, settings: Settings) -> list[list[str]]:
    """Return the options of all settings, with the values in them and nothing else left to fill in."""
    said, found = engines()[engine]["settings"], []
    tokens = (settings.max_model_len or 0) * (settings.max_num_seqs or 1)
    for key, value in _asked(settings):
        option = said.get(f"no:{key}" if value is False else key)
        if option:
            filled = [part.format(value=value, tokens=tokens) for part in option]
            found.append([part.replace("{", "{{").replace("}", "}}") for part in filled])
    return found


@functools.cache
def _table() -> dict[str, Any]:
    return paths.read_table("scenarios.toml")
