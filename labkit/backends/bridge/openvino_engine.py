"""OpenVINO behind the bridge: its continuous-batching pipeline reads a GGUF by itself, and runs several turns together.

One thread alone touches the pipeline, and steps it as long as there is work: each step makes one token for every turn.

At work in notebook 08, section "One engine after the other".
"""

from __future__ import annotations

import functools
import itertools
import os
import queue
import threading
from collections.abc import Callable, Sequence

import openvino_genai as genai

from labkit.backends.bridge.contract import Ask, Finish, Refusal
from labkit.backends.bridge.text import TokenText

__all__ = ["load"]

JUST_BELOW_ONE = 0.9999  # the pipeline refuses a min_p of 1, which leaves the likeliest token alone
BLOCK = 32  # tokens in a block of the pipeline's KV cache on a CPU
SAMPLE = " A word, Zürich, 東京, 👩\n"
REASONS = {genai.GenerationFinishReason.STOP: "stop", genai.GenerationFinishReason.LENGTH: "length"}


def load(options: dict) -> OpenVino:
    """Return the engine with the model at options["path"] (a GGUF, or a folder in OpenVINO's format) in it."""
    scheduler = genai.SchedulerConfig()
    scheduler.num_kv_blocks = options["parallel"] * (-(-options["context"] // BLOCK) + 1)
    scheduler.max_num_seqs = options["parallel"]
    threads = {"INFERENCE_NUM_THREADS": options["threads"]}
    pipeline = genai.ContinuousBatchingPipeline(options["path"], scheduler, options.get("device", "CPU"), threads)
    return OpenVino(pipeline, options["context"], options["parallel"])


class OpenVino:
    """An Engine (see contract.py)."""

    name, honours = "openvino", frozenset({"json_schema", "temperature", "top_p", "top_k", "min_p", "seed"})

    def __init__(self, pipeline: genai.ContinuousBatchingPipeline, context: int, at_once: int):
        self.context, self.at_once, self.tokenizer = context, at_once, pipeline.get_tokenizer()
        self.decode = _decoder(self.tokenizer)
        self.batch = _Batch(pipeline)

    def begin(self, ask: Ask) -> _Turn:
        """Make the prompt with the model's own chat template."""
        try:
            prompt = self.tokenizer.apply_chat_template(list(ask.messages), add_generation_prompt=True)
        except RuntimeError as error:
            raise Refusal(400, f"The model's chat template refuses these messages: {error}", param="messages") from None
        # The template writes the special tokens itself.
        return _Turn(self, ask, self.tokenizer.encode(prompt, add_special_tokens=False).input_ids)


class _Turn:
    def __init__(self, engine: OpenVino, ask: Ask, ids):
        self.engine, self.ask, self.ids, self.prompt_tokens = engine, ask, ids, ids.shape[1]
        self.made: queue.SimpleQueue = queue.SimpleQueue()  # (ids, reason), or an exception
        self.failure: Refusal | None = None

    def run(self, most: int, on_text: Callable[[str], None], stopped: Callable[[], bool]) -> Finish:
        self.config, self.stopped = _config(self.ask, most), stopped
        text, tokens, reason = TokenText(self.engine.decode), 0, None
        self.engine.batch.inbox.put(self)
        while reason is None:
            made = self.made.get()
            if isinstance(made, Exception):
                raise made
            ids, reason = made
            tokens += len(ids)
            if not stopped():
                on_text(text.add(ids))
        return Finish(reason, tokens)


def _decoder(tokenizer: genai.Tokenizer) -> Callable[[Sequence[int]], str]:
    """Return a `decode(ids)` that shows half a character as such: the tokenizer's own leaves its bytes out without a trace."""
    vocabulary = {number: raw for raw, number in tokenizer.get_vocab().items()}
    ids = tokenizer.encode(SAMPLE, add_special_tokens=False).input_ids.data[0].tolist()
    if b"".join(vocabulary.get(one, b"") for one in ids) != SAMPLE.encode():  # not a vocabulary of bytes
        return tokenizer.decode

    @functools.cache
    def piece(token: int) -> bytes:
        raw = vocabulary.get(token, b"")
        special = not tokenizer.decode([token]) and "\ufffd" not in raw.decode("utf-8", "replace")
        return b"" if special else raw

    return lambda ids: b"".join(map(piece, ids)).decode("utf-8", "replace")


def _config(ask: Ask, most: int) -> genai.GenerationConfig:
    config = genai.GenerationConfig(max_new_tokens=most, apply_chat_template=False, rng_seed=ask.seed)
    if ask.temperature > 0:
        config.do_sample, config.temperature, config.top_p = True, ask.temperature, ask.top_p
        config.min_p = min(ask.min_p, JUST_BELOW_ONE)
        if ask.top_k:
            config.top_k = ask.top_k
    if ask.schema is not None:
        config.structured_output_config = genai.StructuredOutputConfig(json_schema=ask.schema)
    return config


class _Batch:
    """The thread that owns the pipeline: takes turns in between two steps, and hands every turn its tokens after each.

    A step that fails breaks the pipeline for every turn in it: they go on, with wrong answers. What makes it fail is a schema that
    it cannot read, and it reads schemas in the first step only. So one that has not been seen yet is tried with nobody else in
    the pipeline, where a failure does no harm.
    """

    def __init__(self, pipeline: genai.ContinuousBatchingPipeline):
        self.pipeline, self.inbox, self.numbers = pipeline, queue.SimpleQueue(), itertools.count()
        self.turns: list[_Turn] = []
        self.next: _Turn | None = None  # out of the inbox, and not yet in the pipeline
        self.readable: set[str] = set()  # schemas
        threading.Thread(target=self._work, name="openvino", daemon=True).start()

    def _work(self) -> None:
        while True:
            trial = self._admit()
            try:
                self.pipeline.step()
            except RuntimeError as error:
                if trial is None:
                    print(f"OpenVINO's pipeline failed and cannot go on: {error}", flush=True)
                    os._exit(70)  # better no answers than wrong ones; the parent says that the engine is gone
                reason = str(error).strip().splitlines()[-1]
                trial.failure = Refusal(
                    400, f"OpenVINO cannot use this schema: {reason}", "invalid_schema", "response_format"
                )
            else:
                self.readable |= {trial.ask.schema} if trial else set()
            self.turns = [turn for turn in self.turns if self._goes_on(turn)]

    def _admit(self) -> _Turn | None:
        """Take in who waits; sleep until somebody comes if there is nothing else to do. Return the turn with a new schema."""
        while True:
            alone = not (self.turns or self.pipeline.has_non_finished_requests())
            if self.next is None and (alone or not self.inbox.empty()):
                self.next = self.inbox.get()
            turn = self.next
            trial = turn is not None and turn.ask.schema is not None and turn.ask.schema not in self.readable
            if turn is None or (trial and not alone):
                return None
            self.next = None
            if self._enters(turn) and trial:
                return turn

    def _enters(self, turn: _Turn) -> bool:
        """Put a turn into the pipeline; return False, and tell it so, if the pipeline does not take it."""
        try:
            turn.handle = self.pipeline.add_request(next(self.numbers), turn.ids, turn.config)
        except RuntimeError as error:
            turn.made.put(error)
            return False
        self.turns.append(turn)
        return True

    def _goes_on(self, turn: _Turn) -> bool:
        """Hand over what the turn's last step made; return whether there is more to come."""
        if turn.failure is not None or turn.stopped():
            turn.handle.cancel()
            turn.made.put(turn.failure or ([], "stop"))
            return False
        while turn.handle.can_read():
            for output in turn.handle.read().values():
                reason = REASONS.get(output.finish_reason)
                turn.made.put((output.generated_ids, reason))
                if reason:
                    return False
        return True
