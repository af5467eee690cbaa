"""Keeps one redis-server alive while anybody uses it: a program of its own, started by `embedded_redis`.

It takes only the standard library and imports nothing of the shop, so it starts in a few milliseconds:

    python -I -S redis_keeper.py REDIS_SERVER DIRECTORY SOCKET

Every user of the server holds a shared lock on DIRECTORY/users.lock. The kernel drops it however the
user ends, kill -9 included, so the keeper needs no word from anyone: once it gets that lock for
itself alone, nobody is left and the server stops. DIRECTORY/keeper.lock allows one keeper only;
DIRECTORY/server.lock says that whatever answers on SOCKET is its server, and not one that was left over.
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time

POLL_SECONDS = 0.1
STOP_SECONDS = 10.0
CRASHES_ALLOWED = 5  # in a row, each within CRASH_SECONDS of its start
CRASH_SECONDS = 2.0


class Keeper:
    def __init__(self, executable: str, directory: str, socket_path: str):
        self.executable = executable
        self.directory = directory
        self.socket_path = socket_path
        self.told_to_stop = False
        self.crashes = 0

    def keep(self) -> None:
        """Run the server until nobody uses it, starting it again if it dies before."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        if not self._claim("keeper.lock"):
            return  # another keeper is at work
        users = self._open("users.lock")
        stop_stray(self.socket_path)
        if not self._claim("server.lock"):
            return
        while not self.told_to_stop and self.crashes < CRASHES_ALLOWED:
            started = time.monotonic()
            server = self._start()
            while server.poll() is None and not self.told_to_stop:
                self.told_to_stop = lock(users, fcntl.LOCK_EX)
                time.sleep(POLL_SECONDS)
            stop(server)
            self.crashes = self.crashes + 1 if time.monotonic() - started < CRASH_SECONDS else 0

    def _claim(self, name: str) -> bool:
        claimed = self._open(name)
        for _ in range(10):  # a user who looks whether a keeper is there holds server.lock for a moment
            if lock(claimed, fcntl.LOCK_EX):
                return True
            time.sleep(POLL_SECONDS / 2)
        return False

    def _open(self, name: str) -> int:
        return os.open(os.path.join(self.directory, name), os.O_RDWR | os.O_CREAT, 0o600)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self.told_to_stop = True

    def _start(self) -> "subprocess.Popen[bytes]":
        options = {
            "port": "0",  # the Unix socket only
            "unixsocket": self.socket_path,
            "unixsocketperm": "700",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "logfile": "redis.log",
            "daemonize": "no",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        # In the directory, and with relative names, so that no path needs quoting in Redis' own way.
        return subprocess.Popen([self.executable, *words], cwd=self.directory, stdin=subprocess.DEVNULL)


def lock(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def stop_stray(socket_path: str) -> None:
    """End a server whose own keeper was killed, so that two never write the same files."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(socket_path)
                connection.sendall(b"SHUTDOWN\r\n")
                connection.recv(64)
            except (ConnectionRefusedError, FileNotFoundError):
                return
            except OSError:
                pass
        time.sleep(POLL_SECONDS)
    sys.exit(f"The server on {socket_path} belongs to no keeper and does not stop.")


if __name__ == "__main__":
    Keeper(*sys.argv[1:]).keep()
