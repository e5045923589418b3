"""labkit chat: one question, or a conversation."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from labkit.cli.common import Backend, Json, Model, print_out

app = typer.Typer()


@app.command(epilog='Example: **labkit chat "What is the capital of France?"**')
def chat(
    question: Annotated[str | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    backend: Backend = "auto",
    model: Model = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 256,
    replay: Annotated[bool, typer.Option(help="Where the engine is not here, take recorded answers.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the small model one question, or talk to it."""
    from labkit import backends
    from labkit.widgets.conversation import Conversation

    with backends.connect(backend, model, replay=replay) as endpoint:
        talk = Conversation(endpoint, max_tokens=max_tokens)
        if question is not None:
            _answer(talk, question, as_json)
        else:
            _converse(talk, as_json)


def _answer(talk, question: str, as_json: bool) -> None:
    """Ask, print the answer as it is written (or its JSON at the end), and its figures on stderr."""
    from labkit.widgets.conversation import figures

    written = 0

    def write(turn) -> None:
        nonlocal written
        print(turn.answer[written:], end="", flush=True)
        written = len(turn.answer)

    if not as_json:
        talk.on_change = write
    turn = talk.ask(question)
    if turn.error:
        raise turn.error
    reply, endpoint = turn.reply, talk.endpoint
    if as_json:
        counts = {"prompt_tokens": reply.prompt_tokens, "completion_tokens": reply.completion_tokens}
        speed = {"tokens_per_second": reply.tokens_per_second, "first_token_seconds": reply.first_token_seconds}
        who = {"model": endpoint.model, "backend": endpoint.backend, "replayed": endpoint.replayed}
        print_out({"text": reply.text, **who, **counts, **speed})
    else:
        print()
        print(f"[{endpoint.model} on {endpoint.backend}: {figures(turn)}]", file=sys.stderr)


def _converse(talk, as_json: bool) -> None:
    """Read questions until an empty line or the end of input."""
    if sys.stdin.isatty():
        print(f"You talk to {talk.endpoint.model}. An empty line ends it.", file=sys.stderr)
    while question := _ask():
        _answer(talk, question, as_json)


def _ask() -> str:
    try:
        return input("> " if sys.stdin.isatty() else "").strip()
    except EOFError:
        return ""
