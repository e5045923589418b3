"""A bad network: small TCP proxies on loopback that partition, delay, cut connections and lose answers, and watch what passes.

    with Links(watched=[b"private-"]) as links:
        link = links.open("edge-1 to cloud", port_of_the_cloud)
        link.address                 # what edge-1 is told in place of the cloud's
        link.cut(); link.heal()

Harsher than a real network in one point: what was sent into a partition is kept, and arrives after it. So requests come late and
twice, and the receiver has to stand it.

At work in notebook 12, section "The edge".
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Sequence

__all__ = ["Link", "Links"]

BLOCK = 65_536


class Link:
    """One direction of asking: whoever connects to `address` reaches 127.0.0.1:`target`, as well as the link lets it.

    delay_s: before each piece of data, both ways. drop: share of connections that are cut at once. lose_answers: so many of the
    next answers are thrown away, after the request got through. seen: how often a watched text went through.
    """

    def __init__(self, name: str, target: int, loop: asyncio.AbstractEventLoop, watched: Sequence[bytes]):
        self.name, self.target, self._loop, self._watched = name, target, loop, watched
        self.delay_s, self.drop, self.lose_answers = 0.0, 0.0, 0
        self.seen = self.connections = self.bytes_up = self.lost_answers = 0
        self._up, self._random = asyncio.Event(), random.Random(name)
        self._up.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task | None] = set()

    async def start(self) -> Link:
        """Listen at a free port; in the loop of the Links."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def cut(self) -> None:
        """Partition: nothing gets through, nothing is refused; who waits for an answer waits for its time limit."""
        self._loop.call_soon_threadsafe(self._up.clear)

    def heal(self) -> None:
        """End the partition; what was sent meanwhile arrives now."""
        self._loop.call_soon_threadsafe(self._up.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.current_task())  # the loop itself refers to tasks weakly
        try:
            with contextlib.suppress(OSError):
                if self._random.random() >= self.drop:
                    await self._connect(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(asyncio.current_task())

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._up.wait()
        back, out = await asyncio.open_connection("127.0.0.1", self.target)
        up = asyncio.create_task(self._pump(reader, out, True))
        try:
            await self._pump(back, writer, False)
        finally:
            up.cancel()
            out.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, drain: asyncio.StreamWriter, up: bool) -> None:
        tail = b""
        while data := await source.read(BLOCK):
            await self._up.wait()
            await asyncio.sleep(self.delay_s)
            if up:
                tail = self._watch(tail, data)
            elif self.lose_answers > 0:
                self.lose_answers -= 1
                self.lost_answers += 1
                return
            drain.write(data)
            await drain.drain()
        if up:  # the asker has left, which the other side learns once the link lets it
            await self._up.wait()
            drain.write_eof()

    def _watch(self, tail: bytes, data: bytes) -> bytes:
        """Count what must not pass, also where it is split over two pieces; return the end that the next piece needs."""
        self.bytes_up += len(data)
        longest = max((len(one) for one in self._watched), default=1) - 1
        text = tail + data
        for one in self._watched:
            self.seen += text.count(one) - tail.count(one)
        return text[-longest:] if longest else b""


class Links:
    """All links of one drill, in one thread. A context manager; `watched`: texts that must not pass any of them."""

    def __init__(self, watched: Sequence[bytes] = ()):
        self.watched, self.all = tuple(watched), {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="labkit links", daemon=True)
        self._thread.start()

    def open(self, name: str, target: int = 0) -> Link:
        """Return a new link to 127.0.0.1:`target`, which may be set later."""
        link = Link(name, target, self._loop, self.watched)
        self.all[name] = asyncio.run_coroutine_threadsafe(link.start(), self._loop).result(10)
        return link

    def close(self) -> None:
        """End all links. Twice is fine."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    async def _end(self) -> None:
        tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *exc) -> None:
        self.close()
