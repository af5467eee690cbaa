"""The same file drop on an SFTP server: a real one, on loopback."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import paramiko
import pytest

from storefront.core.config import SettingsError
from storefront.erp.adapter import ErpAlarm, ErpAmbiguous, ErpAuthFailed, ErpUnavailable
from storefront.erp.adapters.filedrop.adapter import FileDrop
from storefront.erp.adapters.filedrop.legacy.book import Book
from storefront.erp.adapters.filedrop.legacy.office import Office
from storefront.erp.adapters.filedrop.orders_file import write_orders
from tests.erp.adapters.filedrop.house import open_drop
from tests.erp.adapters.filedrop.orders import batch, order, wanted
from tests.erp.adapters.filedrop.sftp_server import PASSWORD, USER, Server, serve


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path / "server") as server:
        yield server


@pytest.fixture
def remote(server: Server) -> Path:
    """The drop folder as it lies on the server."""
    return server.root / "drop"


@pytest.fixture
def connect(server: Server, tmp_path: Path) -> Callable[..., FileDrop]:
    """Open the adapter; environment variables as keywords."""

    def connect(password: str = PASSWORD, **environ: str) -> FileDrop:
        address = f"sftp://{USER}:{quote(password, safe='')}@127.0.0.1:{server.port}/drop"
        known = {"ERP_FILEDROP_KNOWN_HOSTS": str(server.known_hosts(tmp_path))}
        return open_drop(tmp_path, {"ERP_FILEDROP_PATH": address, **known, **environ})

    return connect


def test_the_whole_round_goes_over_sftp(connect: Callable[..., FileDrop], remote: Path) -> None:
    adapter = connect()
    adapter.health()
    book = Book(remote / ".legacy-erp.db")
    with book.transaction():
        book.count("MUG", 5)

    adapter.submit(batch(1))
    Office(remote, book).import_orders()
    Office(remote, book).export_stock()
    Office(remote, book).export_booked()
    (ack,) = adapter.poll_acks([batch(1)])
    snapshot = adapter.snapshot(wanted())
    booked = list(adapter.booked())
    book.close()

    assert (remote / "orders-000001.csv").read_bytes() == write_orders(batch(1))[0]
    assert [one.outcome for one in ack.results] == ["applied"]
    assert snapshot is not None
    assert snapshot.figures == {"MUG": 4}
    assert [one.order_id for one in booked] == [1]


def test_what_is_worked_off_is_archived_there_and_never_over_another(
    connect: Callable[..., FileDrop], remote: Path
) -> None:
    adapter = connect()
    adapter.submit(batch(1))
    (remote / "stock-000001.csv").write_text("sku,quantity\nMUG,5\n")
    (remote / "archive" / "stock-000001.csv").write_text("an older one")
    (remote / ".orders-000002.csv.1.part").write_text("order_id")
    os.utime(remote / ".orders-000002.csv.1.part", (0, 0))

    adapter.poll_acks([])
    adapter.snapshot(wanted(2))

    assert not list(remote.glob(".*"))
    assert (remote / "archive" / "stock-000001.csv").read_text() == "an older one"
    assert (remote / "archive" / "stock-000001.2.csv").read_text() == "sku,quantity\nMUG,5\n"


@pytest.mark.parametrize("overwrites", [False, True], ids=["a server like OpenSSH", "a server whose rename overwrites"])
def test_what_is_there_is_never_overwritten(
    connect: Callable[..., FileDrop], server: Server, remote: Path, overwrites: bool
) -> None:
    server.overwrites = overwrites
    connect().submit(batch(1, order(17)))
    before = (remote / "orders-000001.csv").read_bytes()

    connect().submit(batch(1, order(17)))
    with pytest.raises(ErpAlarm, match="of another content"):
        connect().submit(batch(1, order(18)))

    assert (remote / "orders-000001.csv").read_bytes() == before
    assert not list(remote.glob(".*"))


@pytest.mark.parametrize("overwrites", [False, True], ids=["a server like OpenSSH", "a server whose rename overwrites"])
def test_a_name_that_is_taken_is_not_put_nor_what_comes_after_it(
    connect: Callable[..., FileDrop], server: Server, remote: Path, overwrites: bool
) -> None:
    server.overwrites = overwrites
    folder = connect().folder
    folder.put({"1.csv": b"the first"})

    with pytest.raises(FileExistsError):
        folder.put({"1.csv": b"another", "2.csv": b"after it"})

    assert (remote / "1.csv").read_bytes() == b"the first"
    assert sorted(path.name for path in remote.iterdir()) == ["1.csv", "archive"]


def test_of_two_senders_in_the_same_moment_the_second_finds_the_name_taken(
    connect: Callable[..., FileDrop], server: Server, remote: Path
) -> None:
    server.rival = b"the other sender's"

    with pytest.raises(ErpAlarm, match=r"orders-000001\.json: there is one of another content"):
        connect().submit(batch(1))

    assert (remote / "orders-000001.json").read_bytes() == b"the other sender's"
    assert not (remote / "orders-000001.csv").exists()
    assert not list(remote.glob(".*"))


def test_two_senders_of_the_same_in_the_same_moment_are_both_right(
    connect: Callable[..., FileDrop], server: Server, remote: Path
) -> None:
    server.rival = write_orders(batch(1))[1]

    answers = connect().submit(batch(1))

    assert answers[0].outcome == "accepted"
    assert (remote / "orders-000001.csv").read_bytes() == write_orders(batch(1))[0]


def test_a_connection_that_breaks_when_a_file_was_put_is_ambiguous_and_the_retry_makes_it_good(
    connect: Callable[..., FileDrop], server: Server, remote: Path
) -> None:
    adapter = connect()
    adapter.health()
    server.renames_lost = 1

    with pytest.raises(ErpAmbiguous, match="connection broke"):
        adapter.submit(batch(1))
    adapter.submit(batch(1))

    assert (remote / "orders-000001.csv").read_bytes() == write_orders(batch(1))[0]


def test_after_a_break_a_new_connection_is_made(connect: Callable[..., FileDrop], server: Server) -> None:
    adapter = connect()
    adapter.submit(batch(1))
    server.break_connections()

    with pytest.raises(ErpUnavailable):
        adapter.submit(batch(2))

    assert adapter.submit(batch(2))[0].outcome == "accepted"


def test_a_wrong_password_is_a_matter_of_settings_and_is_not_shown(connect: Callable[..., FileDrop]) -> None:
    with pytest.raises(ErpAuthFailed) as refused:
        connect(password="wrong-one").submit(batch(1))

    assert "wrong-one" not in str(refused.value)


def test_a_server_whose_key_is_not_known_is_not_trusted(
    connect: Callable[..., FileDrop], tmp_path: Path, remote: Path
) -> None:
    (tmp_path / "nobody").write_text("")

    with pytest.raises((ErpUnavailable, ErpAuthFailed), match="not found in known_hosts"):
        connect(ERP_FILEDROP_KNOWN_HOSTS=str(tmp_path / "nobody")).submit(batch(1))

    assert not remote.exists()


def test_a_key_file_lets_in_without_a_password(tmp_path: Path) -> None:
    key = paramiko.ECDSAKey.generate()
    key.write_private_key_file(str(tmp_path / "key"))
    with serve(tmp_path / "server", key) as server:
        environ = {
            "ERP_FILEDROP_PATH": f"sftp://{USER}@127.0.0.1:{server.port}/drop",
            "ERP_FILEDROP_KEY": str(tmp_path / "key"),
            "ERP_FILEDROP_KNOWN_HOSTS": str(server.known_hosts(tmp_path)),
        }

        words = open_drop(tmp_path, environ).health()

    assert words == f"sftp://{USER}@127.0.0.1:{server.port}/drop: 0 order files in it"


def test_without_paramiko_the_start_says_what_to_install(
    connect: Callable[..., FileDrop], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "storefront.erp.adapters.filedrop.find_spec", lambda name: None if name == "paramiko" else found(name)
    )

    with pytest.raises(SettingsError, match="pip install paramiko"):
        connect()


@pytest.mark.parametrize(
    "path", ["sftp://host/drop", "sftp://shop:pa%20ss@host", "ftp://shop@host/drop", "sftp://shop:s3cret@host:x/drop"]
)
def test_an_address_that_is_none_stops_the_start_and_is_not_shown(tmp_path: Path, path: str) -> None:
    with pytest.raises(SettingsError, match="ERP_FILEDROP_PATH") as refused:
        open_drop(tmp_path, {"ERP_FILEDROP_PATH": path})

    assert path not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ERP_FILEDROP_ACKS", "perhaps"),
        ("ERP_FILEDROP_MARGIN_SECONDS", "-1"),
        ("ERP_FILEDROP_KEY", "/nowhere/key"),
        ("ERP_FILEDROP_KNOWN_HOSTS", "/nowhere/hosts"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}="):
        open_drop(tmp_path, {"ERP_FILEDROP_PATH": "sftp://shop@127.0.0.1/drop", name: value})
