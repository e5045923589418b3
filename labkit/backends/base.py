"""The one contract: an `Endpoint` is an OpenAI-compatible server on this machine, whatever engine stands behind it.

    endpoint = labkit.connect()
    endpoint.chat("What is the capital of France?").text        # one answer
    for piece in (answer := endpoint.stream("Count to five.")):  # as it is written
        print(piece, end="")
    answer.reply.tokens_per_second
    endpoint.client()                                            # the plain openai client, for everything else

Taught in notebook 00, sections "The first answer", "Streaming" and "Where errors show".
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from labkit.backends.answer import Reply, Stream
from labkit.backends.capabilities import Capabilities, refuse_ignored_parameters
from labkit.backends.loopback import transport
from labkit.errors import ContextTooLong, EngineDied, EngineMissing, EngineTimeout, LabkitError, Refused

Messages = str | Sequence[dict]
DEFAULTS = {"temperature": 0.0, "max_tokens": 256}
MOST_CONNECTIONS = 1000  # as the openai client has it by default


@dataclass(eq=False)
class Endpoint:
    """An OpenAI-compatible server: where it is, its key, its model, and what it can really do.

    base_url ends in /v1. api_key is fresh for every launch and hidden from repr. process is the ServerProcess that labkit owns,
    or None if the server was already running. before(request) may change or refuse a request of `chat` and `stream`: the place for
    a check that an engine lacks. replayed is "" for a live engine; else the answers are recorded ones, and this label says when
    and where. Use it as a context manager, call `close()`, or leave it to die with the kernel.
    Taught in notebook 00, section "The first answer", and in notebook 05, section "Production".
    """

    backend: str
    base_url: str
    model: str
    api_key: str = field(repr=False)
    engine_version: str = ""
    timeout: float = 120.0
    process: object = field(default=None, repr=False)
    on_close: object = field(default=None, repr=False)
    before: object = field(default=None, repr=False)
    native: str = ""  # where the engine's own API is, if it has one: past a recorder, which keeps what goes to base_url
    replayed: str = ""
    traffic: object = field(default=None, repr=False)  # a Recorder while recording, a Replay when replayed
    context: int = 0  # tokens of one conversation, both ways; 0: labkit did not start it and cannot know

    def client(self):
        """Return the plain `openai.OpenAI` client of this endpoint (made once, thread-safe, no proxy, no retries)."""
        return self._client

    def async_client(self):
        """Return a plain `openai.AsyncOpenAI` client (a new one each time: it belongs to the event loop that uses it)."""
        import openai

        http = openai.DefaultAsyncHttpxClient(**transport(MOST_CONNECTIONS))
        return openai.AsyncOpenAI(http_client=http, **self._client_options())

    def chat_client(self, *, layer: bool = True, **options):
        """Return an Agent Framework chat client: `Agent(client=endpoint.chat_client(), tools=[…])`.

        layer: call tools through labkit.tools where the engine does not by itself (False: leave it to the engine).
        """
        from agent_framework.openai import OpenAIChatCompletionClient

        if layer:
            from labkit.tools.middleware import layers

            options["middleware"] = [*(options.get("middleware") or ()), *layers(self)]
        return OpenAIChatCompletionClient(model=self.model, async_client=self.async_client(), **options)

    def chat(self, prompt: Messages, **parameters) -> Reply:
        """Return the answer to `prompt`: a text, or a list of {"role", "content"} messages.

        `parameters` are those of the OpenAI chat API; temperature is 0 and max_tokens 256 unless said otherwise.
        Raises UnsupportedParameter for one that this engine would ignore, ContextTooLong, Refused, EngineDied, EngineTimeout.
        """
        request, create = self._request(prompt, parameters), self._create
        started = time.perf_counter()
        with self._translated_errors():
            raw = create(**request)
        choice = raw.choices[0]
        return Reply(
            text=choice.message.content or "",
            prompt_tokens=raw.usage.prompt_tokens if raw.usage else 0,
            completion_tokens=raw.usage.completion_tokens if raw.usage else 0,
            seconds=time.perf_counter() - started,
            first_token_seconds=None,
            finish_reason=choice.finish_reason or "",
            raw=raw,
            replayed=self.replayed,
        )

    def stream(self, prompt: Messages, **parameters) -> Stream:
        """Return the answer to `prompt` as a `Stream` of pieces of text. Parameters and errors as for `chat`."""
        request, create = self._request(prompt, parameters), self._create
        started = time.perf_counter()
        with self._translated_errors():
            chunks = create(**request, stream=True, stream_options={"include_usage": True})
        return Stream(self, chunks, started)

    def observe(self, name: str, function: Callable[[], object]) -> object:
        """Return what `function()` returns, as JSON would hold it; replayed: what it returned when it was recorded.

        For what does not go over the chat API: a start time, memory, a log, a call of the engine's own SDK. name: one a lesson
        and model. Raises TypeError for what JSON cannot hold, EngineMissing when replayed and `name` was not recorded.
        """
        if self.traffic:
            return self.traffic.observe(name, function)
        return json.loads(json.dumps(function()))

    @cached_property
    def capabilities(self) -> Capabilities:
        """What this engine really does with this model: probed by asking it, then cached with version and date."""
        from labkit.backends.capabilities import load_or_probe

        return load_or_probe(self)

    @property
    def alive(self) -> bool:
        """Whether the server process runs (True when labkit did not start it and so cannot know)."""
        return self.process is None or self.process.alive

    def close(self) -> None:
        """Let go of the endpoint: the engine stops when nobody else in this process uses it. Twice is fine."""
        if "_client" in self.__dict__:
            self._client.close()
        on_close, self.on_close = self.on_close, None
        if on_close:
            on_close()

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    @cached_property
    def _client(self):
        import openai

        return openai.OpenAI(
            http_client=openai.DefaultHttpxClient(**transport(MOST_CONNECTIONS)), **self._client_options()
        )

    @cached_property
    def _create(self):
        return (
            self._client.chat.completions.create
        )  # looked up once: the chain of properties costs as much as our own code

    def _client_options(self) -> dict:
        return {"base_url": self.base_url, "api_key": self.api_key, "timeout": self.timeout, "max_retries": 0}

    def _request(self, prompt: Messages, parameters: dict) -> dict:
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else list(prompt)
        refuse_ignored_parameters(self, parameters)
        request = {**DEFAULTS, "model": self.model, **parameters, "messages": messages}
        return self.before(request) if self.before else request

    def _translated_errors(self) -> _TranslatedErrors:
        return _TranslatedErrors(self)


class _TranslatedErrors:
    """Turn the openai client's exceptions into labkit's, which say why and what to try. A class: cheaper than a generator."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback) -> bool:
        if error is None:
            return False
        import openai

        if isinstance(error, openai.APITimeoutError):
            raise EngineTimeout(
                f"{self.endpoint.backend} did not answer within {self.endpoint.timeout:g} s.",
                "the machine is busy with something else, or the answer is long",
                "labkit doctor",
            ) from error
        if isinstance(error, openai.APIConnectionError):
            raise self._connection_lost() from error
        if isinstance(error, openai.APIError):
            raise self._refusal(error) from error
        if isinstance(error, ValueError):  # half a surrogate pair, NaN: it never left this process
            raise Refused("The request cannot be written as JSON.", str(error)[:200], "") from error
        return False

    def _connection_lost(self) -> EngineDied:
        process, where = self.endpoint.process, f"{self.endpoint.backend} at {self.endpoint.base_url}"
        if process is None or process.wait(1) is None:
            return EngineDied(
                f"{where} closed the connection or is not there.", "it was stopped or restarted", "labkit doctor"
            )
        return EngineDied(
            f"{where} is gone: {process.ending()}.",
            "it was killed, or the machine ran out of memory; endpoint.process.tail() has its last words",
            "labkit doctor",
        )

    def _refusal(self, error) -> LabkitError:
        detail = error.body if isinstance(error.body, dict) else {}
        if detail.get("code") == "not_recorded":
            return EngineMissing(detail["message"], detail["why"], detail["fix"])
        if detail.get("code") == "engine_gone":  # says the relay in between
            return self._connection_lost()
        status, text = getattr(error, "status_code", None), re.sub(r"^Error code: \d+ - ", "", error.message)
        name = f"{self.endpoint.backend} refused the request"
        if "exceed_context_size" in text or "context length" in text or "context size" in text:
            return ContextTooLong(
                f"The prompt is longer than the context window. {text}",
                "prompt and answer share one window of tokens",
                "labkit.connect(context=8192)  # or a shorter prompt",
            )
        if status == 401:
            return Refused(
                f"{name}: wrong key.", "the engine was restarted, and each launch has its own key", "labkit.connect()"
            )
        return Refused(f"{name} ({status}): {text}", "a parameter or the model name is wrong", "labkit models")
