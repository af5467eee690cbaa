"""What a server that can let go of a connection, and watch it, offers to the app in the environ of a request."""

from collections.abc import Callable
from socket import socket
from typing import Protocol

CONNECTION = "stockbeat.connection"  # in the environ, where the server can do both


class Connection(Protocol):
    """That of the request."""

    def hand_over(self) -> socket:
        """The connection, its headers sent, which from then on is the caller's."""

    def when_gone(self, tell: Callable[[], object]) -> Callable[[], None]:
        """Have `tell` called, in a thread of its own, when the client hangs up.

        Returns what ends the watch; to be called before the connection is closed.
        """
