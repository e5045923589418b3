"""A small server that speaks the streamed chat API on a real socket, and misbehaves when told to."""

from __future__ import annotations

import http.server
import json
import threading

from labkit.backends import Endpoint


class ChatServer:
    """Answers with `pieces`, one event each. `gate`: each piece but the first waits until it is set.

    `window`: a prompt of more words than this is refused, as llama.cpp refuses one that is too long. `dies`: the
    connection ends after the first piece. `requests` are the bodies that came; `gone` is set when a client hung up.
    """

    def __init__(self, pieces=("The ", "answer", "."), window: int = 10_000, dies: bool = False):
        self.pieces, self.window, self.dies = list(pieces), window, dies
        self.gate, self.gone, self.requests = threading.Event(), threading.Event(), []
        self.gate.set()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.requests.append(body)
                owner.answer(self, body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> ChatServer:
        self.thread.start()
        return self

    def __exit__(self, *exc) -> None:
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def endpoint(self) -> Endpoint:
        url = f"http://127.0.0.1:{self.server.server_port}/v1"
        return Endpoint(backend="stub", engine_version="1.0", base_url=url, model="tiny", api_key="x", timeout=20)

    def answer(self, request, body: dict) -> None:
        words = sum(len(message["content"].split()) for message in body["messages"])
        if words > self.window:
            error = {"error": {"message": "the request exceeds the available context size", "code": 400}}
            return self._send(request, 400, json.dumps(error))
        self._send(request, 200, "")
        try:
            for number, piece in enumerate(self.pieces):
                if number:
                    self.gate.wait(20)
                self._event(request, {"content": piece}, None)
                if self.dies:
                    return
            self._event(request, {}, "stop")
            request.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.gone.set()

    def _send(self, request, status: int, text: str) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/json" if text else "text/event-stream")
        request.end_headers()
        request.wfile.write(text.encode())

    def _event(self, request, delta: dict, finish: str | None) -> None:
        chunk = {
            "id": "1", "object": "chat.completion.chunk", "created": 0, "model": "tiny",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }  # fmt: skip
        if finish:
            chunk["usage"] = {"prompt_tokens": 7, "completion_tokens": len(self.pieces), "total_tokens": 7}
        request.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        request.wfile.flush()
