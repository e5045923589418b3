"""Foundry Local behind the bridge: its SDK runs the model in this process, a chat session a turn.

The SDK's own web service knows the models of the public catalogue only, and answers 404 for a folder that was registered here:
so the bridge. Offline, the public catalogue is not asked at all; it would log errors for four seconds.

At work in notebook 05, section "Install".
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import foundry_local_sdk as sdk

from labkit import disk
from labkit.backends.bridge.contract import Ask, Finish, Refusal

__all__ = ["load"]

ROLES = {"system": sdk.MessageRole.SYSTEM, "user": sdk.MessageRole.USER, "assistant": sdk.MessageRole.ASSISTANT}
TOO_LONG = re.compile(r"\((\d+) input .*exceeds the model's maximum context length")


def load(options: dict) -> Foundry:
    """Return the engine with a model in it: the ONNX folder options["path"], or options["alias_there"] of the public catalogue."""
    home = Path(options["home"])
    for name in ("models", "logs"):
        (home / name).mkdir(parents=True, exist_ok=True)
    sdk.FoundryLocalManager.initialize(
        sdk.Configuration(
            app_name="labkit",
            app_data_dir=str(home),
            model_cache_dir=str(home / "models"),
            logs_dir=str(home / "logs"),
            log_level=sdk.LogLevel.ERROR,
            disable_nonessential_telemetry=True,
        )
    )
    there = options.get("alias_there")
    model = _public(there) if there else _registered(_with_settings(Path(options["path"]), home, options))
    model.load()
    return Foundry(model, options["context"], options["parallel"])


def _with_settings(path: Path, home: Path, options: dict) -> Path:
    """Return a folder with the same files and another genai_config.json: Foundry Local reads threads and context only there.

    Each conversation gets room for the whole context at once: with the model's own 8192 tokens, 32 of them took 9 GB.
    """
    threads, context = options["threads"], options["context"]
    view = home / "folders" / f"{path.parent.name}-{path.name}-t{threads}-c{context}"
    view.parent.mkdir(exist_ok=True)
    with disk.errors(view), disk.one_writer(view):
        view.mkdir(exist_ok=True)
        for file in path.iterdir():
            (view / file.name).unlink(missing_ok=True)
            if file.name == "genai_config.json":
                config = json.loads(file.read_text("utf-8"))
                config["model"]["decoder"]["session_options"]["intra_op_num_threads"] = threads
                context = min(context, config["model"]["context_length"])
                config["model"]["context_length"] = config["search"]["max_length"] = context
                (view / file.name).write_text(json.dumps(config), encoding="utf-8")
            else:
                _link(file, view / file.name)
    return view


def _link(file: Path, name: Path) -> None:
    try:
        os.link(file, name)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(file, name)


def _registered(folder: Path) -> sdk.IModel:
    """Return the model of an ONNX folder from the local catalogue, which remembers it: a second registration raises."""
    catalog = sdk.FoundryLocalManager.instance.get_catalog(sdk.CatalogType.LOCAL)
    model_id = f"{folder.name}:1"
    known = catalog.get_model_variant(model_id)
    if known is not None and Path(known.get_path()) == folder:
        return known
    if known is not None:  # the folder has moved
        catalog.unregister_model(model_id)
    facts = sdk.ModelInfoBuilder().set_string_property("task", "chat-completion")
    try:
        return catalog.register_model(str(folder), model_id, facts)
    except sdk.FoundryLocalException:  # another process was quicker
        model = catalog.get_model_variant(model_id)
        if model is None:
            raise
        return model


def _public(alias: str) -> sdk.IModel:
    """Return a model of the public catalogue, downloaded if it is not here."""
    catalog = sdk.FoundryLocalManager.instance.get_catalog()
    model = catalog.get_model(alias)
    if model is None:  # backends/foundry.py reads these words
        listed = sorted({one.alias for one in catalog.list_models()})
        raise SystemExit(f"LABKIT NO MODEL {alias}; the public catalogue lists: {', '.join(listed) or 'nothing'}")
    if not model.is_cached:
        model.download(lambda percent: print(f"LABKIT DOWNLOADED {percent:.0f} %", flush=True))
    return model


class Foundry:
    """An Engine (see contract.py)."""

    name, honours = "foundry", frozenset({"json_schema", "temperature", "top_p", "top_k", "seed"})

    def __init__(self, model: sdk.IModel, context: int, at_once: int):
        self.model, self.at_once = model, at_once
        facts = json.loads(Path(model.get_path(), "genai_config.json").read_text("utf-8"))
        self.vocabulary = facts["model"]["vocab_size"]
        self.context = min(context, model.context_length or context)

    def begin(self, ask: Ask) -> _Turn:
        """Let Foundry Local make the prompt, and count it."""
        return _Turn(self, ask)


class _Turn:
    def __init__(self, engine: Foundry, ask: Ask):
        self.engine, self.ask = engine, ask
        with self._session() as (session, request):
            request.set_options(self._options(1))
            try:
                self.prompt_tokens = session.preflight_request(request).prompt_tokens
            except sdk.FoundryLocalException as error:
                found = TOO_LONG.search(str(error))
                if not found:
                    raise RuntimeError(str(error)) from None
                self.prompt_tokens = int(found.group(1))

    def run(self, most: int, on_text: Callable[[str], None], stopped: Callable[[], bool]) -> Finish:
        with self._session() as (session, request):
            request.set_options(self._options(most))
            session.set_streaming(True)
            try:
                return self._stream(session.process_streaming_request(request), on_text, stopped)
            except sdk.FoundryLocalException as error:
                if self.ask.schema is None or "creating grammar" not in str(error):
                    raise RuntimeError(str(error)) from None
                reason = str(error).rpartition("grammar: ")[2]
                what = f"Foundry Local cannot use this schema: {reason}"
                raise Refusal(400, what, "invalid_schema", "response_format") from None

    def _stream(
        self, stream: sdk.StreamingResponse, on_text: Callable[[str], None], stopped: Callable[[], bool]
    ) -> Finish:
        pieces = 0
        with stream:
            for item in stream:
                if stopped():
                    return Finish("stop", pieces)
                pieces += 1
                on_text(item.text)
            with stream.final_response as final:
                ended = final.finish_reason == sdk.FinishReason.STOP
                # Foundry Local leaves the end mark out of its count.
                return Finish("stop" if ended else "length", final.get_usage().completion_tokens + ended)

    @contextmanager
    def _session(self) -> Iterator[tuple[sdk.ChatSession, sdk.Request]]:
        with sdk.ChatSession(self.engine.model) as session, sdk.Request() as request:
            for message in self.ask.messages:
                request.add_item(sdk.MessageItem(ROLES[message["role"]], message["content"]))
            yield session, request

    def _options(self, most: int) -> sdk.RequestOptions:
        ask, search = self.ask, sdk.SearchOptions(max_output_tokens=most, do_sample=False)
        if ask.temperature > 0:
            search = sdk.SearchOptions(
                max_output_tokens=most,
                do_sample=True,
                temperature=ask.temperature,
                top_p=ask.top_p,
                top_k=ask.top_k or self.engine.vocabulary,  # lets top_p speak alone: at 0, top_p is ignored as well
                seed=ask.seed,
            )
        guidance = {"guidance_type": "json_schema", "guidance_data": ask.schema} if ask.schema is not None else {}
        return sdk.RequestOptions(search=search, additional_options=guidance)
