"""labkit serve: an engine for programs of one's own, until Ctrl-C."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated

import typer

from labkit.cli.common import Backend, Json, Model, end_in_order, key_of, print_out, say_starting

app = typer.Typer()


@app.command(
    epilog="Example: **labkit serve --backend ollama --port 8765**, or with a key of your own: **--key-env MY_KEY**"
)
def serve(
    backend: Backend = "auto",
    model: Model = "auto",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")] = 8765,
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable that holds the key; without it, a fresh key.")
    ] = "",
    context: Annotated[int, typer.Option(min=64, help="Tokens of one conversation, the answer included.")] = 2048,
    parallel: Annotated[int, typer.Option(min=1, help="Conversations at once; more wait in line.")] = 4,
    as_json: Json = False,
) -> None:
    """Run an engine for your own programs: the openai client, the ollama client and curl work as they are."""
    from labkit.backends.serve import serve as start

    end_in_order()
    key = key_of(key_env) if key_env else ""
    say_starting(backend, as_json)
    with start(backend, model, port=port, key=key, context=context, parallel=parallel) as service:
        _tell(service, key_env, as_json)
        service.wait()


def _tell(service, key_env: str, as_json: bool) -> None:
    endpoint, lines = service.endpoint, service.lines(key_env)
    facts = {"base_url": service.base_url, "model": service.model}
    facts |= {"key_env": key_env} if key_env else {"key": service.key}
    if as_json:
        engine = {"backend": endpoint.backend, "engine_version": endpoint.engine_version}
        # On one line: a program that starts this reads a line, and leaves the rest running.
        print(json.dumps({**facts, **engine, "ollama_host": service.address, "pid": os.getpid(), "lines": lines}))
    else:
        version = f" {endpoint.engine_version}" if endpoint.engine_version else ""
        rows = "\n".join(f"{name:9} {value}" for name, value in facts.items())
        copied = "\n\n".join(f"{name}:\n{line}" for name, line in lines.items())
        print_out(f"{service.model} on {endpoint.backend}{version}, until Ctrl-C.\n\n{rows}\n\n{copied}")
    sys.stdout.flush()
