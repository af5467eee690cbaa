"""A proxy before Redis that loses replies: the script has run, and the caller never hears of it."""

import select
import socket
import threading
from pathlib import Path


class LossyProxy:
    """Listens on a Unix socket at `path` and passes everything on to the Unix socket `upstream`.

    `lose(n)`: the replies to the next n script calls are swallowed and their connections cut.
    """

    def __init__(self, path: Path, upstream: Path):
        self.url = f"unix://{path}"
        self._upstream = upstream
        self._left = 0
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def lose(self, replies: int) -> None:
        self._left = replies

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._upstream))
            while True:
                for source in select.select([client, server], [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
                    if source is client and b"EVALSHA" in data and self._loses():
                        server.recv(65536)
                        return

    def _loses(self) -> bool:
        with self._lock:
            loses = self._left > 0
            self._left -= loses
        return loses
