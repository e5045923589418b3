"""Run every check on one engine, started for this alone: its last check kills it.

At work in notebook 08, section "The same answers, the same features".
"""

from __future__ import annotations

import datetime
import time

from labkit import hardware
from labkit.backends import Capabilities, connect
from labkit.backends.base import Endpoint
from labkit.backends.capabilities import Capability
from labkit.backends.probes import PROBES
from labkit.conformance import reference
from labkit.conformance.check import WINDOW, Check, brief
from labkit.conformance.reference import Reference
from labkit.conformance.results import Result
from labkit.conformance.table import CHECKS
from labkit.errors import LabkitError
from labkit.progress import Progress, silent

__all__ = ["MODEL", "measure", "measure_reference", "run"]

MODEL = "smollm2-135m"  # what every engine has
SETTINGS = {"model": MODEL, "context": WINDOW, "parallel": 4, "start_timeout": 400}


def measure(engine: str, known: Reference, progress: Progress = silent) -> Result:
    """Start `engine`, run all checks on it and return what they saw; its process is gone afterwards.

    known: `measure_reference()` of the same run. About a minute. Raises EngineMissing, EngineStartError, WeightsError.
    """
    started = time.monotonic()
    progress(f"{engine}: starting", 0, len(CHECKS))
    with connect(engine, **SETTINGS) as endpoint:
        found = run(endpoint, known, progress)
    return Result(
        engine=engine,
        engine_version=endpoint.engine_version,
        model=MODEL,
        machine=hardware.machine().summary,
        measured_on=datetime.date.today().isoformat(),
        seconds=round(time.monotonic() - started, 1),
        checks=found,
        reference=known.to_dict(),
    )


def measure_reference(progress: Progress = silent) -> Reference:
    """Start llama.cpp and ask it what the other engines are compared with (ten seconds)."""
    progress("llama.cpp answers first", 0, 1)
    with connect("llamacpp", **SETTINGS) as endpoint:
        found = reference.ask(endpoint)
    progress("llama.cpp answers first", 1, 1)
    return found


def run(endpoint: Endpoint, known: Reference, progress: Progress = silent, checks=CHECKS) -> dict[str, Capability]:
    """Run `checks` on an endpoint and return name → Capability. With "killed" among them the engine is gone afterwards."""
    found: dict[str, Capability] = {}
    for at, check in enumerate(checks):
        progress(f"{endpoint.backend}: {check.title}", at, len(checks))
        found[check.name] = _answered(check, endpoint, known)
        if found.keys() == PROBES.keys():
            endpoint.capabilities = _probed(endpoint, found)
    progress(f"{endpoint.backend}: done", len(checks), len(checks))
    return found


def _answered(check: Check, endpoint: Endpoint, known: Reference) -> Capability:
    """Ask one question; an engine that breaks on it has answered "no"."""
    try:
        return check.run(endpoint, known)
    except LabkitError as error:
        return Capability(False, brief(error))


def _probed(endpoint: Endpoint, found: dict[str, Capability]) -> Capabilities:
    """What the run has just seen is what labkit holds requests to, not an older probe from the cache."""
    today = datetime.date.today().isoformat()
    return Capabilities(endpoint.backend, endpoint.engine_version, endpoint.model, today, dict(found))
