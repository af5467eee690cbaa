"""Tickets as their holders carry them: signed, so that a queue that has lost a place can believe in it."""

from itsdangerous import BadSignature, URLSafeSerializer

from storefront.waiting_room.outcomes import Ticket


class Signer:
    """Signs the tickets of a shop's sales (itsdangerous, HMAC); a ticket of one sale is none of another."""

    def __init__(self, secret_key: str):
        self._secret_key = secret_key

    def sign(self, slug: str, ticket: Ticket) -> str:
        return str(self._of(slug).dumps([ticket.shopper, ticket.epoch, ticket.ordinal, int(ticket.drawn)]))

    def read(self, slug: str, signed: str) -> Ticket | None:
        """The ticket, or None where it was not signed by us for this sale."""
        try:
            shopper, epoch, ordinal, drawn = self._of(slug).loads(signed)
        except (BadSignature, ValueError, TypeError):
            return None
        return Ticket(shopper, epoch, ordinal, bool(drawn))

    def _of(self, slug: str) -> URLSafeSerializer:
        return URLSafeSerializer(self._secret_key, salt=f"ticket:{slug}")
