"""From a preset or a manifest to the exact commands of today's engines, and every reason why they would not run here.

    found = plan(preset_manifest("STAGING"))
    found.ok, found.starts[0].launch.command, found.refusals

Nothing is started. The engine's own parser says whether it takes the command (accepts.py), the hardware is checked in check.py.

Taught in notebook 12, section "Presets".
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit.deploy import accepts, check
from labkit.deploy.manifest import Device, Manifest, Model, load
from labkit.deploy.scenarios import Engine, Launch, engines, launch, presets, unsaid
from labkit.deploy.shape import checkpoint
from labkit.errors import ConfigError

__all__ = ["Plan", "Start", "plan", "preset_manifest", "read"]

PORT = 8000  # the module's


@dataclass(frozen=True)
class Start:
    """One server: which model on which device and port, and how it is started; `verdict`: what its engine says to that."""

    model: Model
    device: str
    port: int
    launch: Launch
    verdict: accepts.Verdict
    unsaid: dict[str, str]
    unchecked: list[str]

    def line(self) -> str:
        """Return the command for a shell, with the environment before it; the key comes from a variable, by name."""
        row = engines()[self.model.engine]
        key = [f'{row["key_env"]}="${self.model.key_env}"'] if "key_env" in row else []
        variables = [f"{name}={shlex.quote(value)}" for name, value in self.launch.environment.items()]
        return " ".join([*key, *variables, shlex.join(self.launch.command)])


@dataclass(frozen=True)
class Plan:
    """What a manifest starts, and why not: `ok` where no refusal stands."""

    name: str
    starts: list[Start]
    refusals: list[check.Refusal]

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.refusals

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values for JSON."""
        starts = [
            {
                **{"model": one.model.name, "engine": one.model.engine, "device": one.device, "port": one.port},
                **{"command": one.launch.command, "environment": one.launch.environment, "key_env": one.model.key_env},
                **{"accepted": one.verdict.ok, "asked": one.verdict.by, "why": one.verdict.why},
                **{"unsaid": one.unsaid, "unchecked": one.unchecked},
            }
            for one in self.starts
        ]
        return {"name": self.name, "ok": self.ok, "starts": starts, "refusals": [asdict(one) for one in self.refusals]}

    def text(self, explain: bool = False) -> str:
        """Return the plan for people: commands, refusals; with `explain` also who was asked and what became of each setting."""
        lines = []
        for one in self.starts:
            lines += [f"# {one.model.name} on {one.device}, {one.model.engine}, {one.model.scenario}", one.line(), ""]
            lines += [*_explained(one), ""] if explain else []
        for one in self.refusals:
            lines += [f"refused: {one.what}: {one.why}", f"    try: {one.fix}"]
        return "\n".join(
            [*lines, "Nothing was started." if self.ok else f"{len(self.refusals)} refused. Nothing was started."]
        )


def read(what: str) -> Manifest:
    """Return the manifest of a preset's name or of a file. Raises ConfigError for neither, or for a bad file."""
    if what.upper() in presets():
        return preset_manifest(what.upper())
    if not Path(what).is_file():
        why = f"it is no file, and the presets are {', '.join(presets())}"
        raise ConfigError(f"There is nothing to plan at {what!r}.", why, "labkit deploy plan STAGING")
    return load(Path(what))


def preset_manifest(preset: str, source: str = "phi-3.5-mini", engine: Engine = "vllm") -> Manifest:
    """Return the manifest of one model in a preset, on this machine; the module shows Phi-3.5-mini."""
    name = source.rpartition("/")[2].lower().replace(".", "-").replace(":", "-").replace("_", "-")
    model = {"name": name, "source": source, "engine": engine, "scenario": preset, "port": PORT}
    return Manifest.model_validate({"schema_version": 1, "name": preset.lower().replace("_", "-"), "models": [model]})


