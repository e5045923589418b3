"""An engine that plays a script, and the bridge's face before it on a real socket."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass, field

import uvicorn

from labkit.backends.base import Endpoint
from labkit.backends.bridge.contract import Finish
from labkit.backends.bridge.face import face
from labkit.backends.bridge.text import TokenText

KEY = "the-key"


@dataclass
class Scripted:
    """Says `pieces`, a token each (bytes, so a character may be spread over several). What happened is kept for the test.

    gate: if given, a turn waits for a permit (`gate.release()`) before each piece. fails_after: RuntimeError after so many pieces.
    refuses: what to raise instead of running.
    """

    pieces: list = field(default_factory=lambda: ["Par", "is", "."])
    name: str = "scripted"
    context: int = 64
    at_once: int = 1
    honours: frozenset = frozenset({"json_schema", "temperature", "top_p", "top_k", "seed"})
    gate: threading.Semaphore | None = None
    fails_after: int | None = None
    refuses: Exception | None = None
    asks: list = field(default_factory=list)
    most: list = field(default_factory=list)
    ended: list = field(default_factory=list)

    def begin(self, ask):
        self.asks.append(ask)
        return ScriptedTurn(self, sum(len(message["content"].split()) for message in ask.messages))


@dataclass
class ScriptedTurn:
    engine: Scripted
    prompt_tokens: int

    def run(self, most, on_text, stopped):
        engine = self.engine
        engine.most.append(most)
        if engine.refuses:
            raise engine.refuses
        vocabulary = [piece if isinstance(piece, bytes) else piece.encode() for piece in engine.pieces]
        text = TokenText(lambda ids: b"".join(vocabulary[one] for one in ids).decode("utf-8", "replace"))
        for number in range(min(most, len(vocabulary))):
            if engine.fails_after == number:
                raise RuntimeError("out of memory")
            while engine.gate and not stopped() and not engine.gate.acquire(timeout=0.01):
                pass
            if stopped():
                engine.ended.append("stopped")
                return Finish("stop", number)
            on_text(text.add([number]))
        engine.ended.append("whole")
        return Finish("length" if most < len(vocabulary) else "stop", min(most, len(vocabulary)))


@contextlib.contextmanager
def bridged(engine: Scripted):
    """Serve `engine`; yield an Endpoint of it."""
    app = face(engine, "m", KEY)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            with Endpoint(backend="scripted", base_url=f"{address}/v1", model="m", api_key=KEY, timeout=20) as endpoint:
                yield endpoint
        finally:
            server.should_exit = True
            thread.join(10)
