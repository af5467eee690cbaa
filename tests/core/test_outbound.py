"""Requests to other servers: where they go, how long they take, and that nobody can lead them elsewhere."""

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from storefront.core.addresses import is_public
from storefront.core.outbound import NoReply, NotSent, Outbound
from tests.core.raw_server import OK, RawServer, redirect
from tests.running import free_port

NEAR = Outbound(wait_seconds=1, seconds=2, loopback=True)  # as in development
FAR = Outbound(wait_seconds=1, seconds=2)
ANYWHERE = Outbound(wait_seconds=1, seconds=2, private=True)

INSIDE = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]", "169.254.169.254", "2852039166", "10.1.2.3", "172.31.0.1", "192.168.0.1",
    "100.64.0.1", "0.0.0.0", "[::]", "[fe80::1]", "[fd00::1]", "[fec0::1]", "224.0.0.1", "[ff02::1]",
    "255.255.255.255", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[2002:7f00:1::]", "[::127.0.0.1]", "localhost",
]  # fmt: skip


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Start servers, which stop with the test."""
    servers: list[RawServer] = []

    def start(answer: Any = OK, tls: ssl.SSLContext | None = None, **where: Any) -> RawServer:
        servers.append(RawServer(answer, tls).start(**where))
        return servers[-1]

    yield start
    for server in servers:
        server.__exit__()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the name server says: for each name its next answers, of which the last one stays. Other names are real."""
    said: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def ask(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in said:
            return real(host, port, *args, **kwargs)
        told = said[host].pop(0) if len(said[host]) > 1 else said[host][0]
        return [found for address in told.split() for found in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", ask)
    return said


def post(outbound: Outbound, url: str, body: bytes = b"{}") -> tuple[int, bytes]:
    reply = outbound.post(url, body, {})
    return reply.status, reply.body


# -- where a request goes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_is_sent_to_an_address_inside(host: str) -> None:
    with pytest.raises(NotSent, match="is no public address"):
        post(FAR, f"http://{host}:{free_port()}/")


@pytest.mark.parametrize("host", INSIDE)
def test_no_redirect_leads_inside(serve: Callable[..., RawServer], host: str) -> None:
    """Not even to loopback, though this server is there itself: its own URL said so, a redirect says what it likes."""
    target = serve()
    server = serve(redirect(307, f"http://{host}:{target.port}/latest/meta-data/"))

    with pytest.raises(NotSent, match="is no public address"):
        post(NEAR, server.url)

    assert target.requests == []


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_the_public_internet_is_public(address: str) -> None:
    assert is_public(ip_address(address))


def test_private_networks_are_open_where_that_is_said(serve: Callable[..., RawServer]) -> None:
    target = serve()
    server = serve(redirect(307, target.url))

    assert post(ANYWHERE, server.url, b'{"a":1}') == (200, b"ok")
    assert target.requests[0].endswith(b'\r\n\r\n{"a":1}')


def test_one_address_inside_spoils_a_name(names: dict[str, list[str]], serve: Callable[..., RawServer]) -> None:
    server = serve()
    names["erp.test"] = ["127.0.0.1 10.0.0.1"]

    with pytest.raises(NotSent, match=r"erp\.test is at 10\.0\.0\.1"):
        post(NEAR, f"http://erp.test:{server.port}/")

    assert server.requests == []


def test_a_name_that_moves_after_it_was_checked_does_not_take_us_along(
    names: dict[str, list[str]], serve: Callable[..., RawServer]
) -> None:
    """DNS rebinding: the name server gives each asker another address."""
    right = serve()
    wrong = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong", address="127.0.0.2", port=right.port)
    names["erp.test"] = ["127.0.0.1", "127.0.0.2"]

    answer = post(NEAR, f"http://erp.test:{right.port}/")

    assert answer == (200, b"ok")
    assert names["erp.test"] == ["127.0.0.2"]  # it was asked once
    assert wrong.requests == []


def test_the_next_address_is_tried_where_the_first_is_dead(
    names: dict[str, list[str]], serve: Callable[..., RawServer]
) -> None:
    dead = socket.socket()  # it has the port, and does not listen
    dead.bind(("127.0.0.1", 0))
    server = serve(address="127.0.0.2", port=dead.getsockname()[1])
    names["erp.test"] = ["127.0.0.1 127.0.0.2"]

    with dead:
        assert post(NEAR, f"http://erp.test:{server.port}/") == (200, b"ok")


def test_the_environment_sends_nothing_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, serve: Callable[..., RawServer]
) -> None:
    server, proxy = serve(), serve()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password secret\n")

    post(NEAR, server.url)

    assert len(server.requests) == 1
    assert b"uthorization" not in server.requests[0]
    assert proxy.requests == []


# -- redirects -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("hops, good", [(1, True), (3, True), (4, False)])
def test_three_redirects_are_followed_with_the_same_body(
    serve: Callable[..., RawServer], status: int, hops: int, good: bool
) -> None:
    def lead_on(request: bytes) -> bytes:
        number = int(request.split(b" ")[1].rpartition(b"/")[2])
        return OK if number == hops else redirect(status, f"{number + 1}")

    server = serve(lead_on)
    url = f"http://127.0.0.1:{server.port}/0"

    if good:
        assert post(ANYWHERE, url, b'{"a":1}') == (200, b"ok")
        assert [request.rpartition(b"\n")[2] for request in server.requests] == [b'{"a":1}'] * (hops + 1)
    else:
        with pytest.raises(NotSent, match="more than 3 times"):
            post(ANYWHERE, url)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304])
