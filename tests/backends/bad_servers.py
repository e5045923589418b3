"""Small servers on real sockets that misbehave in one way each."""

from __future__ import annotations

import contextlib
import json
import socket
import threading


def chunk(content=None, finish=None) -> bytes:
    choice = {"index": 0, "delta": {"content": content} if content else {}, "finish_reason": finish}
    return (
        b"data: "
        + json.dumps(
            {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        ).encode()
        + b"\n\n"
    )


SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
SSE_CHUNKED = SSE.replace(b"Connection: close", b"Transfer-Encoding: chunked")


def error(status: int, message: str, kind: str = "") -> bytes:
    body = json.dumps({"error": {"message": message, "type": kind, "code": status}}).encode()
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    )


@contextlib.contextmanager
def serving(answer: bytes, hold: float = 0):
    """Answer every connection with the same bytes, `hold` it open for seconds, then close. Yields the address."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve():
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                peer.sendall(answer)
                stop.wait(hold)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        # shutdown wakes a blocked accept; close alone does not
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
