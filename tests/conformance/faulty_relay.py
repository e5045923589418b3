"""The real engine behind a relay that spoils one thing: what a check of the suite has to notice."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from labkit.backends.base import Endpoint

LAST = {"index": 0, "delta": {}, "finish_reason": "stop"}
END = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [LAST]}


@dataclass
class Fault:
    """ask: changes a request's body. event: changes an event of a stream, None drops it. whole: changes an answer's body.

    any_key: every key is taken. deaf: goes on when the caller has left. fakes_end: a broken stream gets an end.
    """

    ask: Callable[[dict], object] = lambda body: None
    event: Callable[[dict], dict | None] = lambda event: event
    whole: Callable[[dict], object] = lambda body: None
    done: bool = True
    any_key: bool = False
    deaf: bool = False
    fakes_end: bool = False


class Relay(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_POST(self):
        fault, upstream = self.server.fault, self.server.upstream
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault.ask(body)
        key = f"Bearer {upstream.api_key}" if fault.any_key else self.headers["Authorization"]
        there = http.client.HTTPConnection(urlsplit(upstream.base_url).netloc, timeout=120)
        with contextlib.closing(there):
            there.request(
                "POST", self.path, json.dumps(body), {"Authorization": key, "Content-Type": "application/json"}
            )
            answer = there.getresponse()
            kind = answer.getheader("Content-Type", "")
            self.send_response(answer.status)
            self.send_header("Content-Type", kind)
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.stream(answer, fault) if "event-stream" in kind else self.at_once(answer, fault)

    def at_once(self, answer, fault):
        body = json.loads(answer.read())
        if answer.status == 200:
            fault.whole(body)
        self.wfile.write(json.dumps(body).encode())

    def stream(self, answer, fault):
        ended = False
        with contextlib.suppress(http.client.HTTPException, ConnectionResetError):
            for line in answer:
                ended = ended or b"[DONE]" in line
                if line.startswith(b"data:"):
                    self.tell(line[5:].strip(), fault)
        if fault.fakes_end and not ended:
            self.wfile.write(b"data: " + json.dumps(END).encode() + b"\n\ndata: [DONE]\n\n")

    def tell(self, data: bytes, fault):
        if data == b"[DONE]":
            told = data if fault.done else None
        else:
            event = fault.event(json.loads(data))
            told = json.dumps(event).encode() if event else None
        try:
            if told:
                self.wfile.write(b"data: " + told + b"\n\n")
        except OSError:
            if not fault.deaf:
                raise


@contextlib.contextmanager
def spoiled(upstream: Endpoint, fault: Fault):
    """Serve `upstream` with `fault`; yield the Endpoint of it, whose process is the real engine's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.upstream, server.fault, server.daemon_threads = upstream, fault, True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield replace(upstream, base_url=f"http://127.0.0.1:{server.server_port}/v1", on_close=None)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
