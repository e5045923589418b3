"""Any engine, for programs of the learner's own: a fixed address and a key, until it is closed.

    with serve("llamacpp", port=8765) as service:
        service.base_url, service.key, service.model       # for the openai client; the ollama client takes service.address
        service.wait()

One server on loopback stands before the engine: relay.py passes OpenAI's routes on, ollama_face.py answers Ollama's. Everything
ends with this process, kill -9 included. `labkit serve` is this from the command line.

Explained in README.md, section "The command".
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from dataclasses import dataclass, field

from labkit.backends.asgi import LoopbackServer, listen
from labkit.backends.base import Endpoint
from labkit.errors import ConfigError, EngineDied, EngineStartError

__all__ = ["PORT", "Service", "serve"]

PORT = 8765
PATIENCE_S = 0.5  # how soon the death of the engine is noticed
QUESTION = "What is the capital of France?"


@dataclass
class Service:
    """A running engine and the server before it. A context manager; `close()` twice is fine."""

    endpoint: Endpoint
    server: LoopbackServer
    key: str = field(repr=False)

    @property
    def address(self) -> str:
        """Where the ollama client looks: http://127.0.0.1:PORT."""
        return self.server.address

    @property
    def base_url(self) -> str:
        """Where the openai client looks."""
        return f"{self.address}/v1"

    @property
    def model(self) -> str:
        """The name of the model in requests."""
        return self.endpoint.model

    def lines(self, key_env: str = "") -> dict[str, str]:
        """Return a line to copy for "openai" and "ollama" (Python) and "curl" (a shell).

        key_env: an environment variable to name in place of the key.
        """
        key = f'os.environ["{key_env}"]' if key_env else json.dumps(self.key)
        more, hello = "import os; " if key_env else "", [{"role": "user", "content": QUESTION}]
        asked = f"model={json.dumps(self.model)}, messages={json.dumps(hello)}"
        cold = {"temperature": 0}
        header = f'{{"Authorization": "Bearer " + {key}}}' if key_env else f'{{"Authorization": "Bearer {self.key}"}}'
        shown, body = f"${key_env}" if key_env else self.key, {"model": self.model, "messages": hello, **cold}
        return {
            "openai": f'{more}from openai import OpenAI; print(OpenAI(base_url="{self.base_url}", api_key={key})'
            f".chat.completions.create({asked}, temperature=0).choices[0].message.content)",
            "ollama": f'{more}from ollama import Client; print(Client(host="{self.address}", headers={header})'
            f".chat({asked}, options={json.dumps(cold)}).message.content)",
            "curl": f'curl {self.base_url}/chat/completions -H "Authorization: Bearer {shown}" '
            f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'",
        }

    def wait(self) -> None:
        """Serve until Ctrl-C. Raises EngineDied when the engine ends before that."""
        pause = threading.Event()
        while self.server.alive and self.endpoint.alive:
            pause.wait(PATIENCE_S)
        process = self.endpoint.process
        ending = f"{process.ending()}. Its last words:\n{process.tail()}" if process else ""
        raise EngineDied(f"{self.endpoint.backend} has ended, and serving with it.", ending, "labkit doctor")

    def close(self) -> None:
        """Stop the server, then the engine."""
        self.server.close()
        self.endpoint.close()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *exc) -> None:
        self.close()


def serve(
    backend: str = "auto",
    model: str = "auto",
    *,
    port: int = PORT,
    key: str = "",
    context: int = 2048,
    parallel: int = 4,
) -> Service:
    """Start an engine and the server before it; return them running.

    port: 0 takes a free one. key: what clients must show; a fresh one if it is empty. context: tokens of one conversation.
    parallel: conversations at once; more wait in line. Raises ConfigError (port, key), EngineStartError (port taken), and what
    `connect` raises.
    """
    from labkit.backends import connect

    key = _checked(key) if key else secrets.token_urlsafe(24)
    _check_port(port)  # before the engine, which may take minutes
    endpoint = connect(backend, model, context=context, parallel=parallel)
    try:
        return Service(endpoint, LoopbackServer(_app(endpoint, key, context), port), key)
    except BaseException:
        endpoint.close()
        raise


def _app(endpoint: Endpoint, key: str, context: int):
    from labkit.backends.ollama_face import OllamaFace
    from labkit.backends.relay import relay_app

    return OllamaFace(relay_app(endpoint, key=key), endpoint, key, context)


def _checked(key: str) -> str:
    if re.fullmatch(r"[\w.~+/=-]+", key, re.ASCII):
        return key
    why = "it travels in an HTTP header: letters, digits and . _ ~ + / = - only"
    raise ConfigError("This key cannot be used.", why, "python -c 'import secrets; print(secrets.token_urlsafe(24))'")


def _check_port(port: int) -> None:
    try:
        listen(port).close()
    except EngineStartError as error:
        who = _listener(port)
        raise EngineStartError(error.what, f"{who} listens there" if who else error.why, error.fix) from None


def _listener(port: int) -> str:
    """Return which program listens on a port of this machine, or "" where that is not to be known."""
    import psutil

    try:
        pids = {c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port}
        return ", ".join(f"{psutil.Process(pid).name()} (process {pid})" for pid in pids if pid)
    except psutil.Error:  # macOS shows other people's connections to root alone
        return ""
