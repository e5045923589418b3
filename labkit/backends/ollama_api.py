"""What Ollama's own HTTP API is asked for: its version, what is loaded, unload, create, pull. No client is needed.

    ps(endpoint)                                              # what is in memory, how much of it, until when
    unload(endpoint, "smollm2:135m")                          # the same as keep_alive=0
    pull(endpoint, "smollm2:135m", progress=progress_bar())   # returns when, and only when, the last line says success
    create(endpoint, "mine", weights="model.gguf", parameters={"temperature": 0})

`where` is an Endpoint or an address such as "http://127.0.0.1:11434". Taught in notebook 06, sections "Install",
"Two faces" and "Monitor".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from labkit.backends.loopback import get_json
from labkit.backends.ollama_errors import typed
from labkit.backends.ollama_http import STALL_SECONDS, Connection, address_of, ask, gone, to_the_end
from labkit.errors import BadModelFile, EngineDied, UnknownModel, UnsupportedParameter
from labkit.progress import Progress, silent

BLOCK = 1 << 20
# What belongs to a model in a safetensors folder; Ollama converts it.
PARTS = ("*.safetensors", "*.json", "tokenizer.model")
# The parameters of a Modelfile. `ollama create` checks these names, the server behind it takes any and ignores the others.
PARAMETERS = frozenset(
    ("num_keep", "seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n", "temperature",
     "repeat_penalty", "presence_penalty", "frequency_penalty", "stop", "num_ctx", "num_batch", "num_gpu", "main_gpu",
     "use_mmap", "num_thread")
)  # fmt: skip


def version(where) -> str:
    """Return the version of the server. Raises EngineDied if nobody, or something that is not Ollama, answers."""
    address = address_of(where)
    try:
        found = get_json(address, "/api/version")
    except (OSError, ValueError) as error:
        raise EngineDied(f"Ollama does not answer at {address}.", gone(error), "labkit doctor") from error
    if not isinstance(found, dict) or not isinstance(found.get("version"), str):
        raise EngineDied(f"What answers at {address} is not Ollama.", "another program has the port", "labkit doctor")
    return found["version"]


def ps(where) -> list[dict]:
    """Return the models in memory: name, size and size_vram in bytes, context_length in tokens, expires_at."""
    return ask(where, "GET", "/api/ps").get("models") or []


def tags(where) -> list[dict]:
    """Return the models on the disk of this Ollama: name, size in bytes, digest, modified_at, details."""
    return ask(where, "GET", "/api/tags").get("models") or []


def show(where, model: str) -> dict:
    """Return what Ollama knows of a model: template, parameters, capabilities. Raises UnknownModel if it has none such."""
    return ask(where, "POST", "/api/show", {"model": model})


def has(where, model: str) -> bool:
    """Whether the model is on the disk of this Ollama. Taught in notebook 06, section "What fits"."""
    try:
        return bool(show(where, model))
    except UnknownModel:
        return False


def load(where, model: str, timeout: float = STALL_SECONDS) -> None:
    """Load a model into memory and wait for it (`timeout` in seconds). Raises EngineStartError if memory is short."""
    ask(where, "POST", "/api/generate", {"model": model, "stream": False}, timeout)


def unload(where, model: str) -> None:
    """Take a model out of memory; one that is not loaded is fine. Raises UnknownModel."""
    ask(where, "POST", "/api/generate", {"model": model, "keep_alive": 0, "stream": False})


def delete(where, model: str) -> None:
    """Delete a model from the disk of this Ollama. Raises UnknownModel. Taught in notebook 06, section "Who may use it"."""
    ask(where, "DELETE", "/api/delete", {"model": model})


def prompt_tokens(where, model: str, messages: list[dict], tools: list[dict] | None = None) -> int:
    """Return how many tokens a conversation takes, template included. Raises ContextTooLong if that is over the window.

    The OpenAI face of Ollama cuts a long prompt without a word; its own face can be told not to. The price is one pass over
    the prompt, which the cache spares the request that follows.
    Taught in notebook 06, section "Configure".
    """
    body = {"model": model, "messages": list(_native(messages)), "stream": False, "truncate": False}
    body |= {"options": {"num_predict": 1}, "tools": tools or []}
    return ask(where, "POST", "/api/chat", body)["prompt_eval_count"]


def pull(where, model: str, progress: Progress | None = None) -> None:
    """Fetch a model from Ollama's library to the disk of this Ollama; `progress(label, done, total)` counts bytes.

    The status 200 comes before the work; only the last line tells how it went. Raises UnknownModel, OfflineError,
    ProxyError, CertificateError, NoSpace, HashMismatch, DownloadError.
    """
    from labkit.network import refuse_network

    refuse_network(f"https://ollama.com/library/{model}")
    to_the_end(where, "/api/pull", {"model": model}, f"pulling {model}", progress or silent)


def create(
    where,
    model: str,
    *,
    weights: str | Path | None = None,
    base: str | None = None,
    template: str | None = None,
    system: str | None = None,
    parameters: dict | None = None,
    quantize: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Make a model: from `weights` (a GGUF file or a safetensors folder), or from a model that is there (`base`).

    template: in Ollama's own language (Go); without one, Ollama guesses from the GGUF. parameters: as in a Modelfile
    (num_thread, num_ctx, repeat_penalty …). quantize: "q4_K_M", "q8_0" …, from F16 weights. Weights that this Ollama has
    already are not sent again. Raises UnsupportedParameter, BadModelFile, UnknownModel, NoSpace, Refused.
    """
    if unknown := sorted(set(parameters or {}) - PARAMETERS):
        why = f"it would ignore it; it knows {', '.join(sorted(PARAMETERS))}"
        raise UnsupportedParameter(
            f"Ollama has no parameter {', '.join(unknown)}.", why, "ollama show --parameters NAME"
        )
    tell = progress or silent
    body = {"model": model, "template": template, "system": system, "parameters": parameters, "quantize": quantize}
    body |= {"files": _send(where, Path(weights), tell)} if weights else {"from": base}
    wanted = {key: value for key, value in body.items() if value is not None}
    to_the_end(where, "/api/create", wanted, f"creating {model}", tell)


