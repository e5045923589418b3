"""The child process that has llama-cpp-python: quantizes a file, or scores a model on a text. Run by labkit/quantize/child.py.

    LABKIT_QUANTIZE='{"do": "quantize", "source": "a.gguf", "dest": "b.gguf", "file_type": 15}' python worker.py

It may run in another venv than labkit's (one that has a compiler's work in it), so it imports llama_cpp, numpy and its
neighbour tally.py alone. It prints lines that begin with LABKIT: PROGRESS done total, RESULT json, or REFUSED text.

At work in notebook 03, section "The ladder".
"""

import ctypes
import json
import os
import time

CONTEXT = 512  # tokens of a chunk, as llama-perplexity has it; the first half is there to be looked back on


def main():
    """Do the one thing that the environment asks for."""
    wish = json.loads(os.environ.pop("LABKIT_QUANTIZE"))
    import llama_cpp

    llama_cpp.llama_backend_init()
    do = {"quantize": quantize, "score": score, "next_tokens": next_tokens}[wish.pop("do")]
    say("RESULT", json.dumps(do(llama_cpp, **wish)))
    time.sleep(600)  # the parent ends it as soon as it has read this; one that ended by itself would look like a crash


def quantize(lib, source, dest, file_type, threads, requantize):
    """Let llama.cpp write `source` as `file_type` to `dest`."""
    params = lib.llama_model_quantize_default_params()
    params.nthread, params.ftype, params.allow_requantize = threads, file_type, requantize
    code = lib.llama_model_quantize(source.encode(), dest.encode(), ctypes.byref(params))
    if code:
        refuse(f"llama.cpp ended with status {code}; its last lines say why")
    return {"bytes": os.path.getsize(dest)}


def score(lib, model, text, chunks, threads, reference, write_reference):
    """Score `chunks` chunks of a text file; compare with the log-probabilities in `reference`, or write them."""
    import numpy as np
    from tally import Tally

    engine = Engine(lib, model, threads, CONTEXT)
    with open(text, encoding="utf-8") as file:
        tokens = engine.tokens(file.read())
    if len(tokens) < chunks * CONTEXT:
        refuse(f"the text has {len(tokens)} tokens; {chunks} chunks need {chunks * CONTEXT}")
    first = CONTEXT // 2  # scored: the tokens after the first half, each seen with at least 256 before it
    shape = (chunks, CONTEXT - 1 - first, engine.vocabulary)
    shelf = None
    if path := (write_reference or reference):
        shelf = np.memmap(path, np.float32, "w+" if write_reference else "r", shape=shape)
    tally, started = Tally(), time.perf_counter()
    for chunk in range(chunks):
        piece = tokens[chunk * CONTEXT : (chunk + 1) * CONTEXT]
        logits = engine.logits(engine.begun(piece), first)[:-1]
        known = shelf[chunk] if shelf is not None and not write_reference else None
        own = tally.add(logits, np.array(piece[first + 1 :]), known)
        if write_reference:
            shelf[chunk] = own
        say("PROGRESS", chunk + 1, chunks)
    if write_reference:
        shelf.flush()
    return {**tally.result(), "seconds": time.perf_counter() - started}


def next_tokens(lib, model, prompt, count, threads, top):
    """Return the greedy continuation of token ids `prompt`, and the `top` likeliest first tokens with log-probabilities."""
    import numpy as np
    from tally import log_softmax

    engine = Engine(lib, model, threads, len(prompt) + count + 8)
    ids, likeliest = list(prompt), []
    for step in range(count):
        row = log_softmax(engine.logits(ids, len(ids) - 1))[0]
        if step == 0:
            likeliest = [(int(i), float(row[i])) for i in np.argsort(-row)[:top]]
        ids.append(int(row.argmax()))
        if ids[-1] == engine.end:
            break
    answer = ids[len(prompt) :]
    return {"ids": answer, "text": engine.text(answer), "likeliest": likeliest}


class Engine:
    """One model in llama.cpp, asked for logits."""

    def __init__(self, lib, path, threads, context):
        self.lib = lib
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        self.model = lib.llama_model_load_from_file(path.encode(), params)
        if not self.model:
            refuse("llama.cpp cannot load it; its last lines say why")
        self.vocab = lib.llama_model_get_vocab(self.model)
        self.vocabulary, self.end = lib.llama_vocab_n_tokens(self.vocab), lib.llama_vocab_eos(self.vocab)
        params = lib.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = context
        params.n_threads = params.n_threads_batch = threads
        self.context = lib.llama_init_from_model(self.model, params)
        if not self.context:
            refuse("llama.cpp has no memory for its context")

    def tokens(self, text):
        raw = text.encode()
        room = (self.lib.llama_token * (len(raw) + 8))()
        n = self.lib.llama_tokenize(self.vocab, raw, len(raw), room, len(room), False, False)
        return list(room[:n])

    def begun(self, piece):
        """The piece with the beginning-of-text token in its first place, where the model wants one."""
        if self.lib.llama_vocab_get_add_bos(self.vocab):
            return [self.lib.llama_vocab_bos(self.vocab), *piece[1:]]
        return piece

    def logits(self, ids, first):
        """Return the logits after the tokens from `first` on: (len(ids) - first, vocabulary), a copy."""
        import numpy as np

        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.context), True)
        batch = self.lib.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0] = token, i, 1, 0
            batch.logits[i] = i >= first
        try:
            if code := self.lib.llama_decode(self.context, batch):
                refuse(f"llama.cpp cannot decode: status {code}")
            rows = self.lib.llama_get_logits(self.context)
            return np.ctypeslib.as_array(rows, shape=(len(ids) - first, self.vocabulary)).copy()
        finally:
            self.lib.llama_batch_free(batch)

    def text(self, ids):
        room = ctypes.create_string_buffer(64)
        raw = b""
        for one in ids:
            n = self.lib.llama_token_to_piece(self.vocab, one, room, len(room), 0, False)
            raw += room.raw[: max(n, 0)]
        return raw.decode("utf-8", "replace")


def say(word, *rest):
    """Print a line that the parent reads."""
    print("LABKIT", word, *rest, flush=True)


def refuse(why):
    """Say why it does not work, and wait to be ended."""
    say("REFUSED", why)
    time.sleep(600)


if __name__ == "__main__":
    main()