def test_a_redirect_that_would_make_a_get_of_it_is_an_answer(serve: Callable[..., RawServer], status: int) -> None:
    server = serve(redirect(status, "/elsewhere"))

    assert post(NEAR, server.url) == (status, b"")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "place", ["ftp://example.org/", "file:///etc/passwd", "http://[::1", "http://", "javascript:1"]
)
def test_a_redirect_to_nowhere_is_not_followed(serve: Callable[..., RawServer], place: str) -> None:
    server = serve(redirect(307, place))

    with pytest.raises(NotSent):
        post(ANYWHERE, server.url)


def test_a_redirect_does_not_take_the_password_along(serve: Callable[..., RawServer]) -> None:
    target = serve()
    server = serve(redirect(307, target.url))

    post(ANYWHERE, server.url.replace("http://", "http://ann:secret@"))

    assert b"Authorization: Basic " in server.requests[0]
    assert b"uthorization" not in target.requests[0]


# -- TLS -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of erp.test with its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=erp.test -addext subjectAltName=DNS:erp.test"
    subprocess.run([*command.split(), "-keyout", "key", "-out", "crt"], cwd=folder, check=True, capture_output=True)
    whole = folder / "erp.pem"
    whole.write_text((folder / "key").read_text() + (folder / "crt").read_text())
    return whole


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_the_server_has_to_prove_the_name_not_the_address(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], serve: Callable[..., RawServer],
    certificate: Path, tls: ssl.SSLContext,
) -> None:  # fmt: skip
    asked: list[str | None] = []
    tls.sni_callback = lambda _connection, name, _context: asked.append(name)
    server = serve(tls=tls)
    names["erp.test"] = names["other.test"] = ["127.0.0.1"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    answer = post(NEAR, f"https://erp.test:{server.port}/")
    with pytest.raises(NotSent, match=r"doesn't match|mismatch"):
        post(NEAR, f"https://other.test:{server.port}/")

    assert answer == (200, b"ok")
    assert asked == ["erp.test", "other.test"]
    assert len(server.requests) == 1


def test_a_server_that_nobody_vouches_for_gets_nothing(
    names: dict[str, list[str]], serve: Callable[..., RawServer], tls: ssl.SSLContext
) -> None:
    server = serve(tls=tls)
    names["erp.test"] = ["127.0.0.1"]

    with pytest.raises(NotSent, match="CERTIFICATE_VERIFY_FAILED"):
        post(NEAR, f"https://erp.test:{server.port}/")

    assert server.requests == []


def test_no_redirect_leads_out_of_tls(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], serve: Callable[..., RawServer],
    certificate: Path, tls: ssl.SSLContext,
) -> None:  # fmt: skip
    target = serve()
    server = serve(redirect(308, target.url), tls=tls)
    names["erp.test"] = ["127.0.0.1"]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    with pytest.raises(NotSent, match="308"):
        post(ANYWHERE, f"https://erp.test:{server.port}/")

    assert target.requests == []


