"""Intel's OpenVINO (package `openvino-genai`): CPUs, and Intel's GPUs and NPUs. It reads a GGUF by itself.

It has no server of its own, so it runs behind the bridge (`labkit.backends.bridge`). Several conversations share each step,
as in vLLM. Loading takes some seconds: the weights are compiled for this machine.

Taught in notebook 08, section "One engine after the other".
"""

from __future__ import annotations

from labkit.backends import bridge
from labkit.backends.base import Endpoint
from labkit.backends.settings import Availability, Settings
from labkit.progress import progress_bar

ENGINE = "labkit.backends.bridge.openvino_engine"


def available() -> Availability:
    """Say whether the engine is installed, and which version; loads nothing."""
    return bridge.installed("openvino-genai", "openvino")


def start(model, settings: Settings) -> Endpoint:
    """Start OpenVINO on `model` (a catalog Model) and return its endpoint.

    Fetches the weights if they are not here. Raises WeightsError for a bad or missing file, EngineStartError if it does not
    come up.
    """
    from labkit import gguf_file, weights

    path = weights.ensure(model, engine="openvino", progress=progress_bar())
    gguf_file.check(path)
    return bridge.launch("openvino", model, settings, version=available().version, engine=ENGINE, path=path)
