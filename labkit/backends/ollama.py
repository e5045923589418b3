"""Ollama, the most used local engine: labkit starts a server of its own, or uses one that LABKIT_OLLAMA_URL names.

    labkit.connect("ollama")                           # the bundled model, made from labkit's own F16 GGUF
    labkit.connect("ollama", model="qwen2.5-0.5b")     # from Ollama's library

Its own server keeps its models in labkit's folder, speaks on loopback only, and dies with this process. Ollama knows no keys:
whoever can reach the port can use it, pull and delete. Taught in notebook 06, sections "Install" and
"Configure".
"""

from __future__ import annotations

import json
from pathlib import Path

from labkit import disk, paths
from labkit.backends import ollama_find
from labkit.backends.base import Endpoint
from labkit.backends.ollama_api import (
    create,
    delete,
    has,
    load,
    prompt_tokens,
    ps,
    pull,
    show,
    tags,
    unload,
    version,
)  # fmt: skip
from labkit.backends.process import ServerProcess
from labkit.backends.settings import Availability, Settings
from labkit.errors import ConfigError, ContextTooLong, EngineError, EngineStartError
from labkit.progress import progress_bar

__all__ = [
    "available", "create", "delete", "has", "load", "prompt_tokens", "ps", "pull", "serve", "show", "start", "store", "tags",
    "unload", "version",
]  # fmt: skip

# The GGUF's own template is Jinja, which Ollama does not run. Its guess for this model, plain ChatML, leaves out the system
# prompt that the template adds where the caller gave none; then every answer differs from the other engines'.
CHATML = """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
RECIPES = {
    "SmolLM2": {"template": CHATML, "system": "You are a helpful AI assistant named SmolLM, trained by Hugging Face"}
}


def available() -> Availability:
    """Say whether Ollama is here, and which version; one open to CVE-2026-7482 counts as absent. Starts nothing."""
    try:
        return Availability(True, ollama_find.find().version)
    except (ConfigError, EngineError) as error:
        return Availability(False, why=f"{error.what} {error.why}".strip(), fix=error.fix)


def start(model, settings: Settings) -> Endpoint:
    """Start or find a server, bring `model` (a catalog Model) into it, load it, and return its endpoint.

    A running server of the user's keeps its own number of parallel conversations. Raises EngineMissing, ConfigError,
    EngineStartError, UnknownModel, WeightsError (offline, no room, a bad file).
    """
    source, found = model.source("ollama"), ollama_find.find()
    process, address = (None, found.address) if found.address else serve(model.ref, found, settings)
    try:
        name = _prepare(address, model, source, settings)
        load(address, name, settings.start_timeout)
        window = _Window(address, name, settings.context)
    except BaseException:
        if process:
            process.stop()
        raise
    return Endpoint(
        backend="ollama",
        engine_version=found.version,
        base_url=f"{address}/v1",
        native=address,
        api_key="none",  # the openai client wants one; Ollama takes any
        model=name,
        process=process,
        before=window,
    )


# ---- the server ------------------------------------------------------------------------------------------------------


def serve(ref: str, found: ollama_find.Found, settings: Settings) -> tuple[ServerProcess, str]:
    """Start a server of labkit's own from the program that was found; return it and its address. Raises EngineStartError."""
    process = ServerProcess(
        [found.program, "serve"],
        label=f"ollama {ref} threads={settings.threads}",
        ready=lambda server: server.find(r"Listening on (127\.0\.0\.1:\d+)"),
        env=_environment(settings),
    )
    address = f"http://{process.start(settings.start_timeout)}"
    _check_identity(address, process, found.version)
    return process, address


