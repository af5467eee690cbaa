"""A program between the shop and its Redis that can delay, cut and refuse connections, and swallow replies.

`python -m tests.chaos.proxy PORT SOCKET` listens on 127.0.0.1 and passes everything on to the Unix
socket; each line on stdin sets a fault: {"delay_ms": N}, {"cut": true}, {"refuse": true or false},
{"swallow": N, "hang_ms": N}.
"""

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Faults:
    """What is to go wrong now."""

    delay_ms: int = 0
    swallow: int = 0  # replies to the next n script calls are lost
    hang_ms: int = 0  # and the connection is cut so much later
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def set(self, change: dict[str, Any]) -> None:
        for name, value in change.items():
            if name in ("cut", "refuse"):
                self.cut()
            else:
                setattr(self, name, value)

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()


async def serve(port: int, upstream: str) -> None:
    """Proxy until stdin ends."""
    faults = Faults()

    async def on_client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await _Link(faults, reader, writer).run(upstream)
        writer.transport.abort()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(on_client, "127.0.0.1", port, backlog=512)

    server = await listen()
    print("ready", flush=True)
    async for line in _lines():
        change = json.loads(line)
        if "refuse" in change:
            server.close()
            server = server if change["refuse"] else await listen()
        faults.set(change)
        print("ok", flush=True)


async def _lines() -> Any:
    stdin = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    while line := await stdin.readline():
        yield line


class _Link:
    """One connection of the shop and its counterpart to Redis."""

    def __init__(self, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.faults = faults
        self.reader = reader
        self.writer = writer
        self.lost = False

    async def run(self, upstream: str) -> None:
        reader, writer = await asyncio.open_unix_connection(upstream)
        self.faults.writers.add(self.writer)
        try:
            ways = [asyncio.create_task(self._ask(writer)), asyncio.create_task(self._answer(reader))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self.faults.writers.discard(self.writer)
            writer.transport.abort()

    async def _ask(self, server: asyncio.StreamWriter) -> None:
        while data := await self.reader.read(65536):
            if self.faults.delay_ms:
                await asyncio.sleep(self.faults.delay_ms / 1000)
            if self.faults.swallow and b"EVALSHA" in data:
                self.faults.swallow -= 1
                self.lost = True
            server.write(data)
            await server.drain()

    async def _answer(self, server: asyncio.StreamReader) -> None:
        while data := await server.read(65536):
            if self.lost:
                await asyncio.sleep(self.faults.hang_ms / 1000)
                return
            self.writer.write(data)
            await self.writer.drain()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
