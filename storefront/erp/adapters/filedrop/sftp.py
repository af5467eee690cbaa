"""The folder through which files go, on an SFTP server. Paramiko is imported when it is first connected to."""

import io
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from posixpath import join
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from storefront.erp.adapters.filedrop.folder import (
    ARCHIVE,
    DRAFT_ENDING,
    Entry,
    Unconfirmed,
    archived_name,
    draft_name,
)

if TYPE_CHECKING:
    from paramiko import SFTPClient, SSHClient

CONNECT_SECONDS = 10.0  # for each of the steps: TCP, banner, login
ANSWER_SECONDS = 30.0  # for each answer after that


@dataclass(frozen=True)
class Address:
    """Where an SFTP folder is. password: None where a key file or an agent's key is used."""

    host: str
    port: int
    user: str
    password: str | None
    path: str


def read_address(raw: str) -> Address:
    """The parts of sftp://USER[:PASSWORD]@HOST[:PORT]/FOLDER; raises ValueError."""
    url = urlsplit(raw)
    path = url.path.rstrip("/")
    if url.scheme != "sftp" or not url.hostname or not url.username or not path or url.query or url.fragment:
        raise ValueError
    password = None if url.password is None else unquote(url.password)
    return Address(url.hostname, url.port or 22, unquote(url.username), password, unquote(path))


class SftpFolder:
    """A folder on an SFTP server whose host key is known. It is made, with its archive, once connected.

    A connection is kept until it breaks. The protocol has no fsync: the server decides when files are on disk.
    """

    def __init__(self, address: Address, key_file: Path | None = None, known_hosts: Path | None = None):
        self.address = address
        self.key_file = key_file
        self.known_hosts = known_hosts
        self.where = f"sftp://{address.user}@{address.host}:{address.port}{address.path}"
        self._client: SSHClient | None = None
        self._session: SFTPClient | None = None

    def list(self, prefix: str) -> list[Entry]:
        with self._connected() as session:
            found = session.listdir_attr(self.address.path)
        files = [one for one in found if one.filename.startswith(prefix) and stat.S_ISREG(one.st_mode or 0)]
        entries = [Entry(one.filename, one.st_size or 0, 1000 * (one.st_mtime or 0)) for one in files]
        return sorted(entries, key=lambda one: one.name)

    def find(self, name: str) -> bytes | None:
        with self._connected() as session:
            for place in (self._path(name), self._path(ARCHIVE, name)):
                if _exists(session, place):
                    return _content(session, place)
        return None

    def read(self, name: str) -> bytes:
        with self._connected() as session:
            return _content(session, self._path(name))

    def put(self, files: Mapping[str, bytes]) -> None:
        drafts = {name: self._path(draft_name(name)) for name in files}
        with self._connected() as session:
            try:
                for name, data in files.items():
                    _write(session, drafts[name], data)
                for name, draft in drafts.items():
                    _publish(session, draft, self._path(name))
            finally:
                for draft in drafts.values():
                    _remove(session, draft)

    def archive(self, name: str) -> None:
        with self._connected() as session:
            number = 1
            while _exists(session, self._path(ARCHIVE, archived_name(name, number))):
                number += 1
            try:
                session.rename(self._path(name), self._path(ARCHIVE, archived_name(name, number)))
            except FileNotFoundError:
                pass

    def clear_drafts(self, before_ms: int) -> None:
        old = [one.name for one in self.list(".") if one.name.endswith(DRAFT_ENDING) and one.modified_ms < before_ms]
        with self._connected() as session:
            for name in old:
                _remove(session, self._path(name))

    def _path(self, *names: str) -> str:
        return join(self.address.path, *names)

    @contextmanager
    def _connected(self) -> "Iterator[SFTPClient]":
        """The session; what breaks in it is an OSError, and after most of that a new one is opened."""
        from paramiko import AuthenticationException, BadHostKeyException, SSHException

        try:
            yield self._session or self._connect()
        except (AuthenticationException, BadHostKeyException) as error:
            self._forget()
            raise PermissionError(f"{self.where}: {error}") from error
        except (SSHException, EOFError) as error:
            self._forget()
            raise ConnectionError(f"{self.where}: {error or type(error).__name__}") from error
        except OSError as error:
            if isinstance(error, (TimeoutError, Unconfirmed)) or not self._is_alive():
                self._forget()
            raise

    def _connect(self) -> "SFTPClient":
        from paramiko import RejectPolicy, SSHClient

        self._client = SSHClient()
        self._client.load_system_host_keys(None if self.known_hosts is None else str(self.known_hosts))
        self._client.set_missing_host_key_policy(RejectPolicy())
        alone = self.address.password is not None or self.key_file is not None
        self._client.connect(
            self.address.host,
            self.address.port,
            self.address.user,
            self.address.password,
            key_filename=None if self.key_file is None else str(self.key_file),
            allow_agent=not alone,
            look_for_keys=not alone,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=CONNECT_SECONDS,
            channel_timeout=CONNECT_SECONDS,
        )
        session = self._client.open_sftp()
        if channel := session.get_channel():
            channel.settimeout(ANSWER_SECONDS)
        for folder in (self.address.path, self._path(ARCHIVE)):
            if not _exists(session, folder):
                session.mkdir(folder)
        self._session = session
        return session

    def _is_alive(self) -> bool:
        transport = self._client and self._client.get_transport()
        return bool(transport and transport.is_active())

    def _forget(self) -> None:
        self._session = None
        if self._client is not None:
            self._client.close()


def _exists(session: "SFTPClient", path: str) -> bool:
    try:
        session.stat(path)
    except FileNotFoundError:
        return False
    return True


def _content(session: "SFTPClient", path: str) -> bytes:
    into = io.BytesIO()
    session.getfo(path, into)
    return into.getvalue()


def _write(session: "SFTPClient", path: str, data: bytes) -> None:
    with session.open(path, "wbx") as file:
        file.set_pipelined(True)
        file.write(data)
    written = session.stat(path).st_size
    if written != len(data):
        raise OSError(f"of {len(data)} bytes {written} have arrived at {path}")


def _publish(session: "SFTPClient", draft: str, path: str) -> None:
    """Rename by the plain request, which fails where the name is taken.

    Some servers overwrite even then, so we look first. Of two senders in the very same moment only such a server
    would take both; the lease of the delivery keeps them apart.
    """
    from paramiko import SSHException

    if _exists(session, path):
        raise FileExistsError(path)
    try:
        session.rename(draft, path)
    except (OSError, EOFError, SSHException) as error:
        try:
            taken = _exists(session, path)
        except (OSError, EOFError, SSHException) as broken:
            raise Unconfirmed(f"the connection broke while {path} was put: {error}") from broken
        if taken:
            raise FileExistsError(path) from error
        if isinstance(error, TimeoutError):
            raise Unconfirmed(f"no answer came when {path} was put") from error
        raise


def _remove(session: "SFTPClient", path: str) -> None:
    from paramiko import SSHException

    try:
        session.remove(path)
    except (OSError, EOFError, SSHException):  # gone, or the connection is: `clear_drafts` comes by
        pass
