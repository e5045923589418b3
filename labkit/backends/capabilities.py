"""What an engine really does with a model: asked, not declared.

Each probe sends one or two short requests and looks at the answer. Results are cached with the engine's version and the date,
so the price (a few seconds) is paid once per engine version and model. Taught in notebook 00, section "What this engine can do".
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import asdict, dataclass, replace

from labkit import disk
from labkit.errors import UnsupportedParameter
from labkit.paths import home


@dataclass(frozen=True)
class Capability:
    """One answer: does it work (`ok`; None: that could not be told), and what was seen (`note`)."""

    ok: bool | None
    note: str


@dataclass(frozen=True)
class Capabilities:
    """The probed capabilities of one engine version with one model; `results` maps a probe's name to a Capability.

    replayed: "" where the engine was asked here; else where and when it was.
    """

    backend: str
    engine_version: str
    model: str
    probed_on: str
    results: dict[str, Capability]
    replayed: str = ""

    def __getitem__(self, name: str) -> bool:
        return self.results[name].ok

    def to_dict(self) -> dict:
        """Return a JSON-ready dict."""
        return asdict(self)

    def table(self) -> str:
        """Return the matrix as a text table."""
        head = f"{self.backend} {self.engine_version}, {self.model}, probed on {self.probed_on}"
        rows = [f"{'yes' if cap.ok else 'no':3}  {name:21} {cap.note}" for name, cap in self.results.items()]
        return "\n".join([head, *filter(None, [self.replayed]), *rows])

    def _repr_markdown_(self) -> str:
        rows = [f"| {name} | {'yes' if cap.ok else 'no'} | {cap.note} |" for name, cap in self.results.items()]
        head = f"`{self.model}` on {self.backend} {self.engine_version}, probed on {self.probed_on}"
        head += f" ({self.replayed})" if self.replayed else ""
        return "\n".join([head, "", "| capability | works | seen |", "| --- | --- | --- |", *rows])


def load_or_probe(endpoint) -> Capabilities:
    """Return the cached capabilities of this engine version and model, or probe them now (a few seconds) and cache them.

    A replayed engine's come from its recording.
    """
    from labkit.backends.probes import PROBES

    if endpoint.replayed:
        return replace(from_dict(endpoint.traffic.capabilities), replayed=endpoint.replayed)
    path = _cache_file(endpoint)
    cached = _read(path)
    if cached and cached.engine_version == endpoint.engine_version and cached.results.keys() == PROBES.keys():
        return cached
    found = probe(endpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    with disk.one_writer(path), disk.placed(path) as file:
        file.write(json.dumps(found.to_dict(), indent=1).encode())
    return found


def probe(endpoint) -> Capabilities:
    """Ask the engine, now. Raises EngineDied or EngineTimeout if it cannot be asked."""
    from labkit.backends.probes import PROBES

    return Capabilities(
        backend=endpoint.backend,
        engine_version=endpoint.engine_version,
        model=endpoint.model,
        probed_on=datetime.date.today().isoformat(),
        results={name: probe_one(endpoint) for name, probe_one in PROBES.items()},
    )


FORMS = {"text": None, "json_schema": "json_schema", "json_object": "json_object"}
# Parameter of a request -> the capability without which the engine would take it and ignore it.
NEEDS = {
    "tools": lambda value: "tools" if value else None,
    "tool_choice": lambda value: None if value in (None, "auto", "none") else "tool_choice",
    "response_format": lambda value: None if value is None else FORMS.get(value.get("type"), "this form of answer"),
    "max_completion_tokens": lambda value: "max_completion_tokens" if value is not None else None,
    "top_k": lambda value: "top_k" if value is not None else None,
    "min_p": lambda value: "min_p" if value is not None else None,
    "logit_bias": lambda value: "logit_bias" if value else None,
    "logprobs": lambda value: "logprobs" if value else None,
    "seed": lambda value: "seed" if value is not None else None,
    "stop": lambda value: "stop" if value else None,
    "n": lambda value: "n" if value not in (None, 1) else None,
}


def refuse_ignored_parameters(endpoint, parameters: dict) -> None:
    """Raise UnsupportedParameter if the engine would silently ignore one of these parameters."""
    for name, value in {**parameters, **(parameters.get("extra_body") or {})}.items():
        needed = NEEDS[name](value) if name in NEEDS else None
        seen = _missing(endpoint.capabilities, needed) if needed else ""
        if seen:
            raise UnsupportedParameter(
                f"{endpoint.backend} with {endpoint.model} would ignore {name}={value!r}.",
                seen,
                "endpoint.capabilities  # what works here; endpoint.client() sends anything unchecked",
            )


def from_dict(stored: dict) -> Capabilities:
    """Return what `to_dict` gave, as Capabilities. Raises TypeError or KeyError for anything else."""
    results = {name: Capability(**one) for name, one in stored["results"].items()}
    return Capabilities(**{**stored, "results": results})


def _missing(found: Capabilities, name: str) -> str:
    """Say why this capability is not there, or "" if it is."""
    if name not in found.results:
        return f"no engine of this course knows {name}"
    return "" if found[name] else f"the probe of {found.probed_on} saw: {found.results[name].note}"


def _cache_file(endpoint):
    name = re.sub(r"[^\w.-]", "_", f"{endpoint.backend}-{endpoint.model}")
    return home() / "capabilities" / f"{name}.json"


def _read(path) -> Capabilities | None:
    try:
        return from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None  # absent, from another version, or damaged: probe again
