"""The forms of the sales pages; what is allowed is said by storefront/waiting_room/sales.py."""

from datetime import UTC, datetime

from flask_wtf import FlaskForm
from wtforms import BooleanField, DateTimeLocalField, FloatField, IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from storefront.waiting_room.models import Sale
from storefront.waiting_room.sales import LONGEST_MESSAGE, NewSale


class NewSaleForm(FlaskForm):
    """What a sale is to be."""

    slug = StringField("Slug, its address", [DataRequired("Give a slug.")])
    title = StringField("Title", [Length(max=200, message="At most 200 characters.")])
    skus = TextAreaField("SKUs, one per line", [DataRequired("Give at least one SKU.")])
    opens = DateTimeLocalField(
        "Opens at (UTC); empty: now", [Optional()], format=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
    )
    lobby_minutes = IntegerField("Lobby before, in minutes", [InputRequired("Give a number.")], default=0)
    shuffle = BooleanField("Draw the places of the lobby by lot")
    rate = FloatField("People let in per second", [InputRequired("Give a number.")], default=5)
    active_most = IntegerField("At a time, at most", [InputRequired("Give a number.")], default=100)
    limit_units = IntegerField("Units per shopper", [InputRequired("Give a number.")], default=1)
    pass_seconds = IntegerField("A pass lasts, in seconds", [InputRequired("Give a number.")], default=300)
    grace_seconds = IntegerField("Time to show up, in seconds", [InputRequired("Give a number.")], default=60)
    one_per_email = BooleanField("Ask for an e-mail address, one place for each")

    def new_sale(self, now_ms: int) -> NewSale:
        """The sale, opening now where no time is given."""
        return NewSale(
            slug=(self.slug.data or "").strip(),
            title=(self.title.data or "").strip(),
            skus=tuple(line.strip() for line in (self.skus.data or "").splitlines() if line.strip()),
            opens_at_ms=_ms(self.opens.data) if self.opens.data else now_ms,
            lobby_seconds=self.lobby_minutes.data * 60,
            **{
                name: self[name].data
                for name in (
                    "shuffle", "rate", "active_most", "limit_units", "pass_seconds", "grace_seconds", "one_per_email",
                )
            },
        )  # fmt: skip


def _ms(at: datetime) -> int:
    return int(at.replace(tzinfo=UTC).timestamp() * 1000)


class PaceForm(FlaskForm):
    """How many are let in."""

    rate = FloatField("People per second", [InputRequired("Give a number.")])
    active_most = IntegerField("At a time, at most", [InputRequired("Give a number.")])

    @classmethod
    def of(cls, sale: Sale) -> "PaceForm":
        return cls(formdata=None, rate=sale.rate, active_most=sale.active_most)


class MessageForm(FlaskForm):
    """What is said to everybody who waits."""

    message = StringField(
        "Message to all", [Length(max=LONGEST_MESSAGE, message=f"At most {LONGEST_MESSAGE} characters.")]
    )

    @classmethod
    def of(cls, sale: Sale) -> "MessageForm":
        return cls(formdata=None, message=sale.message)


class VerbForm(FlaskForm):
    """A button: nothing but its CSRF token."""
