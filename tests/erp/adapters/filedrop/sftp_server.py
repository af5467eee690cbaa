"""A real SSH server on loopback with an SFTP folder, for one user with a password or a key."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from paramiko import SFTPAttributes, SFTPHandle, SFTPServer, SFTPServerInterface
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_OK

USER, PASSWORD = "shop", "s:e/cret"


@dataclass
class Server:
    """overwrites: a plain rename overwrites, as it does with some servers. renames_lost: rename, and break off.

    rival: what another sender puts under the new name, a hair before the next rename.
    """

    root: Path
    host_key: paramiko.PKey
    login_key: paramiko.PKey | None
    overwrites: bool = False
    renames_lost: int = 0
    rival: bytes | None = None
    port: int = 0
    transports: list[paramiko.Transport] = field(default_factory=list)

    def known_hosts(self, folder: Path) -> Path:
        """A file that knows this server's key."""
        path = folder / "known_hosts"
        path.write_text(f"[127.0.0.1]:{self.port} {self.host_key.get_name()} {self.host_key.get_base64()}\n")
        return path

    def break_connections(self) -> None:
        """Break those there are; one that comes in meanwhile stays."""
        broken, self.transports = self.transports, []
        for transport in broken:
            transport.close()


class Login(paramiko.ServerInterface):
    """Lets the one user in."""

    def __init__(self, server: Server):
        self.server = server

    def check_auth_password(self, username: str, password: str) -> int:
        allowed = (username, password) == (USER, PASSWORD)
        return AUTH_SUCCESSFUL if allowed else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        allowed = username == USER and self.server.login_key is not None and key == self.server.login_key
        return AUTH_SUCCESSFUL if allowed else AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class Files(SFTPServerInterface):
    """The files under the server's root. A rename fails where the name is taken, as OpenSSH has it."""

    def __init__(self, login: Login, *args: object, **more: object):
        super().__init__(login, *args, **more)
        self.server = login.server

    def list_folder(self, path: str) -> list[SFTPAttributes] | int:
        try:
            return [SFTPAttributes.from_stat(entry.stat(), entry.name) for entry in os.scandir(self._place(path))]
        except OSError as error:
            return _code(error)

    def stat(self, path: str) -> SFTPAttributes | int:
        try:
            return SFTPAttributes.from_stat(os.stat(self._place(path)))
        except OSError as error:
            return _code(error)

    lstat = stat

    def open(self, path: str, flags: int, attr: SFTPAttributes) -> SFTPHandle | int:
        try:
            number = os.open(self._place(path), flags, 0o666)
        except OSError as error:
            return _code(error)
        handle = SFTPHandle(flags)
        writes = flags & (os.O_WRONLY | os.O_RDWR)
        handle.readfile = handle.writefile = os.fdopen(number, "wb" if writes else "rb")  # type: ignore[attr-defined]
        return handle

    def remove(self, path: str) -> int:
        return _done(lambda: os.remove(self._place(path)))

    def mkdir(self, path: str, attr: SFTPAttributes) -> int:
        return _done(lambda: os.mkdir(self._place(path)))

    def rename(self, oldpath: str, newpath: str) -> int:
        code = _done(lambda: self._rename(self._place(oldpath), self._place(newpath)))
        if self.server.renames_lost and code == SFTP_OK:
            self.server.renames_lost -= 1
            self.server.break_connections()
        return code

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return _done(lambda: os.replace(self._place(oldpath), self._place(newpath)))

    def _rename(self, old: str, new: str) -> None:
        if self.server.rival is not None:
            Path(new).write_bytes(self.server.rival)
            self.server.rival = None
        if self.server.overwrites:
            os.replace(old, new)
        else:
            os.link(old, new)
            os.unlink(old)

    def _place(self, path: str) -> str:
        return str(self.server.root) + self.canonicalize(path)


@contextmanager
def serve(root: Path, login_key: paramiko.PKey | None = None) -> Iterator[Server]:
    """The server, until the end of the block."""
    root.mkdir()
    server = Server(root, paramiko.ECDSAKey.generate(), login_key)
    with socket.create_server(("127.0.0.1", 0)) as door:
        server.port = door.getsockname()[1]
        thread = threading.Thread(target=_welcome, args=(door, server), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            door.shutdown(socket.SHUT_RDWR)
            server.break_connections()
            thread.join(5)


def _welcome(door: socket.socket, server: Server) -> None:
    while True:
        try:
            visitor, _ = door.accept()
        except OSError:  # the door is closed
            return
        transport = paramiko.Transport(visitor)
        transport.add_server_key(server.host_key)
        transport.set_subsystem_handler("sftp", SFTPServer, Files)
        server.transports.append(transport)
        try:
            transport.start_server(threading.Event(), Login(server))
        except (paramiko.SSHException, EOFError, OSError):
            transport.close()


def _done(work: Callable[[], object]) -> int:
    try:
        work()
    except OSError as error:
        return _code(error)
    return SFTP_OK


def _code(error: OSError) -> int:
    return SFTPServer.convert_errno(error.errno or 0)
