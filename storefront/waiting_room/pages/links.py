"""Links by which a place is taken along to another device: signed, for half an hour, used once."""

from itsdangerous import BadSignature, URLSafeTimedSerializer

from storefront.waiting_room.outcomes import NothingToMove, Ticket

VALID_SECONDS = 1_800


class PlaceLinks:
    """Makes and reads the last part of such links."""

    def __init__(self, secret_key: str):
        self._secret_key = secret_key

    def make(self, slug: str, place: Ticket) -> str:
        return str(self._of(slug).dumps([place.shopper, place.epoch, place.ordinal, place.drawn]))

    def read(self, slug: str, token: str) -> Ticket:
        """Whose place it is, and which one it was. Raises NothingToMove where the link is none, or too old."""
        try:
            shopper, epoch, ordinal, drawn = self._of(slug).loads(token, max_age=VALID_SECONDS)
        except (BadSignature, ValueError, TypeError) as error:
            raise NothingToMove("This link is not complete, or older than half an hour.", sale=slug) from error
        return Ticket(shopper, epoch, ordinal, drawn)

    def _of(self, slug: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret_key, salt=f"place:{slug}")