def plan(manifest: Manifest, here: check.Hardware | None = None, ask: bool = True) -> Plan:
    """Return the commands for every server of `manifest`, and why they would not run. Starts nothing.

    here: the hardware of a device that gives no figures (default: this machine's). ask: put each command to its engine's own
    parser, which takes vLLM some seconds. Raises UnknownModel, EngineError.
    """
    places = {model.name: _hardware(manifest.device_of(model), here) for model in manifest.models}
    verdicts = _verdicts(manifest, places, ask)
    starts = [
        _start(model, places[model.name], port, verdicts[model.name])
        for model in manifest.models
        for port in model.ports
    ]
    return Plan(manifest.name, starts, list(_refusals(manifest, places, verdicts)))


def _refusals(manifest: Manifest, places: dict[str, check.Hardware], verdicts: dict) -> Iterator[check.Refusal]:
    """Yield what speaks against each model, then against the models of one device together."""
    together = defaultdict(list)
    for model in manifest.models:
        verdict = verdicts[model.name]
        yield from check.refusals(model, places[model.name])
        if verdict.ok is False:
            what = f"{model.name}: {model.engine} does not take the command"
            yield check.Refusal(what, f"{verdict.by}: {verdict.why}", f"labkit backends {model.engine}")
        together[places[model.name]].append(model)
    for hardware, models in together.items():
        yield from check.share_refusals(hardware, models)
        yield from check.memory_refusals(hardware, models)


def _verdicts(manifest: Manifest, places: dict[str, check.Hardware], ask: bool) -> dict[str, accepts.Verdict]:
    """Return what each model's engine says to its command; an engine is asked once for all its models."""
    found = {}
    for engine in dict.fromkeys(model.engine for model in manifest.models):
        models = [model for model in manifest.models if model.engine == engine]
        launches = [_launch(model, places[model.name], model.port) for model in models]
        said = accepts.ask(engine, launches) if ask else [accepts.Verdict(None, engine, "not asked")] * len(models)
        found |= dict(zip((model.name for model in models), said, strict=True))
    return found


def _hardware(device: Device, here: check.Hardware | None) -> check.Hardware:
    own = device.gpus is not None or device.memory_gib is not None or device.gpu_memory_gib is not None
    return here if here and not own else check.hardware_of(device)


def _launch(model: Model, hardware: check.Hardware, port: int) -> Launch:
    loaded, _ = checkpoint(model)
    cpu = model.engine == "vllm" and not hardware.gpus
    return launch(model.engine, model.resolved, model=loaded, name=model.name, port=port, cpu=cpu)


def _start(model: Model, hardware: check.Hardware, port: int, verdict: accepts.Verdict) -> Start:
    silent, unchecked = unsaid(model.engine, model.resolved), check.unchecked(model, hardware)
    return Start(model, hardware.name, port, _launch(model, hardware, port), verdict, silent, unchecked)


def _explained(start: Start) -> list[str]:
    """Who was asked, and what became of the settings, as comment lines."""
    said = {True: "takes it", False: f"does not: {start.verdict.why}", None: f"could not be asked: {start.verdict.why}"}
    row, asked = engines()[start.model.engine], start.model.resolved.model_dump()
    became = {key: why for key, why in row["why"].items() if asked.get(key) is not None and key in row["settings"]}
    lines = [f"{start.verdict.by} {said[start.verdict.ok]}"]
    lines += [_weights(start.model)]
    lines += ["python is that of vLLM's own venv"] if start.launch.command[0] == "python" else []
    lines += [f"{key} = {_yaml_text(asked[key])}: {why}" for key, why in became.items()]
    lines += [f"{key} = {_yaml_text(asked[key])} is not said: {why}" for key, why in start.unsaid.items()]
    lines += [f"not checked: {one}" for one in start.unchecked]
    return [f"#   {line}" for line in lines]


def _weights(model: Model) -> str:
    """How the weights come to where the engine looks."""
    loaded, known = checkpoint(model)
    if model.engine == "ollama":
        return f"bring the model: ollama pull {loaded}" if known else f"the model is {loaded}"
    if known and model.engine == "llamacpp":
        return f"bring the file: labkit pull {known.ref}"
    if known and known.source(model.engine).via != "hub":
        return f"make the folder: labkit convert {known.ref} --to safetensors"
    return f"the weights are {loaded}: a repository or folder"


def _yaml_text(value: Any) -> str:
    """Return a setting's value as a manifest writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
