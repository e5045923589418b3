"""The child process of MLX: mlx_lm's own server, behind the door that it lacks.

    LABKIT_MLX='{"path": "FOLDER", "alias": "m", "api_key": "…", "context": 2048, "parallel": 4}' python -I mlx_server.py

mlx_lm.server knows no key, loads any folder or repository that a request names as model, adapter or draft, fetches pictures from
the net, and reads a prompt of any length. Here a request shows the key, names the one model, holds text and fits the context
window, or is refused. And a stop text ends the answer: theirs, unless the tokens fall just so, cuts it out and writes on. What
remains is theirs: sampling, batching, the prompt cache. What they ignore (response_format, n) is ignored still: the probes find it.

Explained in README.md, section "The command".
"""

import dataclasses
import hmac
import json
import os
import select
import socket
import sys
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import mlx.core as mx
from jinja2 import TemplateError
from mlx_lm import server as theirs
from mlx_lm.utils import load_tokenizer

sys.path.insert(0, str(Path(__file__).parents[2]))  # the same labkit as the parent's, whichever is installed
from labkit.backends.asgi import LONGEST_BODY, error_detail
from labkit.backends.bridge.text import StopText

DEFAULT = "default_model"  # what mlx_lm calls the model it was started with
NOT_FOR_CALLERS = ("adapters", "draft_model", "role_mapping")


def main():
    """Serve until this process is ended."""
    options = json.loads(os.environ.pop("LABKIT_MLX"))
    many = str(options["parallel"])
    sys.argv = ["mlx_lm.server", "--model", options["path"], "--max-tokens", str(options["context"])]
    sys.argv += ["--decode-concurrency", many, "--prompt-concurrency", many, "--log-level", "WARNING"]
    # Their command line, read by their own parser, into our run: what is not said above has their defaults.
    theirs.ModelProvider = _Provider
    theirs.run = lambda host, port, provider: _serve(provider, options)
    theirs.main()