# -- how long it takes ---------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "status": b"HTTP/1.1 200 " + b"x" * 100,
    "headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100,
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100,
    "body without an end": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100,
    "chunk": CHUNKED + b"64\r\n" + b"x" * 100,
    "length of a chunk": CHUNKED + b"0" * 100,
}


@pytest.mark.parametrize("answer", DRIPS.values(), ids=DRIPS)
def test_a_server_that_drips_is_cut_at_the_deadline(serve: Callable[..., RawServer], answer: bytes) -> None:
    server = serve(answer)
    server.pause = 0.05
    began = time.monotonic()

    with pytest.raises(NoReply, match="takes too long"):
        post(Outbound(wait_seconds=0.3, seconds=0.4, loopback=True), server.url)

    assert time.monotonic() - began < 2


def test_redirects_do_not_begin_the_time_anew(serve: Callable[..., RawServer]) -> None:
    def dawdle(_request: bytes) -> bytes:
        time.sleep(0.2)
        return redirect(307, "/again")

    began = time.monotonic()

    with pytest.raises((NoReply, NotSent), match=r"takes too long|no time left"):
        post(Outbound(wait_seconds=1, seconds=0.5, private=True), serve(dawdle).url)

    assert time.monotonic() - began < 2


def test_a_server_that_says_nothing_in_tls_has_got_nothing(serve: Callable[..., RawServer]) -> None:
    server = serve()
    server.silent = True

    with pytest.raises(NotSent):
        post(Outbound(wait_seconds=0.3, seconds=0.4, loopback=True), f"https://127.0.0.1:{server.port}/")


def test_a_name_server_that_says_nothing_does_not_hold_us_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def say_nothing(*_args: Any, **_options: Any) -> list[Any]:
        time.sleep(0.5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", say_nothing)

    with pytest.raises(NotSent, match="no name server"):
        post(Outbound(wait_seconds=0.2, seconds=0.2, loopback=True), "http://erp.test/")


# -- what comes back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n"])
def test_an_answer_without_end_is_not_read_to_its_end(serve: Callable[..., RawServer], head: bytes) -> None:
    server = serve(head + b"x" * 9_000_000)

    with pytest.raises(NoReply, match="larger than 8388608 bytes"):
        post(NEAR, server.url)


def test_an_answer_is_not_unpacked(serve: Callable[..., RawServer]) -> None:
    """A few packed bytes could be gigabytes."""
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")

    assert post(NEAR, server.url) == (200, b"\x1f\x8b\x08\x00")
    assert b"Accept-Encoding: identity" in server.requests[0]


@pytest.mark.parametrize("answer", [
    b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", CHUNKED + b"5\r\nab",
    CHUNKED + b"xyz\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n", b"HTTP/1.1 200 OK\r\nA" + b"a" * 70_000,
])  # fmt: skip
def test_an_answer_that_is_none_is_no_reply(serve: Callable[..., RawServer], answer: bytes) -> None:
    with pytest.raises(NoReply):
        post(NEAR, serve(answer).url)


def test_a_server_that_is_not_there_has_got_nothing() -> None:
    with pytest.raises(NotSent, match="refused"):
        post(NEAR, f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize("url", ["http://", "http://[::1/", "ftp://example.org/", "http://a b/", "http://..../", "x"])
def test_what_is_no_url_is_not_called(url: str) -> None:
    with pytest.raises(NotSent):
        post(ANYWHERE, url)


def test_no_message_tells_a_password(serve: Callable[..., RawServer]) -> None:
    url = serve(b"").url.replace("http://", "http://ann:secret@") + "?token=secret"

    with pytest.raises(NoReply) as caught:
        post(NEAR, url)

    assert "secret" not in str(caught.value)
