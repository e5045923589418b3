"""Microsoft's Foundry Local (package `foundry-local-sdk`, version 2): ONNX Runtime with a catalogue of models made for it.

Version 2 runs inside the program that uses it: there is no service to install or to start. Models of its public catalogue are
fetched by itself, when this machine is online; the bundled model is an ONNX folder that labkit makes from the GGUF that is
here (`labkit.convert`), so it needs no network. Either runs behind the bridge (`labkit.backends.bridge`).

Telemetry is switched off as far as the SDK allows; its documentation says that one event about the process may still be sent.

Taught in notebook 05, sections "Install" and "ONNX, not GGUF".
"""

from __future__ import annotations

import re
from pathlib import Path

from labkit.backends import bridge
from labkit.backends.base import Endpoint
from labkit.backends.settings import Availability, Settings
from labkit.errors import EngineStartError, LabkitError, OfflineError, UnknownModel
from labkit.progress import progress_bar

ENGINE = "labkit.backends.bridge.foundry_engine"


def available() -> Availability:
    """Say whether the engine is installed, and which version; loads nothing."""
    return bridge.installed("foundry-local-sdk", "foundry", "onnx")


def start(model, settings: Settings) -> Endpoint:
    """Start Foundry Local on `model` (a catalog Model) and return its endpoint.

    Fetches and converts the weights if they are not here. Raises WeightsError for a bad or missing file, OfflineError for a
    model of the public catalogue when that cannot be reached, UnknownModel when it has gone from there, EngineStartError.
    """
    from labkit import convert
    from labkit.paths import home

    source = model.source("foundry")
    public = source.via == "foundry"
    where = {"alias_there": source.id} if public else {}
    path = Path() if public else convert.ensure(model, "foundry", progress_bar())
    more = {"home": str(home() / "foundry"), **where}
    try:
        return bridge.launch("foundry", model, settings, version=available().version, engine=ENGINE, path=path, **more)
    except EngineStartError as error:
        raise (_not_there(str(error)) if public else None) or error from None


def _not_there(words: str) -> LabkitError | None:
    found = re.search(r"LABKIT NO MODEL (.+?); the public catalogue lists: (.+)", words)
    if not found:
        return None
    name, listed = found.groups()
    if listed == "nothing":
        what = f"Foundry Local's public catalogue is offline, and it has to deliver {name}."
        return OfflineError(what, "no network here, or a proxy that it does not know", 'labkit.connect("foundry")')
    return UnknownModel(f"Foundry Local's public catalogue has no {name!r} now.", f"it lists {listed}", "labkit models")
