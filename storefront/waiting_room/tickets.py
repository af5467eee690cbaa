"""Tickets as their holders carry them: signed, so that a queue that has lost a place can believe in it."""

from functools import lru_cache

from itsdangerous import BadSignature
from itsdangerous import Signer as Hmac

from storefront.waiting_room.outcomes import Ticket

MOST_KEPT = 1_000  # sales


class Signer:
    """Signs the tickets of a shop's sales (itsdangerous, HMAC-SHA1); a ticket of one sale is none of another."""

    def __init__(self, secret_key: str):
        self._secret_key = secret_key
        self._of = lru_cache(MOST_KEPT)(self._make)

    def sign(self, slug: str, ticket: Ticket) -> str:
        words = f"{ticket.shopper}.{ticket.epoch}.{ticket.ordinal}.{ticket.drawn:d}"
        return self._of(slug).sign(words).decode()

    def read(self, slug: str, signed: str) -> Ticket | None:
        """The ticket, or None where it was not signed by us for this sale."""
        try:
            shopper, epoch, ordinal, drawn = self._of(slug).unsign(signed).decode().split(".")
            return Ticket(shopper, int(epoch), int(ordinal), drawn == "1")
        except (BadSignature, ValueError):
            return None

    def _make(self, slug: str) -> Hmac:
        """The signer of a sale, its key derived once: this secret and the sale, and nothing else has it."""
        salt = f"ticket:{slug}"
        return Hmac(Hmac(self._secret_key, salt=salt).derive_key(), salt=salt, key_derivation="none")