def _environment(settings: Settings) -> dict[str, str]:
    return {
        # Port 0: the system gives a free port to Ollama itself, so nobody can take it in between.
        "OLLAMA_HOST": "127.0.0.1:0",
        "OLLAMA_MODELS": str(store()),
        "OLLAMA_CONTEXT_LENGTH": str(settings.context),
        "OLLAMA_NUM_PARALLEL": str(settings.parallel),
        "OLLAMA_KEEP_ALIVE": "-1",  # the model goes with the server, not five minutes after the last question
        "OLLAMA_ORIGINS": "",  # no other web pages than those of this machine
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NOPRUNE": "1",  # another process may be sending weights to the same folder just now
    }


def store() -> Path:
    """Return the folder in which labkit's own Ollama keeps its models; made if missing."""
    folder = paths.home() / "ollama"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_identity(address: str, process: ServerProcess, wanted: str) -> None:
    """Ollama has no key to know it by: it printed this address on our own pipe, and must answer there with its version."""
    try:
        answered = version(address)
    except EngineError as error:
        process.stop()
        raise EngineStartError(error.what, error.why, error.fix) from error
    if answered != wanted:
        process.stop()
        why = "LABKIT_OLLAMA names a script that starts another Ollama than the one it tells of"
        raise EngineStartError(f"{address} is Ollama {answered}, not {wanted}.", why, "labkit doctor")


# ---- the model -------------------------------------------------------------------------------------------------------


def _prepare(address: str, model, source, settings: Settings) -> str:
    """Return the name of the model with these settings in it, made if need be: they can be said nowhere else."""
    name = f"labkit/{model.alias}:{source.variant}-c{settings.context}-t{settings.threads}"
    # Ollama's default for repeat_penalty is 1.1, which changes greedy answers; every other engine has 1.
    parameters = {"num_ctx": settings.context, "num_thread": settings.threads, "repeat_penalty": 1.0}
    with disk.one_writer(store() / "models"):
        if source.via == "ollama":
            _derive(address, name, source.id, parameters)
        else:
            _make(address, name, model, source, parameters)
    return name


def _derive(address: str, name: str, base: str, parameters: dict) -> None:
    if not has(address, base):
        pull(address, base, progress_bar())
    known = show(address, base)
    if known.get("remote_host"):
        why = "a prompt would leave this machine"
        raise ConfigError(f"{base} runs on {known['remote_host']}, not here.", why, "labkit models")
    said = {line.split()[0] for line in known.get("parameters", "").splitlines() if line.strip()}
    kept = {key: value for key, value in parameters.items() if key != "repeat_penalty" or key not in said}
    create(address, name, base=base, parameters=kept)


def _make(address: str, name: str, model, source, parameters: dict) -> None:
    from labkit import weights

    origin = model.origin(source)
    path = weights.ensure(model, origin.engine, origin.variant, progress_bar())
    recipe = RECIPES.get(model.family, {})
    create(address, name, weights=path, parameters=parameters, progress=progress_bar(), **recipe)


class _Window:
    """Refuse what does not fit the context window. Ollama's OpenAI face cuts the prompt, or forgets half of it on the way.

    It stands before `Endpoint.chat` and `stream`; the plain clients talk to Ollama as it is.
    A short prompt costs nothing: a token is at least one byte, so its bytes say enough. A long one is counted by Ollama.
    """

    def __init__(self, address: str, name: str, context: int):
        self.address, self.name, self.context = address, name, context
        known = show(address, name)
        self.frame = len((known.get("template", "") + known.get("system", "")).encode())

    def __call__(self, request: dict) -> dict:
        messages, tools = request["messages"], request.get("tools")
        most = request.get("max_tokens") or self.context
        if self.frame + len(json.dumps([messages, tools], ensure_ascii=False).encode()) + most <= self.context:
            return request
        used = prompt_tokens(self.address, self.name, messages, tools)
        if used >= self.context:
            why = "prompt and answer share one window of tokens"
            raise ContextTooLong(
                f"The prompt fills the context window: {used} of {self.context} tokens.",
                why,
                "labkit.connect(context=8192)",
            )
        return {**request, "max_tokens": min(most, self.context - used)}
