"""A chat server without a model, to time clients alone. Prints its address; TERM ends it.

A plain request is answered at once with a fixed completion. A streamed one gets max_tokens pieces, one every `tick` seconds
(a parameter of the request); all streams tick together, as with an engine that batches. The last chunk's "timings" say when each
piece was sent, by time.perf_counter(), which on one machine all processes share.

Explained in README.md, section "The command".
"""

import http.server
import json
import time

HEAD = {"id": "stub", "object": "chat.completion", "created": 0, "model": "stub"}
MESSAGE = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Paris."}}
USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
ANSWER = json.dumps({**HEAD, "choices": [MESSAGE], "usage": USAGE}).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep the connection, as real engines do
    disable_nagle_algorithm = True

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if asked.get("stream"):
            return self.stream(asked["max_tokens"], asked["tick"])
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(ANSWER)}\r\n\r\n"
        self.wfile.write(head.encode() + ANSWER)  # one write: two would meet delayed acknowledgements

    def stream(self, pieces, tick):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = []
        for _ in range(pieces):
            time.sleep(tick - time.perf_counter() % tick)
            sent.append(time.perf_counter())
            self.event(choices=[{"index": 0, "finish_reason": None, "delta": {"content": " piece"}}])
        usage = {"prompt_tokens": 9, "completion_tokens": pieces, "total_tokens": 9 + pieces}
        self.event(choices=[{"index": 0, "finish_reason": "length", "delta": {}}], timings={"sent": sent}, usage=usage)
        self.chunk(b"data: [DONE]\n\n")
        self.chunk(b"")

    def event(self, **fields):
        self.chunk(b"data: " + json.dumps({**HEAD, "object": "chat.completion.chunk", **fields}).encode() + b"\n\n")

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128  # many callers come at the same moment


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    print(f"STUB LISTENING http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
