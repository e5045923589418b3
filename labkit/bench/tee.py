"""A listener between somebody else's benchmark and an engine: it passes everything on, and takes down when each piece came.

with listening(endpoint) as (address, answers):
    ...                      # a benchmark that talks to `address`
answers                      # what it asked, as our own load would have seen it

Explained in README.md, section "The command".
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import time
from collections.abc import Iterator

from labkit.bench.load import Answer, Failed, Target, Transcript

__all__ = ["listening"]


@contextlib.contextmanager
def listening(endpoint) -> Iterator[tuple[str, list[Answer]]]:
    """Listen on loopback before `endpoint`; yield the address and the list that the answers go to. Streams only."""
    answers: list[Answer] = []
    server = _Server(("127.0.0.1", 0), _Handler)
    server.target, server.answers = Target.of(endpoint), answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", answers
    finally:
        server.shutdown()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target: Target = self.server.target
        headers = {"Content-Type": "application/json", "Authorization": self.headers.get("Authorization", "")}
        connection = http.client.HTTPConnection(target.host, target.port, timeout=target.stall)
        with contextlib.closing(connection):
            connection.connect()
            transcript = Transcript(time.perf_counter())
            connection.request("POST", target.path, body, headers)
            self._pass_on(connection.getresponse(), transcript)

    def _pass_on(self, response: http.client.HTTPResponse, transcript: Transcript) -> None:
        self.send_response(response.status)
        self.send_header("Content-Type", response.headers.get("Content-Type", "text/event-stream"))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for line in response:
                transcript.take(time.perf_counter(), line)
                self._chunk(line)
            transcript.close()
        except Failed as error:
            transcript.error = str(error)
        self.server.answers.append(transcript.answer())
        self._chunk(b"")  # the end: whoever has read it finds the answer in the list

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def do_GET(self) -> None:  # bench serve looks for /metrics, and does without
        self.send_error(404)

    def log_message(self, *args) -> None:
        pass
