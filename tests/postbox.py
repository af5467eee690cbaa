"""A real SMTP server on loopback that keeps what it is given."""

from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from tests.running import free_port


@dataclass
class Postbox:
    """What the server was given, and how it behaves; it stops at the end of the block."""

    answer_to_rcpt: str = "250 OK"
    hangs_up_at_quit: bool = False
    wire: bytes = b""  # the last mail as it came
    mails: list[EmailMessage] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    controllers: list[Controller] = field(default_factory=list)

    def serve(self, **options: Any) -> int:
        """Start to serve, with options of aiosmtpd's; return the port."""
        controller = Controller(self, hostname="127.0.0.1", port=free_port(), **options)
        self.controllers.append(controller)
        controller.start()
        return controller.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for controller in self.controllers:
            controller.stop()

    def texts(self) -> list[str]:
        return [mail.get_content().replace("\r\n", "\n") for mail in self.mails]

    async def handle_RCPT(self, server: SMTP, session: Any, envelope: Any, address: str, options: Any) -> str:
        envelope.rcpt_tos.append(address)
        return self.answer_to_rcpt

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        self.wire = envelope.content
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        if self.hangs_up_at_quit:
            server.transport.abort()
        return "221 Bye"

    def authenticate(self, server: SMTP, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        self.logins.append((login.login, login.password))
        return AuthResult(success=True)
