"""Mail: to the console, and to a real SMTP server on loopback, with and without encryption."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storefront.core import mail as mail_module
from storefront.core.mail import Mail, Mailer, MailFailed, MailRefused, check_mail_url, check_sender, open_mailer
from tests.postbox import Postbox

MAIL = Mail(
    to="ada@example.org", subject="It is back", text="Hello Ada,\n\nit is back – for now.\n", id="mail-7",
    unsubscribe_url=f"http://localhost:8000/waiting-list/{'token-' * 20}",
)  # fmt: skip
SENDER = "The Shop <shop@example.org>"


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with Postbox() as postbox:
        yield postbox


@pytest.fixture
def serve(postbox: Postbox) -> Callable[..., int]:
    return postbox.serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost with its key, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", "key", "-out", "crt"], cwd=folder, check=True, capture_output=True)
    whole = folder / "localhost.pem"
    whole.write_text((folder / "key").read_text() + (folder / "crt").read_text())
    return whole


def tls_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def mailer(port: int, scheme: str = "smtp", login: str = "", host: str = "localhost") -> Mailer:
    return open_mailer(check_mail_url(f"{scheme}://{login}{host}:{port}"), SENDER)


def test_a_mail_arrives_as_it_was_written(postbox: Postbox, serve: Callable[..., int]) -> None:
    mailer(serve(), host="127.0.0.1").send(MAIL)

    (mail,), (text,) = postbox.mails, postbox.texts()
    assert (mail["From"], mail["To"], mail["Subject"]) == (SENDER, "ada@example.org", "It is back")
    assert mail["Message-ID"] == "<mail-7@example.org>"
    assert f"List-Unsubscribe: <{MAIL.unsubscribe_url}>\r\n".encode() in postbox.wire
    assert mail["Auto-Submitted"] == "auto-generated"
    assert text == MAIL.text


@pytest.mark.parametrize("answer, error", [("550 No such user", MailRefused), ("450 Try again later", MailFailed)])
def test_a_refusal_says_whether_another_try_is_of_use(
    postbox: Postbox, serve: Callable[..., int], answer: str, error: type[MailFailed]
) -> None:
    postbox.answer_to_rcpt = answer

    with pytest.raises(MailFailed) as caught:
        mailer(serve(), host="127.0.0.1").send(MAIL)

    assert type(caught.value) is error
    assert postbox.mails == []


def test_a_mail_that_was_taken_is_sent_whatever_happens_at_the_farewell(
    postbox: Postbox, serve: Callable[..., int]
) -> None:
    postbox.hangs_up_at_quit = True

    mailer(serve(), host="127.0.0.1").send(MAIL)

    assert len(postbox.mails) == 1


def test_a_server_that_is_not_there_is_a_failure(serve: Callable[..., int]) -> None:
    with pytest.raises(MailFailed):
        mailer(1, host="127.0.0.1").send(MAIL)


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_module, "WAIT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(MailFailed, match="timed out"):
        mailer(silent.getsockname()[1], host="127.0.0.1").send(MAIL)


@pytest.mark.parametrize("changed", [
    {"subject": "Hello\r\nBcc: all@example.org"}, {"to": "ada@example.org\nBcc: all@example.org"},
    {"unsubscribe_url": "http://localhost/\r\nX: y"},
])  # fmt: skip
def test_nothing_can_smuggle_a_header_in(postbox: Postbox, serve: Callable[..., int], changed: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        mailer(serve(), host="127.0.0.1").send(replace(MAIL, **changed))

    assert postbox.mails == []


def test_a_password_is_never_sent_without_encryption(postbox: Postbox, serve: Callable[..., int]) -> None:
    port = serve(authenticator=postbox.authenticate, auth_require_tls=False)

    with pytest.raises(MailFailed, match="no encryption"):
        mailer(port, login="shop:pa%20ss@", host="127.0.0.1").send(MAIL)

    assert (postbox.logins, postbox.mails) == ([], [])


def test_it_encrypts_where_the_server_offers_to_and_then_logs_in(
    postbox: Postbox, serve: Callable[..., int], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    port = serve(authenticator=postbox.authenticate, tls_context=tls_of(certificate))

    mailer(port, login="shop:pa%20ss@").send(MAIL)

    assert postbox.logins == [(b"shop", b"pa ss")]
    assert len(postbox.mails) == 1


def test_smtps_is_encrypted_from_the_first_byte(
    postbox: Postbox, serve: Callable[..., int], certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))

    mailer(serve(ssl_context=tls_of(certificate)), scheme="smtps").send(MAIL)

    assert len(postbox.mails) == 1


def test_a_server_that_cannot_prove_who_it_is_gets_nothing(
    postbox: Postbox, serve: Callable[..., int], certificate: Path
) -> None:
    port = serve(authenticator=postbox.authenticate, tls_context=tls_of(certificate))

    with pytest.raises(MailFailed, match="CERTIFICATE_VERIFY_FAILED"):
        mailer(port, login="shop:secret@").send(MAIL)

    assert (postbox.logins, postbox.mails) == ([], [])


def test_the_console_shows_the_whole_mail(capsys: pytest.CaptureFixture[str]) -> None:
    open_mailer("console:", SENDER).send(MAIL)

    shown = capsys.readouterr().out
    assert "mail to ada@example.org: It is back" in shown
    assert MAIL.text in shown


@pytest.mark.parametrize("url", [
    "smtp://", "mailto:ada@example.org", "smtp://host:port", "smtp://host:99999", "smtp://host/path", "console:x",
    "smtp://host?tls=no", "http://host", "host", "smtp://[host",
])  # fmt: skip
def test_what_is_no_way_to_send_mail_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        check_mail_url(url)


@pytest.mark.parametrize("sender", ["", "shop", "shop@", "@example.org", "a@b\nBcc: c@d", "two@a.org, three@b.org"])
def test_what_is_no_sender_is_refused(sender: str) -> None:
    with pytest.raises(ValueError):
        check_sender(sender)
