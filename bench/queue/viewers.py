"""People who wait on real sockets: `python -m bench.queue.viewers PORT SLUG`, told what to do by lines of JSON.

Each joins over HTTP, keeps his cookies, opens a WebSocket and watches the sale; what he is told is kept.
"""

import asyncio
import base64
import json
import os
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any

from bench.reserve import CLIENT_CORE
from bench.shoppers import pin

OPENED_AT_ONCE = 20


@dataclass
class Viewer:
    """Somebody who waits, and what he knows."""

    ordinal: int = 0
    position: int | None = None
    messages: int = 0
    admitted: bool = False
    sold_out_at: float | None = None
    rose: int = 0  # how often the position got worse
    cookies: dict[str, str] = field(default_factory=dict)

    async def come(self, port: int, slug: str) -> None:
        """Join, and watch in the background from then on."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        origin = f"Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        writer.write(f"POST /api/v1/sales/{slug}/tickets HTTP/1.1\r\n{origin}Content-Length: 0\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = [line.partition(": ")[::2] for line in head.split("\r\n")[1:] if line]
        size = next(int(value) for name, value in fields if name.lower() == "content-length")
        self.ordinal = json.loads(await reader.readexactly(size))["ordinal"]
        writer.close()
        for name, value in fields:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n{origin}Connection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"Cookie: {cookie}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.write(frame("40"))
        watch = asyncio.create_task(self._watch(reader, writer, slug))
        TASKS.add(watch)

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slug: str) -> None:
        while True:
            text = await read_frame(reader)
            if text == "2":
                writer.write(frame("3"))
            elif text.startswith("40"):
                writer.write(frame("420" + json.dumps(["watch_sale", {"sale": slug}])))
            elif text.startswith("42"):
                self._hear(*json.loads(text[2:]))
            elif text.startswith("430"):
                answer = json.loads(text[3:])[0]
                if answer.get("place"):
                    self._hear("place", answer["place"])

    def _hear(self, event: str, data: dict[str, Any]) -> None:
        self.messages += 1
        if event == "place" and data["position"]:
            self.rose += self.position is not None and data["position"] > self.position
            self.position = data["position"]
        elif event == "admitted":
            self.admitted = True
        elif event == "sale" and data["state"] == "sold_out" and self.sold_out_at is None:
            self.sold_out_at = time.monotonic()


TASKS: set[asyncio.Task[None]] = set()


def frame(text: str) -> bytes:
    """A text frame of a client, masked with zeros."""
    payload = text.encode()
    return struct.pack("!BB", 0x81, 0x80 | len(payload)) + bytes(4) + payload


async def read_frame(reader: asyncio.StreamReader) -> str:
    """A text frame of the server."""
    _, size = await reader.readexactly(2)
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    return (await reader.readexactly(size)).decode()


class Viewers:
    """All of them."""

    def __init__(self, port: int, slug: str):
        self.port, self.slug = port, slug
        self.all: list[Viewer] = []

    async def join(self, people: int) -> dict[str, Any]:
        fresh = [Viewer() for _ in range(people)]
        for start in range(0, people, OPENED_AT_ONCE):
            await asyncio.gather(*(one.come(self.port, self.slug) for one in fresh[start : start + OPENED_AT_ONCE]))
        self.all += fresh
        return {"ordinals": [one.ordinal for one in fresh]}

    async def tell(self) -> dict[str, Any]:
        """What each knows: ordinal and last position; how many messages came in all; who was admitted."""
        return {
            "places": [(one.ordinal, one.position) for one in self.all],
            "messages": sum(one.messages for one in self.all),
            "admitted": sum(one.admitted for one in self.all),
            "rose": sum(one.rose for one in self.all),
            "sold_out_at": [one.sold_out_at for one in self.all],
            "gone": sum(task.done() for task in TASKS),
        }


async def main(port: int, slug: str) -> None:
    pin(0, CLIENT_CORE)
    viewers = Viewers(port, slug)
    print(json.dumps({"ready": True}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        print(json.dumps(await getattr(viewers, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
