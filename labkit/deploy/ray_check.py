"""Whether a manifest can run on Ray Serve here, before anything is started: Ray and its version, weights, memory, port.

    check(manifest, port)          # returns the threads of each engine, or raises what speaks against it

Taught in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from labkit import hardware, weights
from labkit.backends.asgi import listen
from labkit.backends.settings import Availability
from labkit.deploy import check as fitting
from labkit.deploy.manifest import Manifest, Model, Replicas
from labkit.deploy.shape import checkpoint
from labkit.errors import ConfigError, EngineMissing, EngineStartError, OfflineError, OverBudget

__all__ = ["VERSIONS", "available", "check", "free"]

VERSIONS = ((2, 60), (2, 61))  # from the first on, below the second: what labkit was tried with
FIX = 'pip install "labkit[ray]"'


def available() -> Availability:
    """Say whether Ray Serve is installed in a version that labkit was tried with; loads nothing."""
    try:
        found = metadata.version("ray")
    except metadata.PackageNotFoundError:
        return Availability(False, why=f"the package ray is not installed{_no_wheel()}", fix=FIX)
    number = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not VERSIONS[0] <= number < VERSIONS[1]:
        lowest, below = (".".join(map(str, one)) for one in VERSIONS)
        why = f"Ray {found} is here, and labkit was tried with {lowest} to below {below}"
        return Availability(False, why=why, fix=FIX)
    try:
        metadata.version("fastapi")  # of all that the extra brings, what Serve looks for first
    except metadata.PackageNotFoundError:
        return Availability(False, why="Ray is here without its part Serve", fix=FIX)
    return Availability(True, found)


def check(manifest: Manifest, port: int) -> int:
    """Return how many threads each engine gets. Starts nothing, fetches nothing.

    Raises EngineMissing (Ray, or what a model needs), ConfigError (an engine that has no replicas), OfflineError (weights that
    are not here), OverBudget (memory), EngineStartError (port taken).
    """
    here = available()
    if not here:
        raise EngineMissing("Ray Serve is not here.", here.why, here.fix)
    for model in manifest.models:
        _check_engine(model)
    _refuse_unfit(manifest)
    free(port)
    return max(1, hardware.bounded_threads() // sum(one.replicas.max for one in manifest.models))


def free(port: int) -> None:
    """Raise EngineStartError if the port is taken, ConfigError if it is none."""
    try:
        listen(port).close()
    except EngineStartError as error:
        raise EngineStartError(error.what, error.why, "labkit deploy up FILE --port 8801") from None


def _check_engine(model: Model) -> None:
    if model.engine == "ollama":
        why = "its server is one for the whole machine, so there is nothing to have two of"
        raise ConfigError(f"{model.name}: Ollama has no replicas.", why, "engine: llamacpp  # the same weights")
    if model.engine == "vllm":
        from labkit.deploy import ray_llm

        ray_llm.require(model)
        return
    loaded, known = checkpoint(model)
    if known and weights.present(known, "llamacpp") is None:
        why = "every replica reads them from this disk, and none fetches them"
        raise OfflineError(f"{model.name}: the weights of {known.ref} are not here.", why, f"labkit pull {known.ref}")
    if not known and not Path(loaded).is_file():
        why = "a replica loads a model of `labkit models`, or a GGUF file of this machine"
        raise OfflineError(f"{model.name}: there is no file {loaded}.", why, "labkit models")


def _refuse_unfit(manifest: Manifest) -> None:
    """Every model at its most replicas has to fit: a replica that the load asks for must not end the others."""
    places = {model.name: fitting.hardware_of(manifest.device_of(model)) for model in manifest.models}
    most = [
        one.model_copy(update={"replicas": Replicas(min=one.replicas.max, max=one.replicas.max)})
        for one in manifest.models
    ]
    found = [one for model in most for one in fitting.refusals(model, places[model.name])]
    for place in dict.fromkeys(places.values()):
        found += fitting.memory_refusals(place, [one for one in manifest.models if places[one.name] == place])
    if found:
        raise OverBudget(f"{found[0].what}.", found[0].why, found[0].fix)


def _no_wheel() -> str:
    """Say so where there is none to install."""
    intel_mac = sys.platform == "darwin" and hardware.machine().architecture.value == "x86_64"
    return ", and Intel Macs have no wheel of it" if intel_mac else ""
