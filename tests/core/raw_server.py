"""A server on loopback that does with each connection what a test says, byte by byte."""

import socket
import ssl
from collections.abc import Callable
from threading import Event, Thread
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def redirect(status: int, to: str) -> bytes:
    return f"HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


class RawServer:
    """Reads a request from each connection, and answers it; it stops at the end of the block.

    answer: given the request, the bytes to send. tls: the server's side of TLS.
    """

    def __init__(self, answer: Callable[[bytes], bytes] | bytes, tls: ssl.SSLContext | None = None):
        self._answer, self._tls = answer, tls
        self.pause = 0.0  # between two bytes of an answer
        self.silent = False  # no byte is read, and none is sent
        self.requests: list[bytes] = []
        self.closing = Event()
        self._listener: socket.socket | None = None

    def start(self, address: str = "127.0.0.1", port: int = 0) -> Self:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family)
        Thread(target=self._serve, args=[self._listener], daemon=True).start()
        return self

    @property
    def port(self) -> int:
        assert self._listener
        return self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        if self._listener:
            self._listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=self._talk, args=[connection], daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            if self.silent:
                self.closing.wait(10)
                return
            try:
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                request = _read_request(connection)
                self.requests.append(request)
                self._send(connection, self._answer if isinstance(self._answer, bytes) else self._answer(request))
                connection.close()
            except OSError:
                pass  # whoever asked has gone, or wants none of our certificate

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        if not self.pause:
            connection.sendall(answer)
            return
        for place in range(len(answer)):
            connection.sendall(answer[place : place + 1])
            if self.closing.wait(self.pause):
                return


def _read_request(connection: socket.socket) -> bytes:
    """Head and body of a request with a Content-Length."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _more(connection)
    head, _, body = request.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += _more(connection)
    return head + b"\r\n\r\n" + body


def _more(connection: socket.socket) -> bytes:
    piece = connection.recv(65536)
    if not piece:
        raise ConnectionError
    return piece