def _serve(provider, options):
    provider.cli_args.allowed_origins = []  # no web page may ask
    generator = theirs.ResponseGenerator(provider, theirs.LRUPromptCache(provider.cli_args.prompt_cache_size))
    while generator.generation_available() and not provider.ready.wait(0.1):
        pass
    if not provider.ready.is_set():
        sys.exit("mlx_lm could not load the model")
    desk = _Desk(options, generator)
    with _Server(
        ("127.0.0.1", 0), lambda *its: _Handler(generator, *its, system_fingerprint="mlx_lm", desk=desk)
    ) as server:
        print(f"LABKIT LISTENING http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


class _Provider(theirs.ModelProvider):
    def __init__(self, arguments):
        self.ready = threading.Event()
        super().__init__(arguments)

    def _load(self, *what):
        super()._load(*what)
        if mx.default_device() == mx.cpu:
            # Half precision is emulated there: half as fast, and bfloat16 turns the bundled model's answers into French.
            self.model.set_dtype(mx.float32)
            mx.eval(self.model.parameters())
        self.ready.set()


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # a caller who left is no news
            super().handle_error(request, client_address)


class _Refusal(Exception):
    def __init__(self, status, message, code):
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class _Complaint:
    """Stands in for the wire while they write an error, a bare text: it goes out in OpenAI's shape, or clients lose it."""

    def __init__(self, handler, status):
        self.handler, self.status, self.wire = handler, status, handler.wfile

    def write(self, body):
        self.handler.wfile = self.wire
        try:
            text = str(json.loads(body)["error"])
        except (ValueError, TypeError, KeyError):
            text = body.decode()
        # They say 404 of whatever goes wrong while an answer is made; there is no such route is their other 404.
        failed = self.status == 404 and self.handler.path.endswith("/completions")
        self.handler._refuse(_Refusal(500 if failed else self.status, text, "mlx_lm"))

    def flush(self):
        self.wire.flush()


class _Desk:
    """What all requests share: the rules that they are held to, and how many are under way."""

    def __init__(self, options, generator):
        self.alias, self.key, self.context = options["alias"], f"Bearer {options['api_key']}", options["context"]
        self.generator, self.lock, self.processing, self.total = generator, threading.Lock(), 0, 0
        config = json.loads(Path(options["path"], "config.json").read_text("utf-8"))
        self.vocabulary = config.get("vocab_size") or config.get("text_config", {}).get("vocab_size", 0)
        self.tokenizer = load_tokenizer(Path(options["path"]))  # theirs is busy in another thread

    @contextmanager
    def counted(self):
        with self.lock:
            self.processing, self.total = self.processing + 1, self.total + 1
        try:
            yield
        finally:
            with self.lock:
                self.processing -= 1

    def metrics(self):
        rows = ("requests_processing", "gauge", self.processing), ("requests_total", "counter", self.total)
        return "".join(f"# TYPE labkit:{name} {kind}\nlabkit:{name} {value}\n" for name, kind, value in rows)

    def room(self, request, body):
        """Return how many tokens the answer may have. Raises _Refusal if the request is not one for this server."""
        if body.get("model") != self.alias:
            what = f"The model {body.get('model')!r} does not exist here; this server has {self.alias!r}."
            raise _Refusal(404, what, "model_not_found")
        if taken := [name for name in NOT_FOR_CALLERS if body.get(name) is not None]:
            raise _Refusal(400, f"{', '.join(taken)}: not for callers to choose.", "unsupported_parameter")
        if any(not 0 <= int(token) < self.vocabulary for token in body.get("logit_bias") or {}):
            # MLX does not look: it writes past the end of its memory, and dies.
            raise _Refusal(400, f"logit_bias: tokens go from 0 to {self.vocabulary - 1}.", "invalid_value")
        used = self._tokens(request, body)
        if used >= self.context:
            what = f"The request ({used} tokens) exceeds the available context size ({self.context} tokens)"
            raise _Refusal(400, f"{what}, which the answer shares.", "context_length_exceeded")
        return self.context - used

    def _tokens(self, request, body):
        options = SimpleNamespace(chat_template_kwargs=body.get("chat_template_kwargs"))
        try:
            with self.lock:
                prompt, *_ = self.generator._tokenize(self.tokenizer, request, options)
        except (TemplateError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise _Refusal(400, f"The model's chat template refuses these messages: {error}", "bad_messages") from None
        return len(prompt)


def _check_stops(stops):
    if not isinstance(stops, list) or len(stops) > 16 or not all(isinstance(one, str) and one for one in stops):
        raise _Refusal(400, "stop: a text, or a list of at most 16 texts, none of them empty.", "invalid_value")


class _Handler(theirs.APIHandler):
    """Their handler, with a lock in front, and our refusals in OpenAI's shape."""

    def __init__(self, *arguments, desk, **more):
        self.desk = desk
        super().__init__(*arguments, **more)

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self):
        if self.path == "/health":
            return super().do_GET()
        if not self._locked_out():
            if self.path == "/metrics":
                return self._say(200, self.desk.metrics(), "text/plain; version=0.0.4")
            if self.path.rstrip("/") == "/v1/models":
                card = {"id": self.desk.alias, "object": "model", "created": self.created, "owned_by": "mlx_lm"}
                card["meta"] = {"n_ctx": self.desk.context}
                return self._say(200, json.dumps({"object": "list", "data": [card]}))
            self._refuse(_Refusal(404, f"GET {self.path}: there is no such route.", "no_such_route"))

    def do_POST(self):
        if self._locked_out():
            return
        length = self.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > LONGEST_BODY:
            return self._refuse(_Refusal(413, f"The body is longer than {LONGEST_BODY} bytes.", "body_too_long"))
        super().do_POST()

    def do_OPTIONS(self):
        self._refuse(_Refusal(405, "No web page may ask this server.", "method_not_allowed"))

    def handle_chat_completions(self):
        for message in self.body.get("messages") or []:
            parts = message.get("content")
            if isinstance(parts, list) and any(part.get("type") != "text" for part in parts):
                raise ValueError("this server takes text only")  # before they fetch a picture from the net
        return super().handle_chat_completions()

    def handle_completion(self, request, stop_words):
        """Go on with a request that has been read, if it may."""
        self.stops, self.uncounted = StopText(stop_words), 0
        try:
            _check_stops(stop_words)
            self.max_tokens = min(self.max_tokens, self.desk.room(request, self.body))
        except _Refusal as refusal:
            return self._refuse(refusal)
        if self.top_k >= self.desk.vocabulary:
            self.top_k = 0  # the same, all tokens; theirs would end the thread that generates
        watched = SimpleNamespace(generate=self._generate, cli_args=self.response_generator.cli_args)
        self.requested_model, self.response_generator = DEFAULT, watched
        with self.desk.counted():
            super().handle_completion(
                request, []
            )  # theirs cuts a stop text out and writes on, where tokens fall otherwise

    def generate_response(self, *arguments, **more):
        return self._signed(super().generate_response(*arguments, **more))

    def completion_usage_response(self, *arguments):
        return self._signed(super().completion_usage_response(*arguments))

    def _signed(self, response):
        """With our name for the model, and without the pieces in the count that are no tokens."""
        if usage := response.get("usage"):
            usage["completion_tokens"] -= self.uncounted
            usage["total_tokens"] -= self.uncounted
        return {**response, "model": self.desk.alias}

    def _generate(self, *arguments, **more):
        """Generate up to a stop text, or until the caller leaves: they notice him only when they write to him, which is late."""
        context, pieces = self.desk.generator.generate(*arguments, **more)
        return context, self._up_to_a_stop(pieces)

    def _up_to_a_stop(self, pieces):
        for piece in pieces:
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionAbortedError
            text = self.stops.add(piece.text) if piece.finish_reason != "stop" else ""
            if piece.finish_reason and not self.stops.hit:
                text += self.stops.rest()
            ending = "stop" if self.stops.hit else piece.finish_reason
            if ending == "stop" and text:  # they write nothing of a piece that ends so
                self.uncounted += 1
                yield dataclasses.replace(piece, text=text, finish_reason=None)
            yield dataclasses.replace(piece, text=text, finish_reason=ending)
            if ending:
                return

    def _set_completion_headers(self, status_code=200):
        if status_code < 400:
            return super()._set_completion_headers(status_code)
        self.wfile = _Complaint(self, status_code)

    def end_headers(self):
        if not isinstance(self.wfile, _Complaint):
            super().end_headers()

    def log_message(self, *arguments):
        """Say nothing: a line a request would push out of the log what matters."""

    def _locked_out(self):
        shown = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if hmac.compare_digest(shown, self.desk.key.encode()):
            return False
        self._refuse(_Refusal(401, "Wrong API key, or none.", "invalid_api_key"))
        return True

    def _refuse(self, refusal):
        self._say(refusal.status, json.dumps(error_detail(refusal.status, refusal.message, refusal.code)))

    def _say(self, status, text, kind="application/json"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    main()
