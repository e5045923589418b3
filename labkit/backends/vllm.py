"""vLLM: made for many callers at once, on a GPU or, in a build of its own, on the CPU. It lives in a venv of its own.

    labkit.connect("vllm")                              # the bundled model, from labkit's own weights
    labkit.connect("vllm", parallel=32, context=1024)   # more conversations at once: they share each step

It takes half a minute to start on the CPU, and longer on a busy machine. labkit starts vLLM's own server, unchanged, with one
addition: a guard that asks for the key at every path (`vllm_guard`), where `--api-key` guards little more than /v1. Options of
vLLM's own go into LABKIT_VLLM_OPTIONS.

Taught in notebook 07, section "Install".
"""

from __future__ import annotations

import os
import secrets
import shlex
from pathlib import Path

from labkit.backends import vllm_errors, vllm_find
from labkit.backends.base import Endpoint
from labkit.backends.loopback import check_identity
from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability, Settings
from labkit.errors import ConfigError, EngineMissing, EngineStartError
from labkit.progress import progress_bar

__all__ = ["START_SECONDS", "available", "start"]

START_SECONDS = 300  # 35 on two idle cores, 90 if it compiles the model, and a multiple beside something else
GUARD = Path(__file__).with_name("vllm_guard")
# float32 gives llama.cpp's answers. Eager: compiling the model takes a minute and a C++ compiler at every start, for a third
# more tokens a second alone and a seventh more at eight at once; LABKIT_VLLM_OPTIONS=--no-enforce-eager has it so.
CPU_OPTIONS = ("--dtype", "float32", "--enforce-eager")
BLOCK = 128  # tokens: vLLM hands out its KV cache in blocks
# What it says on the way, in this order: the steps of the bar.
STAGES = {
    "reading the model's settings": "",
    "starting the engine": "Initializing a V1 LLM engine",
    "loading the weights": "Starting to load model",
    "making room for the KV cache": "Loading weights took",
    "starting the server": "init engine",
}
READY = "Application startup complete"


def available() -> Availability:
    """Say whether vLLM is here, which version, and whether it is built for the CPU; loads nothing of it."""
    try:
        return Availability(True, vllm_find.find().version)
    except EngineMissing as error:
        return Availability(False, why=f"{error.what} {error.why}".strip(), fix=error.fix)


def start(model, settings: Settings) -> Endpoint:
    """Start vLLM on `model` (a catalog Model) and return its endpoint.

    Fetches and converts the weights if they are not here. Raises EngineMissing, UnknownModel (no source for vLLM), ConfigError
    (a context that the model does not have), WeightsError, EngineStartError.
    """
    found = vllm_find.find()
    if settings.context > model.context_length:
        why = f"the model was made for {model.context_length} tokens, and vLLM takes no more"
        fix = f"labkit.connect('vllm', context={model.context_length})"
        raise ConfigError(f"{model.alias} has no context of {settings.context} tokens.", why, fix)
    weights, api_key = _weights(model), secrets.token_urlsafe(24)
    process = ServerProcess(
        _command(found, model, weights, settings),
        label=f"vllm {model.ref} threads={settings.threads}",
        ready=_Ready(),
        env=_environment(api_key, settings, offline=weights != model.source("vllm").id),
        grace=5,
    )
    try:
        address = process.start(settings.start_timeout)
    except EngineStartError as error:
        raise vllm_errors.typed(process.log, error) from None
    check_identity(address, "/v1/models", api_key, process)
    return Endpoint(
        backend="vllm",
        engine_version=found.version,
        base_url=f"{address}/v1",
        api_key=api_key,
        model=model.ref,
        process=process,
    )


def _weights(model) -> str:
    """Return the folder that labkit makes, or the repository that vLLM fetches by itself."""
    from labkit import convert

    source = model.source("vllm")
    return source.id if source.via == "hub" else str(convert.ensure(model, "vllm", progress_bar()))


def _command(found: vllm_find.Found, model, weights: str, settings: Settings) -> list[str]:
    return [
        # Not the program `vllm`: in the build for CPUs it looks for a package of another name, and fails.
        *(found.python, "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", weights, "--served-model-name", model.ref),
        # Without a host it listens to the whole network. Port 0: the system gives a free one to vLLM itself.
        *("--host", "127.0.0.1", "--port", "0", "--middleware", "labkit_guard.Guard"),
        *("--max-model-len", str(settings.context), "--max-num-seqs", str(settings.parallel)),
        *("--kv-cache-memory-bytes", str(_kv_bytes(model, settings, found.cpu))),
        *(CPU_OPTIONS if found.cpu else ()),
        "--disable-uvicorn-access-log",
        *shlex.split(os.environ.get("LABKIT_VLLM_OPTIONS", "")),  # the last one of a kind counts
    ]


def _kv_bytes(model, settings: Settings, cpu: bool) -> int:
    """Return the bytes of KV cache for `parallel` conversations of `context` tokens, in whole blocks and one more each."""
    blocks = settings.parallel * (-(-settings.context // BLOCK) + 1) + 1
    return 2 * model.n_layers * model.n_kv_heads * model.head_dim * (4 if cpu else 2) * blocks * BLOCK


def _environment(api_key: str, settings: Settings, offline: bool) -> dict[str, str]:
    return {
        "VLLM_API_KEY": api_key,
        "PYTHONPATH": str(GUARD),  # and nothing of labkit's own packages
        "HF_HUB_OFFLINE": "1" if offline else os.environ.get("HF_HUB_OFFLINE", "0"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "VLLM_NO_USAGE_STATS": "1",
        # vLLM would bind its threads to cores of its choice, whoever else is busy there.
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "OMP_NUM_THREADS": str(settings.threads),
        "VLLM_HOST_IP": "127.0.0.1",
        "VLLM_LOOPBACK_IP": "127.0.0.1",
    }


class _Ready:
    """Called with the process until it returns the server's address; draws a bar of what vLLM has done so far."""

    def __init__(self):
        self.progress, self.done = progress_bar(unit="step"), -1

    def __call__(self, process: ServerProcess) -> str | None:
        log = process.log
        texts = list(STAGES.values())
        while self.done + 1 < len(STAGES) and any(texts[self.done + 1] in line for line in log):
            self.done += 1
        if not any(READY in line for line in log):
            self.progress(f"vLLM is {list(STAGES)[max(self.done, 0)]}", max(self.done, 0), len(STAGES))
            return None
        ports = process.ports()
        if ports:
            self.progress("vLLM is ready", len(STAGES), len(STAGES))
        return f"http://127.0.0.1:{ports[0]}" if ports else None
