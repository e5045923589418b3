"""vLLM on a GPU, on Ray Serve: what `ray.serve.llm` would be told for a model of a manifest; labkit does not start it.

Explained in README.md, section "The command".
"""

from __future__ import annotations

from typing import Any

from labkit.deploy.manifest import Model
from labkit.deploy.shape import checkpoint
from labkit.errors import EngineMissing

__all__ = ["config", "require"]

# Of a preset's settings, those that vLLM's engine arguments know under the same name.
SAME = ("gpu_memory_utilization", "max_model_len", "tensor_parallel_size", "pipeline_parallel_size", "quantization")
SAME += ("enable_prefix_caching", "max_num_seqs", "max_num_batched_tokens", "enable_chunked_prefill")


def config(model: Model) -> dict[str, Any]:
    """Return what `ray.serve.llm.LLMConfig(**config)` takes for a model."""
    settings = model.resolved.model_dump()
    scale = {"min_replicas": model.replicas.min, "max_replicas": model.replicas.max}
    return {
        "model_loading_config": {"model_id": model.name, "model_source": checkpoint(model)[0]},
        "engine_kwargs": {key: settings[key] for key in SAME if settings[key] is not None},
        "deployment_config": {"autoscaling_config": scale},
    }


def require(model: Model) -> None:
    """Raise EngineMissing: why `ray.serve.llm` cannot be imported here, or that nobody has run these settings on a GPU yet."""
    what = f"{model.name}: labkit does not start vLLM on Ray Serve."
    fix = "engine: llamacpp  # replicas on the CPU; or: labkit deploy render FILE --to kubernetes"
    try:
        import ray.serve.llm  # noqa: F401
    except ImportError as error:
        raise EngineMissing(what, str(error), fix) from None
    raise EngineMissing(what, "its settings (ray_llm.config) have never been run: that takes a GPU", fix)
