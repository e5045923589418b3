"""A small HTTP server for tests that can misbehave in the ways real ones do."""

import contextlib
import http.server
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from dataclasses import dataclass, field

import pytest


@dataclass
class Served:
    """One file, and what goes wrong with it: `faults` holds one per request, then all goes well."""

    body: bytes
    faults: list = field(default_factory=list)
    etag: str | None = '"v1"'
    ranges: bool = True  # whether Range is honoured
    length: bool = True  # whether Content-Length is sent
    kind: str = "application/octet-stream"
    status: int = 200
    headers: dict = field(default_factory=dict)
    pause: float = 0  # seconds between pieces of 64 KiB


class FileServer(http.server.ThreadingHTTPServer):
    """`files[path] = Served(...)`; `seen` lists (method, path, headers) as the requests come in."""

    daemon_threads = True

    def __init__(self, tls=None, proxy_status=None):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.seen, self.sent, self.proxy_status = {}, [], 0, proxy_status
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.origin = f"{'https' if tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    def add(self, path, body, **more):
        self.files[path] = Served(body, **more)
        return self.origin + path

    def asked(self, path, name="Range"):
        return [headers.get(name) for _, seen, headers in self.seen if seen == path]

    def handle_error(self, request, client_address):
        pass  # clients that go away are the point of the tests


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.removeprefix("http://elsewhere.test")  # a proxy is asked with the whole address
        self.server.seen.append((self.command, path, dict(self.headers)))
        if self.server.proxy_status:
            return self.answer(self.server.proxy_status, b"proxy says no")
        served = self.server.files.get(path)
        if served is None:
            return self.answer(404, b"no such file")
        fault = served.faults.pop(0) if served.faults else None
        if isinstance(fault, int):
            return self.answer(fault, b"not now")
        if callable(fault):
            fault = fault(served)
        self.serve(served, fault)

    do_HEAD = do_GET

    def do_CONNECT(self):
        self.server.seen.append(("CONNECT", self.path, dict(self.headers)))
        self.answer(self.server.proxy_status or 502, b"")

    def serve(self, served, fault):
        start = self.start_of(served)
        body = served.body[start:]
        self.send_response(206 if start else served.status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(served.body) - 1}/{len(served.body)}")
        for name, value in {"ETag": served.etag, "Content-Type": served.kind, **served.headers}.items():
            if value:
                self.send_header(name, value)
        if served.length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command == "GET":
            self.pour(body, served.pause, fault)

    def start_of(self, served):
        wanted = self.headers.get("Range")
        if not (served.ranges and wanted) or self.headers.get("If-Range") not in (None, served.etag):
            return 0
        return int(wanted.removeprefix("bytes=").removesuffix("-"))

    def pour(self, body, pause, fault):
        stop = fault[1] if fault else len(body)  # ("drop", bytes)
        for at in range(0, stop, 1 << 16):
            piece = body[at : min(at + (1 << 16), stop)]
            self.wfile.write(piece)
            self.server.sent += len(piece)
            time.sleep(pause)
        if fault:
            self.close_connection = True
            self.wfile.flush()
            if fault[0] == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def running(**options):
    server = FileServer(**options)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port():
    """A port on this machine on which nothing listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def certificate(folder):
    """A self-signed certificate for 127.0.0.1 and its key, as two files."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl command")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key
