"""Mail: one interface, and two ways out, chosen by MAIL_URL: the console, or an SMTP server."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Protocol
from urllib.parse import SplitResult, unquote, urlsplit

SCHEMES = ("console", "smtp", "smtps")
PORTS = {("smtp", False): 25, ("smtp", True): 587, ("smtps", False): 465, ("smtps", True): 465}  # by: with a password
UNFOLDED = policy.SMTP.clone(max_line_length=998)  # the standard library encodes an address that is too long for a line
WAIT_SECONDS = 10.0  # for each answer of the server


class MailFailed(Exception):
    """A mail was not taken; another try may do better."""


class MailRefused(MailFailed):
    """A mail was refused for good: there is no such address, or it wants none of it."""


@dataclass(frozen=True)
class Mail:
    """A mail to one person. `id` stays the same when it is sent again, so that the receiver can drop the second."""

    to: str
    subject: str
    text: str
    id: str
    unsubscribe_url: str


class Mailer(Protocol):
    def send(self, mail: Mail) -> None:
        """Hand over a mail. Raises MailFailed, and MailRefused where it is no use to try again."""


def check_mail_url(raw: str) -> str:
    """`raw` where it names a way to send mail. Raises ValueError."""
    url = urlsplit(raw)
    good = raw == "console:" if url.scheme == "console" else bool(url.hostname) and url.path in ("", "/")
    if url.scheme not in SCHEMES or not good or url.query or url.fragment or url.port == 0:
        raise ValueError(raw)
    return raw


def check_sender(raw: str) -> str:
    """`raw` where it is one address, perhaps with a name: `Shop <shop@example.org>`. Raises ValueError."""
    message = EmailMessage()
    try:
        message["From"] = raw
    except IndexError as error:  # the standard library's parser, at `shop@`
        raise ValueError(raw) from error
    found = message["From"].addresses
    if len(found) != 1 or message["From"].defects or not (found[0].username and found[0].domain):
        raise ValueError(raw)
    return raw


def open_mailer(url: str, sender: str) -> Mailer:
    """The mailer of a MAIL_URL that was checked. Nothing is connected yet."""
    return ConsoleMailer(sender) if url == "console:" else SmtpMailer(urlsplit(url), sender)


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """A mail as it goes over the wire. Raises ValueError where a header would hold a line break."""
    message = EmailMessage(policy=UNFOLDED)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = formatdate()
    message["Message-ID"] = f"<{mail.id}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: absence notes stay away
    message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
    message.set_content(mail.text, cte="quoted-printable")  # not every server takes 8 bits
    return message


class ConsoleMailer:
    """Prints mails: for development."""

    def __init__(self, sender: str):
        self._sender = sender

    def send(self, mail: Mail) -> None:
        message = message_of(mail, self._sender)
        print(f"--- mail to {message['To']}: {message['Subject']}\n{mail.text}---", flush=True)


class SmtpMailer:
    """Hands each mail to an SMTP server over a connection of its own; encrypted wherever the server can do that."""

    def __init__(self, url: SplitResult, sender: str):
        """url: smtp[s]://[user:password@]host[:port], user and password percent-encoded."""
        self._encrypted = url.scheme == "smtps"
        self._host = url.hostname or ""
        self._port = url.port or PORTS[url.scheme, bool(url.username)]
        self._login = (unquote(url.username), unquote(url.password or "")) if url.username else None
        self._sender = sender
        self._tls = ssl.create_default_context()

    def send(self, mail: Mail) -> None:
        message = message_of(mail, self._sender)
        try:
            with self._connected() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refusal:
            code, words = refusal.recipients[mail.to]
            raise (MailRefused if code >= 500 else MailFailed)(f"{code} {words!r}") from refusal
        except (smtplib.SMTPException, OSError) as error:
            raise MailFailed(f"{type(error).__name__}: {error}") from error

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._connect()
        try:
            self._prepare(server)
            yield server
        finally:
            _part_from(server)

    def _connect(self) -> smtplib.SMTP:
        if self._encrypted:
            return smtplib.SMTP_SSL(self._host, self._port, timeout=WAIT_SECONDS, context=self._tls)
        return smtplib.SMTP(self._host, self._port, timeout=WAIT_SECONDS)

    def _prepare(self, server: smtplib.SMTP) -> None:
        server.ehlo()
        encrypted = self._encrypted
        if not encrypted and server.has_extn("starttls"):
            server.starttls(context=self._tls)
            encrypted = True
        if self._login:
            if not encrypted:
                raise MailFailed(f"{self._host} offers no encryption, and the password is not sent without it")
            server.login(*self._login)


def _part_from(server: smtplib.SMTP) -> None:
    """Whatever the server says to our leaving: a mail that it has taken it has taken."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()
