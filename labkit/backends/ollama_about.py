"""What Ollama's routes tell about the model that is served: /api/version, /api/tags, /api/ps and /api/show.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import datetime
import hashlib
import os

from labkit import catalog
from labkit.backends.base import Endpoint
from labkit.backends.process import running_servers
from labkit.errors import UnknownBackend, UnknownModel

__all__ = ["about"]

SPEAKS = "0.17.4"  # the Ollama whose API this is
NEVER = "2318-01-01T00:00:00Z"  # what Ollama says of a model that stays in memory


def about(name: str, endpoint: Endpoint, context: int) -> dict:
    """Return the answer to /api/NAME: "version", "tags", "ps" or "show". context: tokens of one conversation.

    The first "show" of an engine version probes what it can do: seconds. Raises EngineDied or EngineTimeout then.
    """
    return {"version": _version, "tags": _tags, "ps": _ps, "show": _show}[name](endpoint, context)


def _version(endpoint: Endpoint, context: int) -> dict:
    return {"version": SPEAKS, "engine": f"{endpoint.backend} {endpoint.engine_version}".strip()}


def _tags(endpoint: Endpoint, context: int) -> dict:
    return {"models": [{**_card(endpoint), "modified_at": _since()}]}


def _ps(endpoint: Endpoint, context: int) -> dict:
    ours = [one for one in running_servers() if one["parent"] == os.getpid()]
    # Main memory, from the process table; what an engine holds on a GPU is not known here.
    memory = sum(one["memory_bytes"] for one in ours if one["label"].startswith(f"{endpoint.backend} "))
    loaded = {"size": memory, "size_vram": 0, "expires_at": NEVER, "context_length": context}
    return {"models": [{**_card(endpoint), **loaded}]}


def _show(endpoint: Endpoint, context: int) -> dict:
    card, (model, _) = _card(endpoint), _facts(endpoint)
    can = ["completion", *(["tools"] if endpoint.capabilities["tools"] else [])]
    told = {"details": card["details"], "model_info": {}, "capabilities": can, "modified_at": _since()}
    told |= {"parameters": f"num_ctx {context}", "template": "{{ .Prompt }}", "modelfile": f"# {endpoint.model}"}
    if model:
        info = {"general.architecture": model.family.lower(), "general.parameter_count": model.parameters}
        info |= {f"{model.family.lower()}.context_length": model.context_length}
        told |= {"license": model.licence, "model_info": info}
    return told


def _card(endpoint: Endpoint) -> dict:
    model, source = _facts(endpoint)
    details = {
        "parent_model": "",
        "format": "",
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    }
    if model:
        kind, _, level = source.format.partition("-")
        details |= {"format": kind, "family": model.family.lower(), "families": [model.family.lower()]}
        details |= {"parameter_size": f"{model.parameters / 1e6:.2f}M", "quantization_level": level.upper() or "F16"}
    # Ollama's is the hash of a manifest; here it stands for the engine, its version and the model.
    digest = hashlib.sha256(f"{endpoint.backend} {endpoint.engine_version} {endpoint.model}".encode()).hexdigest()
    size = source.size if source else 0
    return {"name": endpoint.model, "model": endpoint.model, "size": size, "digest": digest, "details": details}


def _facts(endpoint: Endpoint) -> tuple:
    """The catalogue's Model and Source of what is served, or (None, None) for what it does not know."""
    try:
        model = catalog.model(endpoint.model)
        return model, model.source(endpoint.backend)
    except (UnknownModel, UnknownBackend):
        return None, None


def _since() -> str:
    """When this server began: from then on the model is here under this name."""
    import psutil

    began = datetime.datetime.fromtimestamp(psutil.Process().create_time(), datetime.UTC)
    return began.isoformat().replace("+00:00", "Z")