def _native(messages: list[dict]) -> Iterator[dict]:
    """Yield OpenAI's messages as Ollama's own face wants them: text alone, and arguments as objects."""
    for message in messages:
        calls = [one["function"] for one in message.get("tool_calls") or []]
        calls = [{"function": {**one, "arguments": json.loads(one["arguments"] or "{}")}} for one in calls]
        content = message.get("content") or ""
        for text in [content] if isinstance(content, str) else [part.get("text", "") for part in content]:
            yield {"role": message["role"], "content": text, **({"tool_calls": calls} if calls else {})}


# ---- the weights, sent once ------------------------------------------------------------------------------------------


def _send(where, weights: Path, tell: Progress) -> dict[str, str]:
    """Send the files that this Ollama lacks; return file name -> digest."""
    from labkit import gguf_file
    from labkit.fetch import sha256_of

    if weights.is_dir():
        files = sorted({part for pattern in PARTS for part in weights.glob(pattern)})
        if not any(part.suffix == ".safetensors" for part in files):
            raise BadModelFile(f"{weights} holds no safetensors", "it is not the folder of a model", "labkit models")
    else:
        gguf_file.check(weights)  # Ollama before 0.17.1 read past the end of a bad one (CVE-2026-7482)
        files = [weights]
    found = {part.name: f"sha256:{sha256_of(part)}" for part in files}
    for part in files:
        _send_one(where, part, found[part.name], tell)
    return found


def _send_one(where, file: Path, digest: str, tell: Progress) -> None:
    size, label = file.stat().st_size, f"sending {file.name}"

    def blocks() -> Iterator[bytes]:
        with open(file, "rb") as source:
            while block := source.read(BLOCK):
                yield block
                tell(label, source.tell(), size)

    with Connection(where, STALL_SECONDS) as connection:
        if connection.send("HEAD", f"/api/blobs/{digest}").status == 200:
            return
    with Connection(where, STALL_SECONDS) as connection:
        response = connection.send("POST", f"/api/blobs/{digest}", blocks(), {"Content-Length": str(size)})
        if response.status != 201:
            raise typed(f"sending {file.name}", connection.read())
