"""The cloud tier: an OpenAI-compatible server before a real engine that does each request once, however often it is sent.

    POST /v1/chat/completions     with Idempotency-Key: answered once; sent again, the kept answer comes back
    GET  /counts                  received, duplicates, effects, twice

A process of its own: `python -m labkit.deploy.edge.receiver`, configured by wire.CONFIG. The effect (a line in `ledger`) and the
answer are one transaction, so a crash of this process leaves both or neither.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labkit.backends.asgi import Locked, LoopbackServer, error_detail
from labkit.deploy.edge.wire import ID_HEADER, configuration

__all__ = ["Inbox", "app"]

# The ledger has no unique key on purpose: an effect that happened twice would show.
SCHEMA = """
CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY, asked TEXT NOT NULL, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS ledger (id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS arrivals (id TEXT NOT NULL);
"""


class Inbox:
    """What was received and done. `arrived` before the work, `find` to know whether it is done, `keep` when it is."""

    def __init__(self, file: Path):
        self._database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.executescript(SCHEMA)

    def arrived(self, id: str) -> None:
        """Count one sending."""
        self._database.execute("INSERT INTO arrivals VALUES (?)", (id,))

    def find(self, id: str) -> tuple[str, str] | None:
        """Return (fingerprint of what was asked, the answer) if the request of this id is done."""
        return self._database.execute("SELECT asked, answer FROM inbox WHERE id = ?", (id,)).fetchone()

    def keep(self, id: str, asked: str, answer: str) -> None:
        """Do the request: its effect and its answer, together."""
        self._database.execute("BEGIN IMMEDIATE")
        with self._database:  # commits, or rolls back
            self._database.execute("INSERT INTO inbox VALUES (?, ?, ?)", (id, asked, answer))
            self._database.execute("INSERT INTO ledger VALUES (?)", (id,))

    def counts(self) -> dict[str, int]:
        """Return received (all sendings), duplicates (of something done or being done), effects, twice (must be 0)."""
        one = lambda query: self._database.execute(query).fetchone()[0]  # noqa: E731
        received, effects = one("SELECT count(*) FROM arrivals"), one("SELECT count(*) FROM ledger")
        twice = one("SELECT count(*) FROM (SELECT 1 FROM ledger GROUP BY id HAVING count(*) > 1)")
        first = one("SELECT count(DISTINCT id) FROM arrivals")
        return {"received": received, "duplicates": received - first, "effects": effects, "twice": twice}

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def app(inbox: Inbox, engine: str, engine_key: str) -> Starlette:
    """Return the ASGI application before `engine`, an address that ends in /v1."""
    busy: collections.defaultdict[str, asyncio.Lock] = collections.defaultdict(asyncio.Lock)

    async def complete(request: Request) -> Response:
        id, body = request.headers.get(ID_HEADER, ""), await request.body()
        if not id:
            return _no(400, f"This server wants the header {ID_HEADER}.", "no_id")
        inbox.arrived(id)
        async with busy[id]:  # the same id a second time waits for the first
            return await _once(id, body)

    async def _once(id: str, body: bytes) -> Response:
        asked = hashlib.sha256(body).hexdigest()
        if done := inbox.find(id):
            if done[0] != asked:
                return _no(422, f"{id} stands for another request.", "id_reused")
            return Response(done[1], media_type="application/json", headers={"Idempotent-Replayed": "true"})
        status, answer = await _ask(engine, engine_key, body)
        if status == 200:
            inbox.keep(id, asked, answer)
        return Response(answer, status, media_type="application/json")

    async def counts(request: Request) -> Response:
        return JSONResponse(inbox.counts())

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    chat = Route("/v1/chat/completions", complete, methods=["POST"])
    return Starlette(routes=[chat, Route("/counts", counts), Route("/health", health)])


async def _ask(engine: str, key: str, body: bytes) -> tuple[int, str]:
    """Return (status, text) of the engine's answer; 502 where it is gone."""
    import httpx2

    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=120) as client:
            answer = await client.post(f"{engine}/chat/completions", content=body, headers=headers)
            return answer.status_code, answer.text
    except httpx2.RequestError as error:
        return _status_and_text(_no(502, f"The engine is gone: {error!r}", "engine_gone"))


def _no(status: int, message: str, code: str) -> JSONResponse:
    return JSONResponse(error_detail(status, message, code), status)


def _status_and_text(response: JSONResponse) -> tuple[int, str]:
    return response.status_code, bytes(response.body).decode()


def main(config: dict[str, Any]) -> None:
    """Serve until the parent ends."""
    inbox = Inbox(Path(config["file"]))
    with LoopbackServer(Locked(app(inbox, config["engine"], config["engine_key"]), config["key"])) as server:
        print(f"listening on {server.address}", flush=True)
        server.join()


if __name__ == "__main__":
    main(configuration())
