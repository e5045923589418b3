"""What Ollama's error texts mean, as labkit's errors: it has one text for each, and few status codes.

Taught in notebook 06, section "Install".
"""

from __future__ import annotations

import json

from labkit.disk import set_variable
from labkit.errors import (
    BadModelFile,
    CertificateError,
    ContextTooLong,
    DownloadError,
    EngineMissing,
    EngineStartError,
    HashMismatch,
    LabkitError,
    NoSpace,
    OfflineError,
    ProxyError,
    Refused,
    UnknownModel,
)

# The first row with a word that occurs in the text decides: (words, error, likely why, one command to try).
MEANINGS = (
    (("context length", "context size"), ContextTooLong, "prompt and answer share one window of tokens",
     "labkit.connect('ollama', context=8192)  # or a shorter prompt"),
    (("proxyconnect", "proxy authentication"), ProxyError, "Ollama's server goes through HTTPS_PROXY", "labkit doctor"),
    (("x509", "certificate", "tls:"), CertificateError, "a company's proxy signs with its own certificate", "labkit doctor"),
    (("no such host", "connection refused", "network is unreachable", "no route to host", "i/o timeout", "dial tcp"),
     OfflineError, "this machine is offline, or a firewall is in the way", "labkit.connect('ollama')  # the bundled model"),
    (("no space left", "not enough space", "quota"), NoSpace, "the model does not fit the disk that holds Ollama's models",
     set_variable("LABKIT_HOME", "/a/folder/with/room")),
    (("digest mismatch",), HashMismatch, "the download is damaged", "labkit doctor"),
    (("newer version of ollama", "requires ollama"), EngineMissing, "the model needs a newer Ollama", "ollama --version"),
    (("file does not exist", "not found", "invalid model name"), UnknownModel, "a typing error, or it was never pulled",
     "labkit models"),
    (("gguf", "unknown type", "tensor", "unsupported architecture", "unknown model architecture"), BadModelFile,
     "the file is damaged, or of a kind that this Ollama cannot run", "labkit models"),
    (("system memory", "out of memory", "failed to allocate", "runner process", "failed to load model"), EngineStartError,
     "the model and its context do not fit the free memory", "labkit doctor"),
)  # fmt: skip


def typed(doing: str, body: str) -> LabkitError:
    """Return the error for what Ollama answered (`body`: JSON with an `error`, or plain text) while `doing` something."""
    said = _said(body)
    for words, kind, why, fix in MEANINGS:
        if any(word in said.lower() for word in words):
            return kind(f"Ollama, {doing}: {said}", why, fix)
    other = DownloadError if doing.startswith("pulling") else Refused
    return other(
        f"Ollama, {doing}: {said or 'an error without a text'}", "a parameter or a name is wrong", "labkit doctor"
    )


def broken_off(doing: str, last: str) -> DownloadError:
    """Return the error for a stream that ended before it said success; `last` is the last status it named."""
    why = f"the last it said was {last!r}" if last else "it said nothing at all"
    return DownloadError(f"Ollama, {doing}: broke off before the end.", why, "labkit doctor")


def _said(body: str) -> str:
    try:
        found = json.loads(body)
        return str(found["error"]).strip()
    except (ValueError, KeyError, TypeError):
        return body.strip()[:300]
