"""Microsoft's ONNX Runtime (package `onnxruntime-genai`): CPUs, and through other builds NVIDIA, DirectML and NPUs.

It has no server of its own, so it runs behind the bridge (`labkit.backends.bridge`). It reads ONNX folders, which labkit makes
from the GGUF that is here (`labkit.convert`). Foundry Local runs on the same engine.

Taught in notebook 03, section "The same model in other formats".
"""

from __future__ import annotations

from labkit.backends import bridge
from labkit.backends.base import Endpoint
from labkit.backends.settings import Availability, Settings
from labkit.progress import progress_bar

ENGINE = "labkit.backends.bridge.onnx_engine"


def available() -> Availability:
    """Say whether the engine is installed, and which version; loads nothing."""
    return bridge.installed("onnxruntime-genai", "onnx", "onnx")


def providers() -> dict[str, bool]:
    """Return every execution provider that the installed ONNX Runtime knows by name, and whether this build has it.

    {} where ONNX Runtime is not installed. A provider that it has may still want drivers.
    """
    if not available():
        return {}
    import onnxruntime

    here = onnxruntime.get_available_providers()
    return {name: name in here for name in onnxruntime.get_all_providers()}


def start(model, settings: Settings) -> Endpoint:
    """Start ONNX Runtime on `model` (a catalog Model) and return its endpoint.

    Fetches and converts the weights if they are not here (seconds). Raises WeightsError for a bad or missing file,
    EngineStartError if it does not come up.
    """
    from labkit import convert

    path = convert.ensure(model, "onnx", progress_bar())
    return bridge.launch("onnx", model, settings, version=available().version, engine=ENGINE, path=path)
