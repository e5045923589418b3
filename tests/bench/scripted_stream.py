"""A chat server on a real socket that plays a script: what it sends for each request, when, and how it fails.

    with scripted([text("Hi"), 0.1, text(" there"), end(tokens=2)]) as server: ...

A script is a list of steps; request number n plays script n, and later ones the last. A step is a dict (sent as a server-sent
event), bytes (sent as they are), a number (seconds to wait), or one of HANG (until the caller goes away), DROP (close the
connection) and Status (an HTTP error instead of a stream).
"""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import time
from dataclasses import dataclass, field

from labkit.backends.base import Endpoint

KEY, HANG, DROP = "the-key", object(), object()
ROLE = {"choices": [{"index": 0, "finish_reason": None, "delta": {"role": "assistant", "content": ""}}]}


@dataclass(frozen=True)
class Status:
    code: int
    text: str


def text(words: str) -> dict:
    return {"choices": [{"index": 0, "finish_reason": None, "delta": {"content": words}}]}


def end(tokens: int, prompt: int = 5, reason: str = "length", **more) -> list[dict]:
    usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
    return [
        {"choices": [{"index": 0, "finish_reason": reason, "delta": {}}]},
        {"choices": [], "usage": usage, **more},
    ]


def flat(script) -> list:
    return [step for one in script for step in (one if isinstance(one, list) else [one])]


@dataclass
class Played:
    """What happened: the requests and their keys, when which event was sent, who went away, and the most at once."""

    endpoint: Endpoint | None = None
    bodies: list = field(default_factory=list)
    keys: list = field(default_factory=list)
    sent: list = field(default_factory=list)
    gone: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def scripted(*scripts, stall: float = 20):
    """Serve `scripts`; yield the Played, with an Endpoint whose timeout is `stall` seconds."""
    played = Played()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with played.lock:
                number = len(played.bodies)
                played.bodies.append(body)
                played.keys.append(self.headers["Authorization"])
                played.sent.append([])
                played.now += 1
                played.most = max(played.most, played.now)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.play(flat(scripts[min(number, len(scripts) - 1)]), played.sent[number])

        def play(self, steps, sent):
            if steps and isinstance(steps[0], Status):
                self.leave()
                return self.send_error(steps[0].code, steps[0].text)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for at, step in enumerate(steps):
                if at == len(steps) - 1:
                    self.leave()  # before the last word, so that whoever has read it finds this one gone
                if step is HANG:
                    self.rfile.read(1)
                    played.gone.release()
                elif step is DROP:
                    return
                elif isinstance(step, dict | bytes):
                    sent.append(time.perf_counter())
                    self.wfile.write(
                        step if isinstance(step, bytes) else b"data: " + json.dumps(step).encode() + b"\n\n"
                    )
                else:
                    time.sleep(step)

        def leave(self):
            with played.lock:
                played.now -= 1

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        request_queue_size, daemon_threads = 128, True

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        with Endpoint(backend="scripted", base_url=address, model="m", api_key=KEY, timeout=stall) as endpoint:
            played.endpoint = endpoint
            yield played
    finally:
        server.shutdown()
        server.server_close()
