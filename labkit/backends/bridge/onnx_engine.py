"""onnxruntime-genai behind the bridge: one generator a turn, and the turns take tokens by turns.

Its own batching engine (0.18) answers a batch of unequal prompts wrongly on the CPU, so each turn has a generator of its own,
with its own KV cache; they share the model and its threads, one token after another.

At work in notebook 08, section "One engine after the other".
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime_genai as og

from labkit.backends.bridge.contract import Ask, Finish, Refusal
from labkit.backends.bridge.text import TokenText

__all__ = ["load"]


def load(options: dict) -> Onnx:
    """Return the engine with the model folder options["path"] (genai_config.json, model.onnx, …) in it."""
    config = og.Config(options["path"])
    facts = json.loads(Path(options["path"], "genai_config.json").read_text("utf-8"))["model"]
    threads = {"intra_op_num_threads": options["threads"]}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": threads}}}))
    context = min(options["context"], facts["context_length"])
    return Onnx(og.Model(config), facts["vocab_size"], context, options["parallel"])


class Onnx:
    """An Engine (see contract.py)."""

    name, honours = "onnx", frozenset({"json_schema", "temperature", "top_p", "top_k", "seed"})

    def __init__(self, model: og.Model, vocabulary: int, context: int, at_once: int):
        self.model, self.tokenizer, self.vocabulary = model, og.Tokenizer(model), vocabulary
        self.context, self.at_once = context, at_once
        self.step = threading.Lock()  # for one token: so a short answer need not wait for a long one

    def begin(self, ask: Ask) -> _Turn:
        """Make the prompt with the model's own chat template."""
        with self.step:
            try:
                prompt = self.tokenizer.apply_chat_template(json.dumps(ask.messages), add_generation_prompt=True)
            except RuntimeError as error:
                what = f"The model's chat template refuses these messages: {error}"
                raise Refusal(400, what, param="messages") from None
            return _Turn(self, ask, self.tokenizer.encode(prompt))


class _Turn:
    def __init__(self, engine: Onnx, ask: Ask, ids: np.ndarray):
        self.engine, self.ask, self.ids, self.prompt_tokens = engine, ask, ids, len(ids)

    def run(self, most: int, on_text: Callable[[str], None], stopped: Callable[[], bool]) -> Finish:
        engine, text, tokens = self.engine, TokenText(self._decode), 0
        with engine.step:
            generator = self._generator(most)
        while not stopped():
            with engine.step:
                generator.generate_next_token()
                token, done = int(generator.get_next_tokens()[0]), generator.is_done()
                piece = text.add([token])
            tokens += 1
            on_text(piece)
            if done:
                break
        ended = tokens > 0 and token in engine.tokenizer.eos_token_ids
        return Finish("length" if tokens == most and not ended else "stop", tokens)

    def _generator(self, most: int) -> og.Generator:
        params = og.GeneratorParams(self.engine.model)
        params.set_search_options(max_length=self.prompt_tokens + most, **self._search())
        if self.ask.schema is not None:
            params.set_guidance("json_schema", self.ask.schema)
        try:
            generator = og.Generator(self.engine.model, params)
        except RuntimeError as error:
            if self.ask.schema is None:
                raise
            raise Refusal(
                400, f"ONNX Runtime cannot use this schema: {error}", "invalid_schema", "response_format"
            ) from None
        generator.append_tokens(self.ids)
        return generator

    def _decode(self, ids: list[int]) -> str:
        return self.engine.tokenizer.decode(np.array(ids, np.int32))

    def _search(self) -> dict:
        if self.ask.temperature == 0:
            return {"do_sample": False}
        # top_k has to be as large as the vocabulary to let top_p speak alone: at 0, top_p is ignored as well.
        sampling = {
            "temperature": self.ask.temperature,
            "top_p": self.ask.top_p,
            "top_k": self.ask.top_k or self.engine.vocabulary,
        }
        return {"do_sample": True, "random_seed": self.ask.seed, **sampling}
